/** The artifacts for devices: what was made, what it needs, and how each did on its own runtime. */
import { z } from 'zod';
import { artifactSchema, packageFactsSchema } from '../../protocol/package-facts.ts';
import { absenceOf } from '../input.ts';
import { measured } from '../outcome.ts';
import { defineSection } from '../section.ts';

export const packagesSchema = z.strictObject({
  unit: z.literal('bytes'),
  artifacts: z.array(artifactSchema),
  /** Size against the budget of each device profile. */
  sizes: packageFactsSchema.shape.sizes,
});
export type PackagesSection = z.infer<typeof packagesSchema>;

export const packages = defineSection(packagesSchema, (input) => {
  const facts = input.facts.package;
  if (facts === null) return absenceOf('package', input);
  return measured({ unit: 'bytes', artifacts: facts.artifacts, sizes: facts.sizes });
});
