import { expect, it } from 'vitest';
import { z } from 'zod';
import { schemaText } from '../../../native-workers/protocol/schema-text.ts';

it('names every field on one line', () => {
  const schema = z.strictObject({ steps: z.array(z.strictObject({ pass: z.string() })) });
  expect(schemaText(schema.safeParse({ steps: [{ pass: 1 }], more: 2 }).error ?? new z.ZodError([]))).toBe(
    'steps.0.pass: Invalid input: expected string, received number; Unrecognized key: "more"',
  );
});
