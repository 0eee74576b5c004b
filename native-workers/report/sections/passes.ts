/** What each pass of the recipe did: changed, unchanged, skipped or failed, with its counts, notes and reasons. */
import { z } from 'zod';
import { passRowSchema } from '../../protocol/facts.ts';

export const passesSchema = z.strictObject({
  rows: z.array(passRowSchema.omit({ details: true })),
  totals: z.strictObject({ changed: z.number(), unchanged: z.number(), skipped: z.number(), failed: z.number() }),
  /** True when a pass that changed something may change the numbers that the model computes. */
  lossy: z.boolean(),
});
export type PassesSection = z.infer<typeof passesSchema>;
