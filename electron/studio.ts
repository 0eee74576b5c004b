/** The studio in its window: the workspace, what connects the page to it, and what the system asks of it. */
import { app, type BrowserWindow, dialog, ipcMain, session } from 'electron';
import { builtFolder } from '../native-workers/host/built.ts';
import { ensureWritable } from '../native-workers/host/run-store.ts';
import { Studio } from '../native-workers/host/studio.ts';
import { Workspace } from '../native-workers/host/workspace.ts';
import { ERROR_TEXT } from '../native-workers/protocol/error-text.ts';
import { exitCodeOf, toHoneError } from '../native-workers/protocol/errors.ts';
import { serveStudio } from './app-protocol.ts';
import { filePorts } from './files.ts';
import { answerCalls, sendEvents } from './ipc.ts';
import { setMenu } from './menu.ts';
import type { OpenFiles } from './open-files.ts';
import { quitInOrder } from './quit.ts';
import type { AppParts } from './resources.ts';
import { restrictSession } from './security.ts';
import { openWindow, showWindow } from './window.ts';

/** Call it when the app is ready. Throws `studio-not-built`, or `no-permission` and `disk-full` for the library. */
export async function startStudio({ worker, reportView }: AppParts, files: OpenFiles): Promise<void> {
  const developer = !app.isPackaged;
  let window: BrowserWindow | null = null;
  const ports = filePorts(() => window);
  const workspace = new Workspace({ supervisor: { worker } });
  const studio = new Studio(workspace, { host: 'electron', ...ports }, reportView);
  const openFile = (path: string): void => {
    studio.openFile(path).catch(showError);
  };

  function open(): void {
    if (window !== null) {
      showWindow(window);
      return;
    }
    window = openWindow();
    sendEvents(studio, window.webContents);
    window.once('closed', () => {
      window = null;
      files.pageGone();
    });
  }

  await ensureWritable(workspace.folder);
  restrictSession(session.defaultSession, developer);
  await serveStudio(session.defaultSession.protocol, builtFolder('renderer'));
  answerCalls(ipcMain, studio, () => files.pageReady(openFile));
  quitInOrder(app, workspace, open);
  setMenu(
    {
      open: (kind) => {
        open();
        ports.pick(kind).then((paths) => files.add(paths), showError);
      },
    },
    { platform: process.platform, developer },
  );
  app.on('second-instance', open);
  app.on('activate', open);
  app.on('open-file', open);
  open();
}

/** Before there is a page, all that can be done is to say why, and to leave with the exit code of the command line. */
export function failToStart(thrown: unknown): void {
  showError(thrown);
  app.exit(exitCodeOf(toHoneError(thrown).code));
}

function showError(thrown: unknown): void {
  const { code, message } = toHoneError(thrown);
  const { title, next } = ERROR_TEXT[code];
  dialog.showErrorBox(title, `${message}\n\n${next}`);
}
