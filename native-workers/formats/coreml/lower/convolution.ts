/** Convolutions. Padding is always written out: MIL's `same` puts the odd one elsewhere than ONNX. */
import type { Node } from '../../../graph/node.ts';
import type { MilDim } from '../program.ts';
import type { Lower, Lowering } from './lowering.ts';
import { Refusal, staticDims } from './terms.ts';
import { weightOf } from './weights.ts';

export interface Window {
  readonly kernel: readonly number[];
  readonly strides: number[];
  readonly dilations: number[];
  /** ONNX's order: all beginnings, then all ends. */
  readonly pads: number[];
}

export function windowOf(node: Node, spatial: readonly MilDim[], kernel: readonly number[]): Window {
  const ones = kernel.map(() => 1);
  const strides = node.ints('strides') ?? ones;
  const dilations = node.ints('dilations') ?? ones;
  const auto = node.string('auto_pad', 'NOTSET');
  let pads = node.ints('pads') ?? [...ones, ...ones].map(() => 0);
  if (auto === 'VALID') pads = pads.map(() => 0);
  if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
    const begins: number[] = [];
    const ends: number[] = [];
    kernel.forEach((size, index) => {
      const dim = spatial[index] ?? null;
      if (dim === null) throw new Refusal('auto_pad on a size that is not known cannot be written out');
      const stride = strides[index] ?? 1;
      const reach = (size - 1) * (dilations[index] ?? 1) + 1;
      const total = Math.max(0, (Math.ceil(dim / stride) - 1) * stride + reach - dim);
      const small = Math.floor(total / 2);
      begins.push(auto === 'SAME_UPPER' ? small : total - small);
      ends.push(auto === 'SAME_UPPER' ? total - small : small);
    });
    pads = [...begins, ...ends];
  }
  if (pads.some((pad) => pad < 0)) throw new Refusal('Core ML has no negative padding');
  return { kernel, strides, dilations, pads };
}

/** MIL's order: beginning and end of each dimension. */
export function interleaved(pads: readonly number[]): number[] {
  const rank = pads.length / 2;
  return Array.from({ length: rank }, (_, axis) => [pads[axis] ?? 0, pads[axis + rank] ?? 0]).flat();
}

function conv(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const weight = lowering.input(node, 1);
  const weightShape = lowering.shape(weight);
  const kernel = weightShape.slice(2).map((dim) => {
    if (dim === null) throw new Refusal('the size of the kernel is not known');
    return dim;
  });
  if (kernel.length > 3) throw new Refusal('Core ML convolves over at most 3 dimensions');
  const bias = node.inputs[2];
  if (bias && lowering.target < 17) lowering.fixedValue(bias, 'the bias');
  const { strides, dilations, pads } = windowOf(node, x.type.shape.slice(2), kernel);
  const w = weightOf(lowering, weight, 0, 1);
  lowering.out(node, 'conv', {
    x,
    weight: w,
    bias: bias ? lowering.value(bias) : undefined,
    strides: lowering.ints(strides, 'strides'),
    pad_type: lowering.text('custom', 'pad_type'),
    pad: lowering.ints(interleaved(pads), 'pad'),
    dilations: lowering.ints(dilations, 'dilations'),
    groups: lowering.int(node.int('group', 1), 'groups'),
  });
}

