/** The time from nothing to the first answer, in fresh processes: reading the file, creating the session, the first run. */
import { z } from 'zod';

const spreadSchema = z.strictObject({ median: z.number(), min: z.number(), max: z.number() });

const coldStartSideSchema = z.strictObject({
  label: z.string(),
  /** How many fresh processes were timed. */
  processes: z.number(),
  load: spreadSchema,
  create: spreadSchema,
  firstRun: spreadSchema,
  total: spreadSchema,
});

export const coldStartSchema = z.strictObject({
  unit: z.literal('ms'),
  before: coldStartSideSchema,
  after: coldStartSideSchema,
  /** Of the median totals, after/before. */
  ratio: z.number(),
});
export type ColdStartSection = z.infer<typeof coldStartSchema>;
