/** `hone bench`: any models, every setting asked for. */
import { basename } from 'node:path';
import { runBenchmark } from '../bench/benchmark.ts';
import { feedsFromData } from './benchmark-feeds.ts';
import type { Job } from './job.ts';

export const benchmark: Job<'benchmark'> = ({ models, options, data, preprocess, seed }, context) =>
  runBenchmark(
    {
      models: models.map((path) => ({ name: path, path, label: basename(path) })),
      options,
      seed,
      feedsFor: data === undefined ? null : feedsFromData(data, preprocess),
    },
    context,
  );
