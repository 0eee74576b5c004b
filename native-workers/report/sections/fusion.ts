/** What the engine made of the saved model: the kernels it chose, and those that were meant but did not come. */
import { z } from 'zod';
import { fusionFactsSchema } from '../../protocol/facts.ts';
import { absenceOf } from '../input.ts';
import { measured, notMeasured } from '../outcome.ts';
import { defineSection } from '../section.ts';

export const fusionSchema = z.strictObject({
  expected: fusionFactsSchema.shape.expected,
  /** Kernels of the optimised graph, most frequent first; `domain:type`. */
  kernels: z.array(z.strictObject({ operator: z.string(), nodes: z.number() })),
  /** True when every kernel that was meant was found as often as it was meant. */
  complete: z.boolean(),
});
export type FusionSection = z.infer<typeof fusionSchema>;

export const fusion = defineSection(fusionSchema, (input) => {
  const { optimize } = input.facts;
  if (optimize === null) return absenceOf('optimize', input);
  if (optimize.fusion === null) return notMeasured('The graph that the engine optimised was not read.');
  const { expected, operators } = optimize.fusion;
  return measured({
    expected,
    kernels: Object.entries(operators)
      .map(([operator, nodes]) => ({ operator, nodes }))
      .sort((a, b) => b.nodes - a.nodes || (a.operator < b.operator ? -1 : 1)),
    complete: expected.every((kernel) => kernel.found >= kernel.expected),
  });
});
