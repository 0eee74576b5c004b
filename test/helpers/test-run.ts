/** Workspaces in folders of their own, with test workers, and runs to start in them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Workspace, type WorkspaceOptions } from '../../native-workers/host/workspace.ts';
import type { Manifest, StageName } from '../../native-workers/protocol/facts.ts';
import type { RunRequest } from '../../native-workers/protocol/request.ts';
import { temporaryFolder } from './temp.ts';
import { testWorker } from './worker-path.ts';

export interface TestRun {
  readonly workspace: Workspace;
  readonly request: RunRequest;
  /** Tells the test worker what to do in a stage; see `worker-entry.ts`. */
  order(orders: Partial<Record<StageName, string>>): void;
}

export function testWorkspace(library: string, options: Omit<WorkspaceOptions, 'library'> = {}): Workspace {
  const workspace = new Workspace({
    library,
    supervisor: { worker: testWorker('worker-entry.ts'), times: { grace: 200 }, ...options.supervisor },
  });
  onTestFinished(() => workspace.close());
  return workspace;
}

/** A model that only the test worker understands, and a workspace to run it in. */
export function testRun(changes: Partial<RunRequest> = {}): TestRun {
  const folder = temporaryFolder();
  const model = join(folder, 'Tiny Model.onnx');
  writeFileSync(model, 'weights');
  return {
    workspace: testWorkspace(join(folder, 'library')),
    request: {
      model,
      recipe: { schema: 1, name: 'test', title: 'Test', steps: [] },
      seed: 1,
      benchmark: {},
      budgets: {},
      ...changes,
    },
    order: (orders) => writeFileSync(join(folder, 'orders.json'), JSON.stringify(orders)),
  };
}

/** `inspect done, optimize failed, …`, for short expectations. */
export function stagesOf(manifest: Manifest): string {
  return manifest.stages.map((row) => `${row.name} ${row.status}`).join(', ');
}
