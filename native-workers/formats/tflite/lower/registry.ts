/** Every operator that has a lowering, by name; operators of other domains as `domain:name`. A new family: its file and its line. */
import type { Node } from '../../../graph/node.ts';
import { ACTIVATION_LOWERINGS } from './activation.ts';
import { ALGEBRA_LOWERINGS } from './algebra.ts';
import { ATTENTION_LOWERINGS } from './attention.ts';
import { AVERAGE_POOLING_LOWERINGS } from './average-pooling.ts';
import { BITWISE_LOWERINGS } from './bitwise.ts';
import { CONSTANT_LOWERINGS } from './constants.ts';
import { CONTROL_FLOW_LOWERINGS } from './control-flow.ts';
import { CONVOLUTION_LOWERINGS } from './convolution.ts';
import { DETECTION_LOWERINGS } from './detection.ts';
import { EINSUM_LOWERINGS } from './einsum.ts';
import { ELEMENTWISE_LOWERINGS } from './elementwise.ts';
import { FOUR_BIT_LOWERINGS } from './four-bit.ts';
import { INDEXING_LOWERINGS } from './indexing.ts';
import { LOSS_LOWERINGS } from './losses.ts';
import type { Lowering } from './lowering.ts';
import { MATMUL_LOWERINGS } from './matmul.ts';
import { MAX_POOLING_LOWERINGS } from './max-pooling.ts';
import { NORMALIZATION_LOWERINGS } from './normalization.ts';
import { PADDING_LOWERINGS } from './padding.ts';
import { PATCH_LOWERINGS } from './patches.ts';
import { QUANTIZE_LOWERINGS } from './quantize.ts';
import { RECURRENT_LOWERINGS } from './recurrent.ts';
import { REDUCTION_LOWERINGS } from './reduction.ts';
import { RESIZE_LOWERINGS } from './resize.ts';
import { SAMPLING_LOWERINGS } from './sampling.ts';
import { SCATTER_LOWERINGS } from './scatter.ts';
import { SHAPE_LOWERINGS } from './shape.ts';
import { TRANSPOSED_CONVOLUTION_LOWERINGS } from './transposed-convolution.ts';

/** Adds the operators that compute a node's outputs. Throws `Refusal` for what TFLite cannot express. */
export type Lower = (node: Node, lowering: Lowering) => void;

const LOWERINGS: ReadonlyMap<string, Lower> = new Map(
  Object.entries({
    ...ACTIVATION_LOWERINGS,
    ...PATCH_LOWERINGS,
    ...DETECTION_LOWERINGS,
    ...ALGEBRA_LOWERINGS,
    ...ATTENTION_LOWERINGS,
    ...AVERAGE_POOLING_LOWERINGS,
    ...BITWISE_LOWERINGS,
    ...CONSTANT_LOWERINGS,
    ...CONTROL_FLOW_LOWERINGS,
    ...CONVOLUTION_LOWERINGS,
    ...EINSUM_LOWERINGS,
    ...ELEMENTWISE_LOWERINGS,
    ...FOUR_BIT_LOWERINGS,
    ...INDEXING_LOWERINGS,
    ...LOSS_LOWERINGS,
    ...MATMUL_LOWERINGS,
    ...PADDING_LOWERINGS,
    ...MAX_POOLING_LOWERINGS,
    ...NORMALIZATION_LOWERINGS,
    ...QUANTIZE_LOWERINGS,
    ...RECURRENT_LOWERINGS,
    ...REDUCTION_LOWERINGS,
    ...RESIZE_LOWERINGS,
    ...SAMPLING_LOWERINGS,
    ...SCATTER_LOWERINGS,
    ...SHAPE_LOWERINGS,
    ...TRANSPOSED_CONVOLUTION_LOWERINGS,
  }),
);

export function findLowering(node: Node): Lower | null {
  return LOWERINGS.get(node.domain === '' ? node.opType : `${node.domain}:${node.opType}`) ?? null;
}
