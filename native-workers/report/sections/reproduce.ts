/** How to do the run again: the command, the files it names, and the whole request. */
import { z } from 'zod';
import { recipeSchema } from '../../protocol/recipe.ts';

export const reproduceSchema = z.strictObject({
  /** For a POSIX shell, in a folder with the files below. */
  command: z.string(),
  /** What the command names besides the model and data: `recipe.json`, `preprocess.json`. */
  files: z.array(z.strictObject({ name: z.string(), content: z.unknown() })),
  recipe: recipeSchema,
  seed: z.number(),
  request: z.record(z.string(), z.unknown()),
});
export type ReproduceSection = z.infer<typeof reproduceSchema>;
