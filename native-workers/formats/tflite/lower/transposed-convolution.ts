/**
 * Transposed convolutions: TRANSPOSE_CONV, and CONV_3D_TRANSPOSE over three dimensions. Without padding they give
 * (in - 1) * stride + kernel; ONNX's pads crop that, and its output padding adds to the end. Dilated filters are written out with
 * zeros between, groups become one convolution each.
 */
import { lateTensor, permutedTensor } from '../../../graph/late-tensor.ts';
import type { Node } from '../../../graph/node.ts';
import type { Tensor } from '../../../graph/tensor.ts';
import type { TflTensor } from '../ir.ts';
import { biasTensor, type Weights, weightsOf } from '../weights.ts';
import { insertHeight, spaceOptions } from './convolution.ts';
import type { Lowering } from './lowering.ts';
import type { Lower } from './registry.ts';
import { Refusal } from './terms.ts';
import { fromImage, PADDING, padSpace, toImage } from './window.ts';

export const TRANSPOSED_CONVOLUTION_LOWERINGS: Readonly<Record<string, Lower>> = { ConvTranspose: convTranspose };

function convTranspose(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const weights = weightsOf(node, 1, lowering);
  const rank = x.shape.length;
  if (rank < 3 || rank > 5) throw new Refusal(`a transposed convolution over ${rank - 2} dimensions`);
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
  // A single dimension is the width of an image of height 1.
  const wide = (values: readonly number[], height: number): number[] =>
    spatial === 1 ? [height, ...values] : [...values];
  const image = toImage(lowering, x);
  const result = lowering.resultType(node);
  const bias = biasTensor(lowering.optional(node, 2), perGroup * groups, x, weights, lowering);
  const shape = [x.shape[0] ?? 1, ...wide(full, 1), perGroup];
  const each = inputs / groups;
  const parts = Array.from({ length: groups }, (_, group) => {
    const begin = [...image.shape.slice(0, -1).map(() => 0), group * each];
    const part = groups === 1 ? image : lowering.slice(image, begin, [...image.shape.slice(0, -1), each]);
    const filter = transposedFilter(lowering, weights, group, groups, dilations, rank);
    const operands = [lowering.int32(shape), filter, part, ...(groups === 1 ? [bias] : [])];
    if (spatial === 3)
      return lowering.emit(
        'CONV_3D_TRANSPOSE',
        operands,
        { ...result, shape },
        spaceOptions(PADDING.VALID, strides, ones),
      );
    const [strideH = 1, strideW = 1] = wide(strides, 1);
    return lowering.emit(
      'TRANSPOSE_CONV',
      operands,
      { ...result, shape },
      { padding: PADDING.VALID, stride_h: strideH, stride_w: strideW, fused_activation_function: 0 },
    );
  });
  const joined = lowering.concat(parts, shape.length - 1);
  const y = groups > 1 ? lowering.add(joined, bias) : joined;
  lowering.result(node, fromImage(lowering, fitted(lowering, y, wide(begins, 0), wide(outputShape, 1)), rank));
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
function fitted(lowering: Lowering, y: TflTensor, begins: readonly number[], sizes: readonly number[]): TflTensor {
  const ends = begins.map((start, axis) => Math.max((sizes[axis] ?? 1) + start - (y.shape[axis + 1] ?? 1), 0));
  const none = begins.map(() => 0);
  const grown = ends.some((end) => end > 0) ? padSpace(lowering, y, none, ends) : y;
  return lowering.slice(grown, [0, ...begins, 0], [y.shape[0] ?? 1, ...sizes, y.shape.at(-1) ?? 1]);
}

/**
 * ONNX [I, O/g, h, w] of one group as [O/g, h, w, I/g], and [I, O/g, d, h, w] as [d, h, w, O/g, I/g], with zeros between the
 * taps of a dilated filter.
 */
function transposedFilter(
  lowering: Lowering,
  weights: Weights,
  group: number,
  groups: number,
  dilations: readonly number[],
  rank: number,
): TflTensor {
  const four = rank === 3 ? weights.reshaped(insertHeight(weights.shape)) : weights;
  const perm = rank === 5 ? [2, 3, 4, 1, 0] : [1, 2, 3, 0];
  const isDilated = dilations.some((each) => each > 1);
  if (groups === 1 && !isDilated) return four.permuted(perm);
  const { tensor } = four;
  if (rank < 5 && tensor.constant !== null && tensor.dtype === 'float32') {
    const [dilationH = 1, dilationW = 1] = rank === 3 ? [1, ...dilations] : dilations;
    const spread = dilatedSlice(tensor.constant, group, groups, dilationH, dilationW);
    return { ...tensor, name: `${tensor.name}_${group}`, shape: spread.shape, constant: spread };
  }
  const [inputs = 1, ...rest] = tensor.shape;
  const each = inputs / groups;
  const own = lowering.slice(tensor, [group * each, ...rest.map(() => 0)], [each, ...rest]);
  return lowering.transpose(spread(lowering, own, rank === 3 ? [1, ...dilations] : dilations), perm);
}

/** A computed filter with zeros between its taps, one dimension after another. */
function spread(lowering: Lowering, filter: TflTensor, dilations: readonly number[]): TflTensor {
  let y = filter;
  dilations.forEach((dilation, index) => {
    if (dilation === 1) return;
    const axis = index + 2;
    const taps = y.shape[axis] ?? 1;
    const [before, after] = [y.shape.slice(0, axis), y.shape.slice(axis + 1)];
    const flat = (shape: readonly number[]): number => shape.reduce((all, dim) => all * dim, 1);
    const apart = lowering.reshape(y, [flat(before), taps, 1, flat(after)]);
    const pads = lowering.constant('int32', [0, 0, 0, 0, 0, dilation - 1, 0, 0], [4, 2]);
    const shape = [flat(before), taps, dilation, flat(after)];
    const padded = lowering.emit('PAD', [apart, pads], { shape, dtype: y.dtype });
    const long = lowering.reshape(padded, [...before, taps * dilation, ...after]);
    const kept = [...before, (taps - 1) * dilation + 1, ...after];
    y = lowering.slice(
      long,
      kept.map(() => 0),
      kept,
    );
  });
  return y;
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
