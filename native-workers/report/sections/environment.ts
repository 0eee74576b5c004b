/** The machine and the versions that the numbers were taken on, and whether its speed drifted meanwhile. */
import { z } from 'zod';
import { environmentSchema } from '../../protocol/facts.ts';

export const environmentSectionSchema = z.strictObject({
  environment: environmentSchema,
  /** Of the machine index, after/before; null when it was not taken. */
  drift: z.number().nullable(),
});
export type EnvironmentSection = z.infer<typeof environmentSectionSchema>;
