/**
 * Convolutions: CONV_2D, DEPTHWISE_CONV_2D and CONV_3D, with channels last. Filters are permuted as they are
 * written. Padding that is not exactly TensorFlow's SAME is a PAD before. There is always a bias: without one, XNNPACK does not
 * take the operator.
 */
import type { Node } from '../../../graph/node.ts';
import type { Options, TflTensor } from '../ir.ts';
import { biasTensor, type Weights, weightsOf } from '../weights.ts';
import type { Lowering } from './lowering.ts';
import type { Lower } from './registry.ts';
import { Refusal } from './terms.ts';
import {
  asTwoDimensional,
  fromImage,
  isSame,
  isUnpadded,
  PADDING,
  padSpace,
  toImage,
  type Window,
  windowOf,
} from './window.ts';

export const CONVOLUTION_LOWERINGS: Readonly<Record<string, Lower>> = { Conv: conv };

function conv(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const weights = weightsOf(node, 1, lowering);
  const rank = x.shape.length;
  if (rank < 3 || rank > 5) throw new Refusal(`a convolution over ${rank - 2} dimensions`);
  const window = windowOf(node, x.shape, weights.shape.slice(2));
  const channels = x.shape[1] ?? 1;
  const groups = node.int('group', 1);
  const outputs = weights.shape[0] ?? 1;
  const bias = biasTensor(lowering.optional(node, 2), outputs, x, weights, lowering);
  if (rank === 5) {
    conv3d(node, lowering, x, weights, bias, window, groups);
    return;
  }
  const flat = asTwoDimensional(window);
  const isDepthwise = groups === channels && groups > 1 && (weights.shape[1] ?? 1) === 1;
  const convolve = isDepthwise ? depthwise : dense;
  const four = rank === 3 ? weights.reshaped(insertHeight(weights.shape)) : weights;
  const image = convolve(lowering, toImage(lowering, x), four, bias, flat, lowering.resultType(node));
  lowering.result(node, fromImage(lowering, image, rank));
}

type Output = Omit<ReturnType<Lowering['resultType']>, 'shape'>;

/** `weights`: [O, I/groups, h, w] of ONNX, stored as [O, h, w, I/groups]. */
function dense(
  lowering: Lowering,
  image: TflTensor,
  weights: Weights,
  bias: TflTensor,
  window: Window,
  output: Output,
): TflTensor {
  const { input, padding } = padded(lowering, image, window);
  const shape = [image.shape[0] ?? 1, ...window.output, weights.shape[0] ?? 1];
  const inputs = [input, weights.permuted([0, 2, 3, 1]), bias];
  return lowering.emit('CONV_2D', inputs, { ...output, shape }, { ...strideOptions(window), padding });
}

/** `weights`: [C * multiplier, 1, h, w] of ONNX, stored as [1, h, w, C * multiplier]. */
export function depthwise(
  lowering: Lowering,
  image: TflTensor,
  weights: Weights,
  bias: TflTensor,
  window: Window,
  output: Output,
): TflTensor {
  const { input, padding } = padded(lowering, image, window);
  const outputs = weights.shape[0] ?? 1;
  const shape = [image.shape[0] ?? 1, ...window.output, outputs];
  const options = { ...strideOptions(window), padding, depth_multiplier: outputs / (image.shape[3] ?? 1) };
  return lowering.emit(
    'DEPTHWISE_CONV_2D',
    [input, weights.permuted([1, 2, 3, 0]), bias],
    { ...output, shape },
    options,
  );
}

/** Adds a PAD unless TensorFlow's own padding does the same. */
function padded(lowering: Lowering, x: TflTensor, window: Window): { input: TflTensor; padding: number } {
  if (isUnpadded(window)) return { input: x, padding: PADDING.VALID };
  if (isSame(window)) return { input: x, padding: PADDING.SAME };
  return { input: padSpace(lowering, x, window.starts, window.ends), padding: PADDING.VALID };
}

function strideOptions({ strides, dilations }: Window): Options {
  return {
    stride_h: strides[0] ?? 1,
    stride_w: strides[1] ?? 1,
    dilation_h_factor: dilations[0] ?? 1,
    dilation_w_factor: dilations[1] ?? 1,
    fused_activation_function: 0,
  };
}

export function insertHeight([outputs = 1, inputs = 1, width = 1]: readonly number[]): number[] {
  return [outputs, inputs, 1, width];
}

function conv3d(
  node: Node,
  lowering: Lowering,
  x: TflTensor,
  weights: Weights,
  bias: TflTensor,
  window: Window,
  groups: number,
): void {
  if (x.dtype !== 'float32') throw new Refusal('CONV_3D computes in float only');
  const { input, padding } = padded(lowering, toImage(lowering, x), window);
  const { strides, dilations } = window;
  const [outputs = 1, perGroup = 1, ...kernel] = weights.shape;
  const each = outputs / groups;
  const shape = [x.shape[0] ?? 1, ...window.output, each];
  // CONV_3D has no groups.
  const parts = Array.from({ length: groups }, (_, group) => {
    const own = lowering.slice(weights.tensor, [group * each, 0, 0, 0, 0], [each, perGroup, ...kernel]);
    const filter = lowering.transpose(own, [2, 3, 4, 1, 0]);
    const part = lowering.slice(input, [0, 0, 0, 0, group * perGroup], [...input.shape.slice(0, 4), perGroup]);
    const inputs = [part, filter, lowering.slice(bias, [group * each], [each])];
    return lowering.emit('CONV_3D', inputs, { shape, dtype: x.dtype }, spaceOptions(padding, strides, dilations));
  });
  lowering.result(node, fromImage(lowering, lowering.concat(parts, 4), 5));
}

export function spaceOptions(padding: number, strides: readonly number[], dilations: readonly number[]): Options {
  return {
    padding,
    stride_d: strides[0] ?? 1,
    stride_h: strides[1] ?? 1,
    stride_w: strides[2] ?? 1,
    dilation_d_factor: dilations[0] ?? 1,
    dilation_h_factor: dilations[1] ?? 1,
    dilation_w_factor: dilations[2] ?? 1,
    fused_activation_function: 0,
  };
}
