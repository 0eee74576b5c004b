/** Every ONNX operator that can be said in MIL. A new one: a line in the table of its family. */
import type { Node } from '../../../graph/node.ts';
import { ACTIVATIONS } from './activations.ts';
import { CONVOLUTION } from './convolution.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { LINEAR } from './linear.ts';
import type { Lower } from './lowering.ts';
import { NORMALIZATION } from './normalization.ts';
import { QUANTIZED } from './quantized.ts';
import { REDUCING } from './reductions.ts';
import { RESIZE } from './resize.ts';
import { SHAPES } from './shapes.ts';

const LOWERINGS: ReadonlyMap<string, Lower> = new Map(
  [ELEMENTWISE, ACTIVATIONS, CONVOLUTION, NORMALIZATION, LINEAR, SHAPES, REDUCING, RESIZE, QUANTIZED].flatMap(
    (family) => Object.entries(family),
  ),
);

/** null for an operator that is not converted. */
export function findLowering(node: Node): Lower | null {
  return node.domain === '' ? (LOWERINGS.get(node.opType) ?? null) : null;
}
