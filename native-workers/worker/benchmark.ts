/** `hone bench`: any models, every setting asked for. */
import { basename } from 'node:path';
import { runBenchmark } from '../bench/benchmark.ts';
import { feedsFromData } from './benchmark-feeds.ts';
import type { Job } from './job.ts';
import { onnxPathOf } from './model-engine.ts';

export const benchmark: Job<'benchmark'> = async ({ models, options, data, preprocess, seed }, context) =>
  runBenchmark(
    {
      models: await Promise.all(
        models.map(async (name) => ({ name, path: await pathToRun(name), label: basename(name) })),
      ),
      options,
      seed,
      feedsFor: data === undefined ? null : feedsFromData(data, preprocess),
    },
    context,
  );

/** A model that cannot be opened keeps its path: its variant says why. */
function pathToRun(model: string): Promise<string> {
  return onnxPathOf(model).catch(() => model);
}
