/** Pieces that all sections of a report share: how a result that is not there is said, and the statistics of a benchmark. */
import { z } from 'zod';
import { type ErrorData, errorDataSchema } from '../protocol/errors.ts';

/**
 * A result, or why there is none. Not measured (nobody asked, or an earlier stage failed), not applicable (it has no
 * meaning for this model) and failed (it was tried) are different answers, and none of them is a zero.
 */
export function outcomeSchema<Data extends z.ZodType>(data: Data) {
  return z.discriminatedUnion('status', [
    z.strictObject({ status: z.literal('measured'), data }),
    z.strictObject({ status: z.literal('not-measured'), reason: z.string() }),
    z.strictObject({ status: z.literal('not-applicable'), reason: z.string() }),
    z.strictObject({ status: z.literal('failed'), error: errorDataSchema }),
  ]);
}

export type Outcome<Data> =
  | { status: 'measured'; data: Data }
  | { status: 'not-measured'; reason: string }
  | { status: 'not-applicable'; reason: string }
  | { status: 'failed'; error: ErrorData };

export const measured = <Data>(data: Data): Outcome<Data> => ({ status: 'measured', data });
export const notMeasured = (reason: string): Outcome<never> => ({ status: 'not-measured', reason });
export const notApplicable = (reason: string): Outcome<never> => ({ status: 'not-applicable', reason });
export const failed = (error: ErrorData): Outcome<never> => ({ status: 'failed', error });

/** The data of an outcome, or null where there is none. */
export function dataOf<Data>(outcome: Outcome<Data>): Data | null {
  return outcome.status === 'measured' ? outcome.data : null;
}

/** Units of the numbers in a report. `ratio` is after/before; `share` is 0..1; `runs/s` counts runs of the model. */
export const unitSchema = z.enum(['ms', 'bytes', 'ratio', 'share', 'dB', 'count', 'runs/s', '1']);
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
