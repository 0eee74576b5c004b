/** A recipe: the passes to apply, in order, with their options. Presets are recipes; a report's "reproduce" runs one. */
import { z } from 'zod';

export const recipeStepSchema = z.strictObject({
  pass: z.string().describe('Id of a pass, as `hone passes` lists it.'),
  options: z.record(z.string(), z.unknown()).optional().describe('Options that differ from the defaults of the pass.'),
});
export type RecipeStep = z.infer<typeof recipeStepSchema>;

export const recipeSchema = z.strictObject({
  schema: z.literal(1),
  name: z.string(),
  title: z.string().optional(),
  summary: z.string().optional(),
  steps: z.array(recipeStepSchema),
});
export type Recipe = z.infer<typeof recipeSchema>;
