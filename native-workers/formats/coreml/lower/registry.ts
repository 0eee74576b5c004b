/** Every ONNX operator that can be said in MIL. A new one: a line in the table of its family. */
import type { Node } from '../../../graph/node.ts';
import { ACTIVATIONS } from './activations.ts';
import { ATTENTION } from './attention.ts';
import { BITS } from './bits.ts';
import { BLOCKS } from './blocks.ts';
import { CONVOLUTION } from './convolution.ts';
import { DEFORMABLE } from './deformable.ts';
import { DETECTION } from './detection.ts';
import { EINSUM } from './einsum.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { GATHER_SCATTER } from './gather-scatter.ts';
import { INTEGER_PRODUCTS } from './integer-products.ts';
import { INTEGERS } from './integers.ts';
import { LINEAR } from './linear.ts';
import { LOSSES } from './losses.ts';
import type { Lower } from './lowering.ts';
import { NORMALIZATION } from './normalization.ts';
import { PADDING } from './padding.ts';
import { POOLING } from './pooling.ts';
import { QUANTIZED } from './quantized.ts';
import { RECURRENT } from './recurrent.ts';
import { REDUCING } from './reductions.ts';
import { RESIZE } from './resize.ts';
import { SAMPLING } from './sampling.ts';
import { SEARCHING } from './searching.ts';
import { SHAPES } from './shapes.ts';
import { UNIQUE } from './unique.ts';

const LOWERINGS: ReadonlyMap<string, Lower> = new Map(
  [
    ELEMENTWISE,
    INTEGERS,
    BITS,
    ACTIVATIONS,
    CONVOLUTION,
    POOLING,
    NORMALIZATION,
    LINEAR,
    EINSUM,
    ATTENTION,
    RECURRENT,
    SHAPES,
    PADDING,
    GATHER_SCATTER,
    SEARCHING,
    DETECTION,
    UNIQUE,
    REDUCING,
    RESIZE,
    SAMPLING,
    DEFORMABLE,
    LOSSES,
    QUANTIZED,
    BLOCKS,
    INTEGER_PRODUCTS,
  ].flatMap((family) => Object.entries(family)),
);

/** null for an operator that is not converted. */
export function findLowering(node: Node): Lower | null {
  return LOWERINGS.get(node.domain === '' ? node.opType : `${node.domain}:${node.opType}`) ?? null;
}
