/** The benchmark stage of a run: the source model against the optimised one, under every setting asked for. */
import { basename, isAbsolute, join } from 'node:path';
import { runBenchmark } from '../bench/benchmark.ts';
import type { ModelToRun } from '../bench/plan.ts';
import { writeFileAtomic } from '../lib/atomic-file.ts';
import { HoneError } from '../protocol/errors.ts';
import type { ModelFile } from '../protocol/facts.ts';
import { readManifest, readStageFacts } from '../report/facts-files.ts';
import { feedsFromReadable } from './benchmark-feeds.ts';
import type { Job } from './job.ts';
import { onnxPathOf } from './model-engine.ts';

export const stageBenchmark: Job<'stage-benchmark'> = async ({ run, file, request }, context) => {
  const manifest = await readManifest(run);
  const { optimize } = await readStageFacts(run, manifest);
  if (optimize === null)
    return { models: [], skipped: 'There is no optimised model: the optimize stage did not finish.' };
  if (optimize.model === null)
    return { models: [], skipped: 'No pass changed the model, so there is nothing to compare.' };
  const { evaluation, calibration, preprocess } = request;
  const source = await onnxPathOf(manifest.source.path);
  const facts = await runBenchmark(
    {
      models: [{ name: 'source', path: source, label: 'original' }, modelToRun(run, optimize.model)],
      options: request.benchmark,
      seed: request.seed,
      feedsFor: await feedsFromReadable([evaluation, calibration], source, preprocess, (level, message) =>
        context.log(level, message),
      ),
    },
    context,
  );
  // Rows that are all errors measure nothing; a run that kept them would look as if it were done.
  const failure = facts.variants.every(({ error }) => error !== undefined) ? facts.variants[0]?.error : undefined;
  if (failure !== undefined) throw HoneError.fromData(failure);
  await writeFileAtomic(join(run, basename(file)), JSON.stringify(facts));
  return { models: [] };
};

function modelToRun(run: string, { id, path, label }: ModelFile): ModelToRun {
  return { name: id, path: isAbsolute(path) ? path : join(run, path), label };
}
