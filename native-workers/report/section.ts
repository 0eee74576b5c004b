/** What a section of the report is. Every file in `sections/` looks alike: schema, the builder, private parts. */
import type { z } from 'zod';
import type { ReportInput } from './input.ts';
import type { Outcome } from './parts.ts';

export interface Section<Schema extends z.ZodType = z.ZodType> {
  /** The heading. */
  readonly title: string;
  readonly schema: Schema;
  /** Pure: the same input gives the same section. */
  build(input: ReportInput): Outcome<z.infer<Schema>>;
}

export function defineSection<Schema extends z.ZodType>(
  title: string,
  schema: Schema,
  build: (input: ReportInput) => Outcome<z.infer<Schema>>,
): Section<Schema> {
  return { title, schema, build };
}
