/** Pieces that all sections of a report share: how a result that is not there is said, and the statistics of a benchmark. */
import { z } from 'zod';
import { errorDataSchema } from '../protocol/errors.ts';

/** The schema of an `Outcome`. */
export function outcomeSchema<Data extends z.ZodType>(data: Data) {
  return z.discriminatedUnion('status', [
    z.strictObject({ status: z.literal('measured'), data }),
    z.strictObject({ status: z.literal('not-measured'), reason: z.string() }),
    z.strictObject({ status: z.literal('not-applicable'), reason: z.string() }),
    z.strictObject({ status: z.literal('failed'), error: errorDataSchema }),
  ]);
}

/** Units of the numbers in a report. `ratio` is after/before; `share` is 0..1; `points` are a difference of shares (0.01 is one). */
export const unitSchema = z.enum(['ms', 'bytes', 'ratio', 'share', 'points', 'dB', 'count', 'runs/s', '1']);
export type Unit = z.infer<typeof unitSchema>;

/** Statistics of run times: milliseconds, but `count` and `warmup` (runs) and `throughput` (runs a second). */
export const statsSchema = z.strictObject({
  mean: z.number(),
  std: z.number(),
  min: z.number(),
  p50: z.number(),
  p90: z.number(),
  p95: z.number(),
  p99: z.number(),
  max: z.number(),
  count: z.number(),
  warmup: z.number(),
  throughput: z.number(),
});

/** The ratio after/before of run times with its interval, and what may be said of it. */
export const verdictSchema = z.strictObject({
  value: z.number(),
  low: z.number(),
  high: z.number(),
  confidence: z.number(),
  verdict: z.enum(['faster', 'slower', 'inconclusive']),
  /** About how many more runs of each variant would settle an inconclusive one. */
  moreRuns: z.number().optional(),
});
