/** The task's metrics on labelled data with their intervals and paired tests, and the samples whose answer changed. */
import { z } from 'zod';
import { evaluateFactsSchema, metricFactsSchema } from '../../protocol/facts.ts';

export const accuracySchema = z.strictObject({
  task: evaluateFactsSchema.shape.task,
  dataset: evaluateFactsSchema.shape.dataset,
  metrics: z.array(
    metricFactsSchema.extend({
      /** What the 95 % interval of the paired difference allows to say; `same`: it is exactly zero on both ends. */
      judgement: z.enum(['better', 'worse', 'inconclusive', 'same']),
    }),
  ),
  flips: z.strictObject({
    /** Samples with an answer of both models. */
    compared: z.number(),
    /** Wrong now, right before; right now, wrong before; changed otherwise. */
    broken: z.number(),
    fixed: z.number(),
    changed: z.number(),
    /** The broken first; at most 200. Answers as class names where they are known. */
    rows: z.array(
      z.strictObject({
        sample: z.string(),
        kind: z.enum(['broken', 'fixed', 'changed']),
        label: z.string().nullable(),
        before: z.string(),
        after: z.string(),
      }),
    ),
  }),
  /** Samples that could not be read. */
  skipped: z.array(z.strictObject({ sample: z.string(), reason: z.string() })),
});
export type AccuracySection = z.infer<typeof accuracySchema>;
