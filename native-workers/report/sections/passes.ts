/** What each pass of the recipe did: changed, unchanged, skipped or failed, with its counts, notes and reasons. */
import { z } from 'zod';
import { passRowSchema } from '../../protocol/facts.ts';
import { absenceOf } from '../input.ts';
import { measured } from '../outcome.ts';
import { defineSection } from '../section.ts';

export const passesSchema = z.strictObject({
  rows: z.array(passRowSchema.omit({ details: true })),
  totals: z.strictObject({ changed: z.number(), unchanged: z.number(), skipped: z.number(), failed: z.number() }),
  /** True when a pass that changed something may change the numbers that the model computes. */
  lossy: z.boolean(),
});
export type PassesSection = z.infer<typeof passesSchema>;

export const passes = defineSection(passesSchema, (input) => {
  const { optimize } = input.facts;
  if (optimize === null) return absenceOf('optimize', input);
  const rows = optimize.passes.map(({ details: _details, ...row }) => row);
  const count = (status: (typeof rows)[number]['status']): number => rows.filter((row) => row.status === status).length;
  return measured({
    rows,
    totals: {
      changed: count('changed'),
      unchanged: count('unchanged'),
      skipped: count('skipped'),
      failed: count('failed'),
    },
    lossy: rows.some((row) => row.lossy && row.status === 'changed'),
  });
});
