/**
 * Convolutions: CONV_2D, DEPTHWISE_CONV_2D, TRANSPOSE_CONV and CONV_3D, with channels last. Filters are permuted as they are
 * written. Padding that is not exactly TensorFlow's SAME is a PAD before. There is always a bias: without one, XNNPACK does not
 * take the operator.
 */

import { lateTensor, permutedTensor } from '../../../graph/late-tensor.ts';
import type { Node } from '../../../graph/node.ts';
import type { Tensor } from '../../../graph/tensor.ts';
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

export const CONVOLUTION_LOWERINGS: Readonly<Record<string, Lower>> = { Conv: conv, ConvTranspose: convTranspose };

function conv(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const weights = weightsOf(node, 1, lowering);
  const rank = x.shape.length;
  if (rank < 3 || rank > 5) throw new Refusal(`a convolution over ${rank - 2} dimensions`);
  const window = windowOf(node, x.shape, weights.shape.slice(2));
  const channels = x.shape[1] ?? 1;
  const groups = node.int('group', 1);
  const outputs = weights.shape[0] ?? 1;
  const bias = biasTensor(node, 2, outputs, x, weights, lowering);
  if (rank === 5) {
    conv3d(node, lowering, x, weights, bias, window, groups);
    return;
  }
  const flat = asTwoDimensional(window);
  const isDepthwise = groups === channels && groups > 1 && (weights.shape[1] ?? 1) === 1;
  const filter = isDepthwise ? depthwiseFilter(weights, rank) : denseFilter(weights, rank);
  const { input, padding } = padded(lowering, toImage(lowering, x), flat);
  const result = lowering.resultType(node);
  const output = {
    ...result,
    shape: [x.shape[0] ?? 1, ...flat.output, outputs],
  };
  const options = { ...strideOptions(flat), padding };
  const image = isDepthwise
    ? lowering.emit('DEPTHWISE_CONV_2D', [input, filter, bias], output, {
        ...options,
        depth_multiplier: outputs / channels,
      })
    : lowering.emit('CONV_2D', [input, filter, bias], output, options);
  lowering.result(node, fromImage(lowering, image, rank));
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

/** ONNX [O, I/g, h, w] as [O, h, w, I/g]. */
function denseFilter(weights: Weights, rank: number): TflTensor {
  const four = rank === 3 ? weights.reshaped(insertHeight(weights.shape)) : weights;
  return four.permuted([0, 2, 3, 1]);
}

/** ONNX [C*m, 1, h, w] as [1, h, w, C*m]. */
function depthwiseFilter(weights: Weights, rank: number): TflTensor {
  const four = rank === 3 ? weights.reshaped(insertHeight(weights.shape)) : weights;
  return four.permuted([1, 2, 3, 0]);
}

function insertHeight([outputs = 1, inputs = 1, width = 1]: readonly number[]): number[] {
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
  if (groups !== 1) throw new Refusal('CONV_3D has no groups');
  if (x.dtype !== 'float32') throw new Refusal('CONV_3D computes in float only');
  const { input, padding } = padded(lowering, toImage(lowering, x), window);
  const filter = weights.permuted([2, 3, 4, 1, 0]);
  const { strides, dilations } = window;
  const output = { shape: [x.shape[0] ?? 1, ...window.output, weights.shape[0] ?? 1], dtype: x.dtype };
  const y = lowering.emit('CONV_3D', [input, filter, bias], output, {
    padding,
    stride_d: strides[0] ?? 1,
    stride_h: strides[1] ?? 1,
    stride_w: strides[2] ?? 1,
    dilation_d_factor: dilations[0] ?? 1,
    dilation_h_factor: dilations[1] ?? 1,
    dilation_w_factor: dilations[2] ?? 1,
    fused_activation_function: 0,
  });
  lowering.result(node, fromImage(lowering, y, 5));
}

/**
 * TRANSPOSE_CONV without padding gives (in - 1) * stride + kernel; ONNX's pads crop that, and its output padding adds to the
 * end. Dilated filters are written out with zeros between, groups become one convolution each.
 */
function convTranspose(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const weights = weightsOf(node, 1, lowering);
  const rank = x.shape.length;
  if (rank !== 3 && rank !== 4) throw new Refusal(`a transposed convolution over ${rank - 2} dimensions`);
  const groups = node.int('group', 1);
  const [inputs = 1, perGroup = 1] = weights.shape;
  const spatial = rank - 2;
  const ones = new Array<number>(spatial).fill(1);
  const strides = node.ints('strides') ?? ones;
  const dilations = node.ints('dilations') ?? ones;
  const outputShape = lowering.shape(lowering.output(node)).slice(2);
  const size = x.shape.slice(2);
  const kernel = weights.shape.slice(2).map((each, axis) => (each - 1) * (dilations[axis] ?? 1) + 1);
  const full = size.map((each, axis) => (each - 1) * (strides[axis] ?? 1) + (kernel[axis] ?? 1));
  const begins = transposedBegins(node, full, outputShape);
  if (lowering.isQuantized && (groups > 1 || dilations.some((each) => each > 1)))
    throw new Refusal('a quantized transposed convolution with groups or dilation');
  const image = toImage(lowering, x);
  const two = (values: readonly number[]): number[] => (spatial === 1 ? [1, ...values] : [...values]);
  const outputs = perGroup * groups;
  const result = lowering.resultType(node);
  const bias = biasTensor(node, 2, outputs, x, weights, lowering);
  const parts = Array.from({ length: groups }, (_, group) => {
    const each = inputs / groups;
    const part =
      groups === 1 ? image : lowering.slice(image, [0, 0, 0, group * each], [...image.shape.slice(0, 3), each]);
    const filter = transposedFilter(weights, group, groups, dilations, rank);
    const [height = 1, width = 1] = two(full);
    const shape = [x.shape[0] ?? 1, height, width, perGroup];
    const [strideH = 1, strideW = 1] = spatial === 1 ? [1, ...strides] : strides;
    const partBias = groups === 1 ? bias : null;
    return lowering.emit(
      'TRANSPOSE_CONV',
      [lowering.int32(shape), filter, part, ...(partBias === null ? [] : [partBias])],
      { ...result, shape },
      { padding: PADDING.VALID, stride_h: strideH, stride_w: strideW, fused_activation_function: 0 },
    );
  });
  let y = lowering.concat(parts, 3);
  if (groups > 1) y = lowering.add(y, bias);
  y = fitted(lowering, y, two(begins).slice(-2), two(outputShape), spatial);
  lowering.result(node, fromImage(lowering, y, rank));
}

/** Where in the uncropped output ONNX's output begins. Source: the formulas in ONNX's ConvTranspose. */
function transposedBegins(node: Node, full: readonly number[], output: readonly number[]): number[] {
  const count = full.length;
  const auto = node.string('auto_pad', 'NOTSET');
  const extra = node.ints('output_padding') ?? new Array<number>(count).fill(0);
  if (auto === 'NOTSET' && node.ints('output_shape') === null)
    return (node.ints('pads') ?? new Array<number>(2 * count).fill(0)).slice(0, count);
  return full.map((size, axis) => {
    const total = Math.max(size + (extra[axis] ?? 0) - (output[axis] ?? 0), 0);
    return auto === 'SAME_UPPER' ? Math.floor(total / 2) : auto === 'VALID' ? 0 : total - Math.floor(total / 2);
  });
}

/** Crops or pads the uncropped output to what ONNX gives. */
function fitted(
  lowering: Lowering,
  y: TflTensor,
  begins: readonly number[],
  sizes: readonly number[],
  spatial: number,
): TflTensor {
  const starts = spatial === 1 ? [0, begins[1] ?? 0] : begins;
  const ends = starts.map((start, axis) => (sizes[axis] ?? 1) + start - (y.shape[axis + 1] ?? 1));
  const grown = ends.some((end) => end > 0)
    ? padSpace(
        lowering,
        y,
        [0, 0],
        ends.map((end) => Math.max(end, 0)),
      )
    : y;
  return lowering.slice(grown, [0, ...starts, 0], [y.shape[0] ?? 1, ...sizes, y.shape[3] ?? 1]);
}

/** ONNX [I, O/g, h, w] of one group as [O/g, h, w, I/g], with zeros between the taps of a dilated filter. */
function transposedFilter(
  weights: Weights,
  group: number,
  groups: number,
  dilations: readonly number[],
  rank: number,
): TflTensor {
  const four = rank === 3 ? weights.reshaped(insertHeight(weights.shape)) : weights;
  const plain = groups === 1 && dilations.every((each) => each === 1);
  if (plain) return four.permuted([1, 2, 3, 0]);
  const { tensor } = four;
  if (tensor.constant === null || tensor.dtype !== 'float32')
    throw new Refusal('a filter with groups or dilation that is no float constant');
  const [dilationH = 1, dilationW = 1] = rank === 3 ? [1, ...dilations] : dilations;
  const spread = dilatedSlice(tensor.constant, group, groups, dilationH, dilationW);
  return { ...tensor, name: `${tensor.name}_${group}`, shape: spread.shape, constant: spread };
}

function dilatedSlice(tensor: Tensor, group: number, groups: number, dilationH: number, dilationW: number): Tensor {
  const [inputs = 1, outputs = 1, height = 1, width = 1] = tensor.shape;
  const each = inputs / groups;
  const [tall, wide] = [(height - 1) * dilationH + 1, (width - 1) * dilationW + 1];
  const shape = [each, outputs, tall, wide];
  const count = each * outputs * tall * wide;
  const sliced = lateTensor('float32', shape, count * 4, () => {
    const bytes = Uint8Array.from(tensor.data.read());
    const source = new Float32Array(bytes.buffer);
    const result = new Float32Array(count);
    for (let plane = 0; plane < each * outputs; plane++) {
      const from = (group * each * outputs + plane) * height * width;
      for (let row = 0; row < height; row++) {
        for (let column = 0; column < width; column++) {
          result[(plane * tall + row * dilationH) * wide + column * dilationW] =
            source[from + row * width + column] ?? 0;
        }
      }
    }
    return new Uint8Array(result.buffer);
  });
  return permutedTensor(sliced, [1, 2, 3, 0]);
}
