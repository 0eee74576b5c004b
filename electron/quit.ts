/** Quitting: asks while runs go on, ends their processes in order, and only then lets the app exit. */
import { type App, dialog } from 'electron';
import type { Workspace } from '../native-workers/host/workspace.ts';

/** `onStay`: the user keeps the app running, whose window may be closed already. */
export function quitInOrder(app: App, workspace: Pick<Workspace, 'activeRuns' | 'close'>, onStay: () => void): void {
  let state: 'running' | 'closing' | 'closed' = 'running';
  app.on('before-quit', (event) => {
    if (state === 'closed') return;
    event.preventDefault();
    if (state === 'closing') return;
    if (!mayQuit(workspace.activeRuns().length)) {
      onStay();
      return;
    }
    state = 'closing';
    const go = (): void => {
      state = 'closed';
      app.quit();
    };
    // What could not be ended in order ends with the app.
    workspace.close().then(go, go);
  });
}

const QUIT = 0;

function mayQuit(runs: number): boolean {
  if (runs === 0) return true;
  const answer = dialog.showMessageBoxSync({
    type: 'question',
    message: runs === 1 ? 'A run is still going on.' : `${runs} runs are still going on.`,
    detail: 'What they have finished is kept, and they can be resumed from the library.',
    buttons: ['Quit', 'Keep running'],
    defaultId: QUIT,
    cancelId: 1,
  });
  return answer === QUIT;
}
