/** The studio in its window, over the fake Electron and a real workspace. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { CALL, EVENT } from '../../../electron/channels.ts';
import { OpenFiles } from '../../../electron/open-files.ts';
import { failToStart, startStudio } from '../../../electron/studio.ts';
import { HoneError } from '../../../native-workers/protocol/errors.ts';
import {
  app,
  BrowserWindow,
  dialog,
  ipcMain,
  Menu,
  resetElectron,
  session,
  theWindow,
} from '../../helpers/fake-electron.ts';
import { temporaryFolder } from '../../helpers/temp.ts';
import { testWorker } from '../../helpers/worker-path.ts';

vi.mock(import('../../../native-workers/host/built.ts'), () => ({ builtFolder: (name: string) => join(root, name) }));

let root: string;

beforeEach(() => {
  resetElectron();
  root = temporaryFolder();
  app.paths['userData'] = root;
  mkdirSync(join(root, 'renderer'));
  writeFileSync(join(root, 'renderer', 'index.html'), '');
  vi.stubEnv('HONE_LIBRARY', join(root, 'library'));
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
});

async function started(files = new OpenFiles()): Promise<OpenFiles> {
  await startStudio({ worker: testWorker('worker-entry.ts'), reportView: join(root, 'report-view') }, files);
  // Ends the workspace as the app does.
  onTestFinished(async () => {
    app.emit('before-quit', { preventDefault: vi.fn() });
    await vi.waitFor(() => expect(app.quit).toHaveBeenCalled());
  });
  return files;
}

async function call(method: string, params: object): Promise<{ ok: boolean; result?: unknown }> {
  const { webContents } = theWindow();
  const event = { sender: webContents, senderFrame: webContents.mainFrame };
  return (await ipcMain.handlers.get(CALL)?.(event, { id: 1, method, params })) as never;
}

/** What the page was told to open. */
const told = (): unknown[] =>
  theWindow()
    .webContents.send.mock.calls.filter(([channel, event]) => channel === EVENT && event.type === 'open-file')
    .map(([, event]) => event.grant.name);

describe('the studio', () => {
  it('opens one window, on its own scheme, with a session that allows nothing else', async () => {
    await started();
    expect(BrowserWindow.opened).toHaveLength(1);
    expect(theWindow().loadURL).toHaveBeenCalledWith('app://studio/');
    expect(session.defaultSession.protocol.handle).toHaveBeenCalledWith('app', expect.any(Function));
    expect(session.defaultSession.webRequest.onBeforeRequest).toHaveBeenCalledOnce();
    expect(Menu.setApplicationMenu).toHaveBeenCalledOnce();
    expect(existsSync(join(root, 'library'))).toBe(true);
  });

  it('answers the page', async () => {
    await started();
    expect(await call('hello', {})).toMatchObject({
      ok: true,
      result: { host: 'electron', library: join(root, 'library') },
    });
    dialog.showOpenDialog.mockResolvedValueOnce({ canceled: false, filePaths: [join(root, 'renderer', 'index.html')] });
    expect(await call('files.pick', { kind: 'report' })).toMatchObject({ ok: true, result: [{ name: 'index.html' }] });
    expect(await call('files.grantPath', { path: root })).toMatchObject({ ok: false });
  });

  it('tells the page of files once it listens, and again after it was closed', async () => {
    const model = join(root, 'a.onnx');
    writeFileSync(model, '');
    const files = new OpenFiles();
    files.add([model]);
    await started(files);
    expect(told()).toEqual([]);
    await call('hello', {});
    await vi.waitFor(() => expect(told()).toEqual(['a.onnx']));
    theWindow().emit('closed');
    app.emit('activate');
    expect(BrowserWindow.opened).toHaveLength(2);
    files.add([model]);
    expect(told()).toEqual([]);
    await call('hello', {});
    await vi.waitFor(() => expect(told()).toEqual(['a.onnx']));
  });

  it('says why a file cannot be opened', async () => {
    const files = await started();
    await call('hello', {});
    files.add([join(root, 'gone.onnx')]);
    await vi.waitFor(() => expect(dialog.showErrorBox).toHaveBeenCalledOnce());
    expect(told()).toEqual([]);
  });

  it('comes to the front at a second start', async () => {
    await started();
    app.emit('second-instance', {}, [], root);
    expect(BrowserWindow.opened).toHaveLength(1);
    expect(theWindow().focus).toHaveBeenCalledOnce();
  });

  it('does not start without a built page or a library that can be written', async () => {
    root = temporaryFolder();
    await expect(started()).rejects.toMatchObject({ code: 'studio-not-built' });
    vi.stubEnv('HONE_LIBRARY', join(root, 'file', 'library'));
    writeFileSync(join(root, 'file'), '');
    await expect(started()).rejects.toBeInstanceOf(HoneError);
    expect(BrowserWindow.opened).toEqual([]);
  });
});

describe('a failed start', () => {
  it('says what is wrong and what to do, and ends with the exit code of the command line', () => {
    failToStart(new HoneError('studio-not-built', 'There is no built studio.'));
    expect(dialog.showErrorBox).toHaveBeenCalledWith(
      expect.any(String),
      expect.stringContaining('There is no built studio.'),
    );
    expect(app.exit.mock.calls).toEqual([[4]]);
  });
});
