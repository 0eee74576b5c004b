/** What the engine made of the saved model: the kernels it chose, and those that were meant but did not come. */
import { z } from 'zod';
import { fusionFactsSchema } from '../../protocol/facts.ts';

export const fusionSchema = z.strictObject({
  expected: fusionFactsSchema.shape.expected,
  /** Kernels of the optimised graph, most frequent first; `domain:type`. */
  kernels: z.array(z.strictObject({ operator: z.string(), nodes: z.number() })),
  /** True when every kernel that was meant was found as often as it was meant. */
  complete: z.boolean(),
});
export type FusionSection = z.infer<typeof fusionSchema>;
