/** How long one run takes before and after, with the ratio and its interval, for every provider, thread count and batch. */
import { z } from 'zod';
import { compareBlocks, noiseOf, statsOf } from '../../bench/statistics.ts';
import { errorDataSchema } from '../../protocol/errors.ts';
import { absenceOf } from '../input.ts';
import { failed, measured, notMeasured } from '../outcome.ts';
import { type BenchmarkVariant, pairsOf } from '../pairs.ts';
import { statsSchema, verdictSchema } from '../parts.ts';
import { defineSection } from '../section.ts';

const latencySideSchema = z.strictObject({
  /** Index into the variants of the benchmark facts, where the raw samples are. */
  variant: z.number(),
  label: z.string(),
  /** null when the variant failed or has no samples. */
  stats: statsSchema.nullable(),
  /** Median of the last third of the blocks over that of the first, and samples far out (kept); null without samples. */
  noise: z.strictObject({ drift: z.number(), outliers: z.number(), count: z.number() }).nullable(),
  error: errorDataSchema.optional(),
  /** Nodes by the provider that ran them, when profiled. */
  placement: z.record(z.string(), z.number()).optional(),
});

export const latencySchema = z.strictObject({
  unit: z.literal('ms'),
  /** The first pair is the one that the verdict speaks of. */
  pairs: z
    .array(
      z.strictObject({
        provider: z.string(),
        threads: z.number(),
        batch: z.number(),
        before: latencySideSchema,
        after: latencySideSchema,
        /** null when one side has no samples. */
        ratio: verdictSchema.nullable(),
      }),
    )
    .min(1),
});
export type LatencySection = z.infer<typeof latencySchema>;
export type LatencySide = LatencySection['pairs'][number]['before'];

export const latency = defineSection(latencySchema, (input) => {
  const { benchmark } = input.facts;
  if (benchmark === null) return absenceOf('benchmark', input);
  const pairs = pairsOf(benchmark, input).flatMap((pair) => {
    const [before, after] = [benchmark.variants[pair.before], benchmark.variants[pair.after]];
    if (before === undefined || after === undefined) return [];
    const comparable = before.blocks.some((block, index) => block.length > 0 && (after.blocks[index] ?? []).length > 0);
    return [
      {
        ...pair,
        before: sideOf(before, pair.before),
        after: sideOf(after, pair.after),
        ratio: comparable ? compareBlocks(before.blocks, after.blocks, benchmark.seed, before.epochs) : null,
      },
    ];
  });
  const first = pairs[0];
  if (first === undefined) return notMeasured('No two models were benchmarked under the same conditions.');
  const error = first.before.error ?? first.after.error;
  return first.ratio === null && error !== undefined ? failed(error) : measured({ unit: 'ms', pairs });
});

function sideOf(variant: BenchmarkVariant, index: number): LatencySide {
  const samples = variant.blocks.flat();
  return {
    variant: index,
    label: variant.label,
    stats: samples.length === 0 ? null : statsOf(samples, variant.warmup),
    noise: samples.length === 0 ? null : { ...noiseOf(variant.blocks) },
    ...(variant.error === undefined ? {} : { error: variant.error }),
    ...(variant.placement === undefined ? {} : { placement: variant.placement }),
  };
}
