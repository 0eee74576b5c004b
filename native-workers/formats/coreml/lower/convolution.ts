/** Convolutions and pools. Padding is always written out: MIL's `same` puts the odd one elsewhere than ONNX. */
import type { Node } from '../../../graph/node.ts';
import type { MilDim } from '../program.ts';
import { type Lower, type Lowering, Refusal } from './lowering.ts';
import { weightOf } from './weights.ts';

interface Window {
  readonly kernel: readonly number[];
  readonly strides: number[];
  readonly dilations: number[];
  /** ONNX's order: all beginnings, then all ends. */
  readonly pads: number[];
}

function windowOf(node: Node, spatial: readonly MilDim[], kernel: readonly number[]): Window {
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

function pool(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  if (x.type.dtype !== 'fp32') throw new Refusal('Core ML pools floats only');
  const kernel = node.ints('kernel_shape') ?? [];
  const { strides, dilations, pads } = windowOf(node, x.type.shape.slice(2), kernel);
  if (kernel.length > 3) throw new Refusal('Core ML pools over at most 3 dimensions');
  if (dilations.some((step) => step !== 1)) throw new Refusal('Core ML has no dilated pools');
  if (node.outputs[1]) throw new Refusal('Core ML does not give the places of the largest elements');
  if (node.int('storage_order', 0) !== 0) throw new Refusal('Core ML pools in row-major order only');
  const average = node.opType === 'AveragePool';
  // What the window reaches beyond in ceil mode is padding too, which differs between runtimes: written as padding of the end.
  const shape = lowering.shape(lowering.output(node)).slice(2);
  const rank = kernel.length;
  let extra = false;
  kernel.forEach((size, axis) => {
    const dim = x.type.shape[axis + 2];
    const out = shape[axis];
    if (typeof dim !== 'number' || typeof out !== 'number') {
      if (node.int('ceil_mode', 0) !== 0)
        throw new Refusal('ceil_mode on a size that is not known cannot be written out');
      return;
    }
    const reach = (out - 1) * (strides[axis] ?? 1) + size - dim - (pads[axis] ?? 0);
    if (reach > (pads[axis + rank] ?? 0)) {
      pads[axis + rank] = reach;
      extra = true;
    }
  });
  const includes = node.int('count_include_pad', 0) !== 0;
  if (average && includes && extra) throw new Refusal('an average that counts padding but not what ceil_mode adds');
  lowering.out(node, average ? 'avg_pool' : 'max_pool', {
    x,
    kernel_sizes: lowering.ints(kernel, 'kernel_sizes'),
    strides: lowering.ints(strides, 'strides'),
    pad_type: lowering.text('custom', 'pad_type'),
    pad: lowering.ints(interleaved(pads), 'pad'),
    exclude_padding_from_average: average ? lowering.bool(!includes, 'exclude') : undefined,
    ceil_mode: lowering.bool(false, 'ceil_mode'),
  });
}

const globalPool =
  (type: string): Lower =>
  (node, lowering) => {
    const x = lowering.get(node, 0);
    const axes = x.type.shape.map((_, axis) => axis).slice(2);
    if (axes.length === 0) throw new Refusal('there is nothing to pool over');
    lowering.out(node, type, { x, axes: lowering.ints(axes, 'axes'), keep_dims: lowering.bool(true, 'keep_dims') });
  };

export const CONVOLUTION: Readonly<Record<string, Lower>> = {
  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: pool,
  AveragePool: pool,
  GlobalAveragePool: globalPool('reduce_mean'),
  GlobalMaxPool: globalPool('reduce_max'),
};
