/**
 * A host process for tests that kill it: starts a run of the model and library in its arguments with test workers, and prints
 * a line of JSON for each event of the run.
 */
import { Workspace } from '../../native-workers/host/workspace.ts';
import { testWorker } from './worker-path.ts';

const [library = '', model = ''] = process.argv.slice(2);
const workspace = new Workspace({ library, supervisor: { worker: testWorker('worker-entry.ts') } });
const run = await workspace.startRun({
  model,
  recipe: { schema: 1, name: 'test', steps: [] },
  seed: 1,
  benchmark: {},
  budgets: {},
});
process.stdout.write(`${JSON.stringify({ type: 'started', id: run.id, folder: run.folder })}\n`);
// Looking at the run must not let go of the lock on it.
await workspace.listRuns();
run.subscribe((event) => process.stdout.write(`${JSON.stringify(event)}\n`));
