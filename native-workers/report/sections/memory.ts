/** The most memory a process held that only loaded and ran the model, before and after. */
import { z } from 'zod';
import { absenceOf } from '../input.ts';
import { measured, notMeasured } from '../outcome.ts';
import { primaryPair } from '../pairs.ts';
import { defineSection } from '../section.ts';

export const memorySchema = z.strictObject({
  unit: z.literal('bytes'),
  before: z.number(),
  after: z.number(),
  /** after/before. */
  ratio: z.number(),
});
export type MemorySection = z.infer<typeof memorySchema>;

export const memory = defineSection(memorySchema, (input) => {
  if (input.facts.benchmark === null) return absenceOf('benchmark', input);
  const pair = primaryPair(input);
  const before = pair?.before.peakRss ?? null;
  const after = pair?.after.peakRss ?? null;
  if (before === null || after === null) return notMeasured('Peak memory was not taken for both models.');
  return measured({ unit: 'bytes', before, after, ratio: after / before });
});
