/** Every target that models are packaged for. A new one: its file here, its test, and its line. */
import { HoneError } from '../protocol/errors.ts';
import { coreml } from './coreml.ts';
import { ort } from './ort.ts';
import type { ArtifactTarget } from './target.ts';
import { tflite } from './tflite.ts';

export const TARGETS: readonly ArtifactTarget[] = [ort, tflite, coreml];

/** Throws `invalid-options`. */
export function findTarget(id: string): ArtifactTarget {
  const target = TARGETS.find((each) => each.id === id);
  if (target === undefined) {
    throw new HoneError(
      'invalid-options',
      `There is no target ${id}; the targets: ${TARGETS.map((each) => each.id).join(', ')}.`,
    );
  }
  return target;
}
