/** What a section of the report is. Every file in `sections/` looks alike: schema, the builder, private parts. */
import type { z } from 'zod';
import type { ReportInput } from './input.ts';
import type { Outcome } from './outcome.ts';

export interface Section<Schema extends z.ZodType = z.ZodType> {
  readonly schema: Schema;
  /** Pure: the same input gives the same section. */
  build(input: ReportInput): Outcome<z.infer<Schema>>;
}

export function defineSection<Schema extends z.ZodType>(
  schema: Schema,
  build: (input: ReportInput) => Outcome<z.infer<Schema>>,
): Section<Schema> {
  return { schema, build };
}
