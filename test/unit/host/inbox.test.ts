import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { cleanInbox, inboxFolder } from '../../../native-workers/host/inbox.ts';
import { temporaryFolder } from '../../helpers/temp.ts';
import { testWorkspace } from '../../helpers/test-run.ts';

const DAYS = 24 * 3600 * 1000;

it('removes old drops that no run works with', async () => {
  const workspace = testWorkspace(join(temporaryFolder(), 'library'));
  const inbox = inboxFolder(workspace);
  const drop = (name: string, days: number): string => {
    mkdirSync(join(inbox, name), { recursive: true });
    const path = join(inbox, name, 'Tiny Model.onnx');
    writeFileSync(path, 'weights');
    const time = (Date.now() - days * DAYS) / 1000;
    utimesSync(join(inbox, name), time, time);
    return path;
  };
  await cleanInbox(workspace);
  const model = drop('used', 30);
  const data = drop('used-as-data', 30);
  drop('use', 30);
  drop('fresh', 1);
  const recipe = { schema: 1 as const, name: 'test', steps: [] };
  const request = { model, evaluation: data, recipe, seed: 1, benchmark: {}, budgets: {} };
  await (await workspace.startRun(request)).done;
  await cleanInbox(workspace);
  expect(['used', 'used-as-data', 'use', 'fresh'].filter((name) => existsSync(join(inbox, name)))).toEqual([
    'used',
    'used-as-data',
    'fresh',
  ]);
});
