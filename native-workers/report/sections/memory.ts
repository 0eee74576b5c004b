/** The most memory a process held that only loaded and ran the model, before and after. */
import { z } from 'zod';

export const memorySchema = z.strictObject({
  unit: z.literal('bytes'),
  before: z.number(),
  after: z.number(),
  /** after/before. */
  ratio: z.number(),
});
export type MemorySection = z.infer<typeof memorySchema>;
