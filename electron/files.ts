/** The system's dialogs: files that the user chooses, and where a report is saved. Paths go to the studio, never to the page. */
import { extname } from 'node:path';
import { type BaseWindow, dialog, type OpenDialogOptions } from 'electron';
import type { StudioPorts } from '../native-workers/host/studio.ts';
import { writeFileAtomic } from '../native-workers/lib/atomic-file.ts';

type PickKind = Parameters<StudioPorts['pick']>[0];

const ALL_FILES = { name: 'All files', extensions: ['*'] };
const JSON_FILES = { name: 'JSON', extensions: ['json'] };

export function dialogOptions(kind: PickKind, platform: NodeJS.Platform): OpenDialogOptions {
  switch (kind) {
    case 'model':
      return {
        title: 'Open a model',
        filters: [{ name: 'Models', extensions: ['onnx', 'tflite', 'keras', 'h5'] }, ALL_FILES],
        properties: ['openFile'],
      };
    case 'data':
      return {
        title: 'Choose data',
        filters: [{ name: 'Data', extensions: ['zip', 'npz', 'csv', 'jsonl'] }, ALL_FILES],
        // Elsewhere a dialog that can choose folders cannot choose files.
        properties: platform === 'darwin' ? ['openFile', 'openDirectory'] : ['openFile'],
      };
    case 'folder':
      return { title: 'Choose a folder', properties: ['openDirectory'] };
    case 'report':
      return {
        title: 'Open a report',
        filters: [{ name: 'Reports', extensions: ['html', 'json'] }, ALL_FILES],
        properties: ['openFile'],
      };
    case 'recipe':
      return { title: 'Open a recipe', filters: [JSON_FILES, ALL_FILES], properties: ['openFile'] };
  }
}

/** The dialogs are of the window that `window` returns, where there is one. */
export function filePorts(window: () => BaseWindow | null): Pick<StudioPorts, 'pick' | 'save'> {
  return {
    async pick(kind) {
      const options = dialogOptions(kind, process.platform);
      const owner = window();
      const { filePaths } = await (owner === null
        ? dialog.showOpenDialog(options)
        : dialog.showOpenDialog(owner, options));
      return filePaths;
    },
    async save(name, text) {
      const extension = extname(name).slice(1);
      const options = {
        title: 'Save the report',
        defaultPath: name,
        filters: [{ name: extension.toUpperCase(), extensions: [extension] }, ALL_FILES],
      };
      const owner = window();
      const { filePath } = await (owner === null
        ? dialog.showSaveDialog(options)
        : dialog.showSaveDialog(owner, options));
      // Empty when the dialog was left.
      if (filePath === '') return false;
      await writeFileAtomic(filePath, text);
      return true;
    },
  };
}