function convTranspose(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const weight = lowering.input(node, 1);
  if (lowering.target < 17) lowering.fixedValue(weight, 'the weight');
  const kernel = lowering
    .shape(weight)
    .slice(2)
    .map((dim) => dim ?? 1);
  if (kernel.length > 3 || kernel.length < 1) throw new Refusal('Core ML convolves over 1 to 3 dimensions');
  const strides = node.ints('strides') ?? kernel.map(() => 1);
  const dilations = node.ints('dilations') ?? kernel.map(() => 1);
  const output = lowering.shape(lowering.output(node));
  const spatial = output.slice(2);
  // ONNX's output size, from which the padding follows whatever way it was given.
  const begins: number[] = [];
  const ends: number[] = [];
  const given = node.ints('pads');
  const auto = node.string('auto_pad', 'NOTSET');
  kernel.forEach((size, axis) => {
    const full = (x.type.shape[axis + 2] ?? Number.NaN) - 1;
    const total = full * (strides[axis] ?? 1) + (size - 1) * (dilations[axis] ?? 1) + 1 - (spatial[axis] ?? Number.NaN);
    if (Number.isNaN(total)) throw new Refusal('the size of the result is not known');
    if (auto === 'NOTSET' && node.ints('output_shape') === null) {
      const begin = given?.[axis] ?? 0;
      begins.push(begin);
      ends.push(total - begin);
    } else {
      const small = Math.floor(total / 2);
      begins.push(auto === 'SAME_UPPER' ? small : total - small);
      ends.push(auto === 'SAME_UPPER' ? total - small : small);
    }
  });
  // Padding below zero is output padding, which MIL says by the shape of the output.
  const pads = [...begins, ...ends].map((pad) => Math.max(0, pad));
  if (begins.some((pad) => pad < 0)) throw new Refusal('padding before the result cannot be said in Core ML');
  const bias = node.inputs[2];
  if (bias && lowering.target < 17) lowering.fixedValue(bias, 'the bias');
  lowering.out(node, 'conv_transpose', {
    x,
    weight: lowering.value(weight),
    bias: bias ? lowering.value(bias) : undefined,
    pad: lowering.ints(interleaved(pads), 'pad'),
    output_shape: lowering.ints(
      output.map((dim) => dim ?? -1),
      'output_shape',
    ),
    pad_type: lowering.text('custom', 'pad_type'),
    strides: lowering.ints(strides, 'strides'),
    dilations: lowering.ints(dilations, 'dilations'),
    groups: lowering.int(node.int('group', 1), 'groups'),
  });
}

/**
 * Columns put back where they came from and added up: a transposed convolution whose kernel passes each of them on.
 * Source: onnx Operators.md, Col2Im.
 */
function columnsToImage(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const image = lowering.fixed(node, 1, 'the shape of the image');
  const block = lowering.fixed(node, 2, 'the shape of the blocks');
  if (block.length > 3) throw new Refusal('Core ML convolves over 1 to 3 dimensions');
  const { strides, dilations, pads } = windowOf(node, image, block);
  const size = block.reduce((product, dim) => product * dim, 1);
  const [batch = 1, columns = 1] = staticDims(x.type.shape, 'the columns');
  const channels = columns / size;
  const places = block.map((dim, axis) => {
    const reach = (image[axis] ?? 1) + (pads[axis] ?? 0) + (pads[axis + block.length] ?? 0);
    return Math.floor((reach - ((dim - 1) * (dilations[axis] ?? 1) + 1)) / (strides[axis] ?? 1)) + 1;
  });
  const identity = Array.from({ length: columns * size }, (_, at) =>
    Math.floor(at / size) % size === at % size ? 1 : 0,
  );
  const made = lowering.op(
    'conv_transpose',
    {
      x: lowering.reshape(x, [batch, columns, ...places]),
      weight: lowering.floats(identity, [columns, 1, ...block], 'identity'),
      strides: lowering.ints(strides, 'strides'),
      pad_type: lowering.text('custom', 'pad_type'),
      pad: lowering.ints(interleaved(pads), 'pad'),
      output_shape: lowering.ints([batch, channels, ...image], 'output_shape'),
      dilations: lowering.ints(dilations, 'dilations'),
      groups: lowering.int(channels, 'groups'),
    },
    { dtype: 'fp32', shape: [batch, channels, ...image] },
  );
  lowering.result(node, made);
}

export const CONVOLUTION: Readonly<Record<string, Lower>> = {
  Conv: conv,
  ConvTranspose: convTranspose,
  Col2Im: columnsToImage,
};
