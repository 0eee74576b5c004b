/** How long one run takes before and after, with the ratio and its interval, for every provider, thread count and batch. */
import { z } from 'zod';
import { errorDataSchema } from '../../protocol/errors.ts';
import { statsSchema, verdictSchema } from '../parts.ts';

const latencySideSchema = z.strictObject({
  /** Index into the variants of the benchmark facts, where the raw samples are. */
  variant: z.number(),
  label: z.string(),
  /** null when the variant failed or has no samples. */
  stats: statsSchema.nullable(),
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
