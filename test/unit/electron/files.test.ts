/** Dialogs of the system give paths to the studio; a report is written where the user said. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BaseWindow } from 'electron';
import { beforeEach, describe, expect, it } from 'vitest';
import { dialogOptions, filePorts } from '../../../electron/files.ts';
import { dialog, resetElectron } from '../../helpers/fake-electron.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

beforeEach(resetElectron);

const window = { id: 1 } as unknown as BaseWindow;

describe('picking', () => {
  it('asks in a dialog of the window and gives its paths', async () => {
    dialog.showOpenDialog.mockResolvedValueOnce({ canceled: false, filePaths: ['/a.onnx'] });
    expect(await filePorts(() => window).pick('model')).toEqual(['/a.onnx']);
    expect(dialog.showOpenDialog.mock.calls).toEqual([[window, dialogOptions('model', process.platform)]]);
  });

  it('works without a window, and gives nothing when the dialog was left', async () => {
    expect(await filePorts(() => null).pick('report')).toEqual([]);
    expect(dialog.showOpenDialog.mock.calls).toEqual([[dialogOptions('report', process.platform)]]);
  });

  it.each([
    ['model', 'linux', ['openFile'], 'onnx'],
    ['data', 'darwin', ['openFile', 'openDirectory'], 'npz'],
    ['data', 'linux', ['openFile'], 'zip'],
    ['data', 'win32', ['openFile'], 'csv'],
    ['folder', 'win32', ['openDirectory'], null],
    ['report', 'darwin', ['openFile'], 'html'],
    ['recipe', 'linux', ['openFile'], 'json'],
  ] as const)('of a %s on %s is %j', (kind, platform, properties, extension) => {
    const options = dialogOptions(kind, platform);
    expect(options.properties).toEqual(properties);
    const extensions = options.filters?.flatMap((filter) => filter.extensions) ?? [];
    expect(extensions.includes(extension ?? '')).toBe(extension !== null);
  });
});

describe('saving', () => {
  it('writes the text where the user said', async () => {
    const path = join(temporaryFolder(), 'mine.md');
    dialog.showSaveDialog.mockResolvedValueOnce({ canceled: false, filePath: path });
    expect(await filePorts(() => window).save('run.md', '# Report')).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe('# Report');
    expect(dialog.showSaveDialog.mock.calls[0]?.[1]).toMatchObject({
      defaultPath: 'run.md',
      filters: [{ extensions: ['md'] }, {}],
    });
  });

  it('writes nothing when the dialog was left', async () => {
    expect(await filePorts(() => null).save('run.md', '# Report')).toBe(false);
  });

  it('says why it could not', async () => {
    const path = join(temporaryFolder(), 'no', 'such', 'folder.md');
    dialog.showSaveDialog.mockResolvedValueOnce({ canceled: false, filePath: path });
    await expect(filePorts(() => null).save('run.md', '')).rejects.toMatchObject({ code: 'file-missing' });
  });
});
