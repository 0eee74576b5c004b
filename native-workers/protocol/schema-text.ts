/** What a schema found wrong with some data, as words for an error message. */
import type { z } from 'zod';

/** One line that names each field: `schema: Invalid input: expected 1; steps.0.pass: …`. */
export function schemaText(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => (path.length === 0 ? message : `${path.map(String).join('.')}: ${message}`))
    .join('; ');
}
