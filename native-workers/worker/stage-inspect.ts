/**
 * The inspect stage of a run: the facts of the source, and its hash together with the files its weights are in. The data is
 * looked at here too, so that a run on data that is broken ends before the stages that take long.
 */
import { basename, join } from 'node:path';
import { openModel } from '../formats/registry.ts';
import { externalFiles } from '../graph/inspect.ts';
import { writeFileAtomic } from '../lib/atomic-file.ts';
import { hashFiles } from '../lib/hash-file.ts';
import { checkData } from './check-data.ts';
import { inspectModel } from './inspect.ts';
import type { Job } from './job.ts';

export const stageInspect: Job<'stage-inspect'> = async ({ run, file, request }, context) => {
  await context.progress({ phase: 'reading the model', done: 0, total: 3 });
  const model = await openModel(request.model);
  await context.progress({ phase: 'looking at the graph', done: 1, total: 3 });
  const facts = await inspectModel(model);
  await checkData(model, request, context);
  await context.progress({ phase: 'hashing the model', done: 2, total: 3 });
  const { sha256, bytes } = await hashFiles([request.model, ...externalFiles(model).keys()]);
  await writeFileAtomic(join(run, basename(file)), `${JSON.stringify(facts, null, 1)}\n`);
  await context.progress({ phase: 'hashing the model', done: 3, total: 3 });
  return { models: [{ id: 'source', path: request.model, bytes, sha256, parent: null, label: 'Original' }] };
};
