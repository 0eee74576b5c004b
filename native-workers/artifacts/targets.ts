/** Every target with its options, for hosts and the command line: `registry.ts` adds the writers. */
import { HoneError } from '../protocol/errors.ts';
import { COREML } from './coreml-options.ts';
import { ORT } from './ort-options.ts';
import type { TargetFacts } from './target-facts.ts';
import { TFLITE } from './tflite-options.ts';

export const TARGET_FACTS: readonly TargetFacts[] = [ORT, TFLITE, COREML];

/** Throws `invalid-options`. */
export function findTargetFacts(id: string): TargetFacts {
  const target = TARGET_FACTS.find((each) => each.id === id);
  if (target === undefined) {
    throw new HoneError(
      'invalid-options',
      `There is no target ${id}; the targets: ${TARGET_FACTS.map((each) => each.id).join(', ')}.`,
    );
  }
  return target;
}

/** Throws `invalid-options` for a name that is no target or stands twice: before a run, not at its end. */
export function checkTargets(names: readonly string[]): readonly string[] {
  for (const [index, name] of names.entries()) {
    findTargetFacts(name);
    if (names.indexOf(name) !== index) throw new HoneError('invalid-options', `The target ${name} is listed twice.`);
  }
  return names;
}
