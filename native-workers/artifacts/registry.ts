/** The writers of all targets. A new target: its files here, its test, and its lines here and in `targets.ts`. */
import { coreml } from './coreml.ts';
import { ort } from './ort.ts';
import type { ArtifactTarget } from './target.ts';
import { findTargetFacts } from './targets.ts';
import { tflite } from './tflite.ts';

export const TARGETS: readonly ArtifactTarget[] = [ort, tflite, coreml];

/** Throws `invalid-options`. */
export function findTarget(id: string): ArtifactTarget {
  const { id: known } = findTargetFacts(id);
  const target = TARGETS.find((each) => each.id === known);
  if (target === undefined) throw new Error(`the target ${known} has no writer`);
  return target;
}
