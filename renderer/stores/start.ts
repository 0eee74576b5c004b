/** Wires the stores to the host: what is read at the start and again after a loss, and where each event goes. */
import type { StudioClient } from '../bridge/studio-client.ts';
import { SHELL } from '../text/shell.ts';
import { takeGrants } from './intake.ts';
import { loadLibrary } from './library.ts';
import { startNavigation } from './navigation.ts';
import { notify } from './notices.ts';
import { startPreferences } from './preferences.ts';
import { forgetReport } from './reports.ts';
import { applyRunEvent, loadRun, refreshRuns, useRuns } from './runs.ts';
import { retrySession, startSession, useSession } from './session.ts';

export function startStudio(client: StudioClient): void {
  startPreferences();
  startNavigation();
  client.onEvent((event) => {
    if (event.type === 'open-file') {
      void takeGrants([event.grant]);
      return;
    }
    const known = event.type === 'run' ? useRuns.getState().runs[event.manifest.id]?.manifest?.status : undefined;
    useRuns.setState(({ runs }) => ({ runs: applyRunEvent(runs, event, Date.now()) }));
    if (event.type === 'run' && known !== event.manifest.status) {
      if (event.manifest.status === 'running') forgetReport(event.manifest.id);
      // The file has more than the events told: how each stage ended.
      else void loadRun(event.manifest.id);
      void loadLibrary();
    }
  });
  useSession.subscribe((session, before) => {
    if (session.status === 'ready' && before.status === 'lost') notify(SHELL.reconnected);
  });
  startSession(client, onReady);
}

export function retryStudio(): void {
  retrySession(onReady);
}

function onReady(): void {
  void loadLibrary();
  void refreshRuns();
}
