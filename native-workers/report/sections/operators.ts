/** Where the time goes: milliseconds a run by operator type, before and after, from the engine's own profile. */
import { z } from 'zod';

const operatorSideSchema = z.strictObject({ nodes: z.number(), ms: z.number() });

export const operatorsSchema = z.strictObject({
  unit: z.literal('ms'),
  /** Largest time first. null: the operator does not occur on that side. */
  rows: z.array(
    z.strictObject({
      operator: z.string(),
      before: operatorSideSchema.nullable(),
      after: operatorSideSchema.nullable(),
      /** after - before, a missing side counting as 0 ms. */
      delta: z.number(),
    }),
  ),
  total: z.strictObject({ before: z.number(), after: z.number() }),
});
export type OperatorsSection = z.infer<typeof operatorsSchema>;
