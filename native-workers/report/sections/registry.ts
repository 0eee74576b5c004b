/** The sections of a report in their order. A new one is a file beside this, a line here, and a view in the renderer. */
import { z } from 'zod';
import type { ReportInput } from '../input.ts';
import type { Outcome } from '../outcome.ts';
import { outcomeSchema } from '../parts.ts';
import { accuracy } from './accuracy.ts';
import { coldStart } from './cold-start.ts';
import { environment } from './environment.ts';
import { fidelity } from './fidelity.ts';
import { fusion } from './fusion.ts';
import { latency } from './latency.ts';
import { memory } from './memory.ts';
import { models } from './models.ts';
import { operators } from './operators.ts';
import { packages } from './packages.ts';
import { passes } from './passes.ts';
import { quantization } from './quantization.ts';
import { reproduce } from './reproduce.ts';
import { saturation } from './saturation.ts';
import { size } from './size.ts';

export const SECTIONS = {
  latency,
  coldStart,
  memory,
  size,
  operators,
  fidelity,
  accuracy,
  passes,
  quantization,
  saturation,
  fusion,
  packages,
  models,
  environment,
  reproduce,
} as const;

export type SectionId = keyof typeof SECTIONS;
export type SectionData<Id extends SectionId> = z.infer<(typeof SECTIONS)[Id]['schema']>;
export type Sections = { [Id in SectionId]: Outcome<SectionData<Id>> };

const entries = Object.entries(SECTIONS);

/** The cast restores what `fromEntries` forgets: each key has the schema of its section. */
export const sectionsSchema = z.strictObject(
  Object.fromEntries(entries.map(([id, section]) => [id, outcomeSchema<z.ZodType>(section.schema)])),
) as unknown as z.ZodType<Sections>;

export function buildSections(input: ReportInput): Sections {
  return Object.fromEntries(entries.map(([id, section]) => [id, section.build(input)])) as unknown as Sections;
}
