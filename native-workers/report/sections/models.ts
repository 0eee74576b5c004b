/** The model files of the run with their hashes, and which was made from which. */
import { z } from 'zod';
import { modelFileSchema } from '../../protocol/facts.ts';

export const modelsSchema = z.strictObject({
  unit: z.literal('bytes'),
  /** The source first, then what was made, parents before children. */
  files: z.array(modelFileSchema.extend({ depth: z.number() })).min(1),
});
export type ModelsSection = z.infer<typeof modelsSchema>;
