/** Options of a pass as a recipe gives them: checked by the pass's schema, and filled up with its defaults. */
import { HoneError } from '../protocol/errors.ts';
import type { Pass } from './pass.ts';

/** The complete options. Throws `invalid-options`, naming the pass, the option, and what is wrong with it. */
export function completeOptions<Options extends object>(
  pass: Pick<Pass<Options>, 'id' | 'defaults' | 'schema'>,
  given: Readonly<Record<string, unknown>> = {},
): Options {
  const checked = pass.schema.safeParse({ ...pass.defaults, ...given });
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const keys = issue?.code === 'unrecognized_keys' ? issue.keys : (issue?.path ?? []);
  const known = Object.keys(pass.defaults).join(', ') || 'none';
  throw new HoneError(
    'invalid-options',
    `${pass.id}.${keys.join('.')}: ${issue?.message ?? 'not valid'}. The options of ${pass.id}: ${known}.`,
  );
}
