/**
 * Windows that slide over space: what convolutions and pools share. Axes are those of ONNX: spatial dimensions from 2 on, pads
 * as all starts, then all ends.
 */
import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
import type { Lowering } from './lowering.ts';
import { Refusal } from './terms.ts';

export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  /** Spatial sizes of input and output. */
  readonly input: readonly number[];
  readonly output: readonly number[];
}

export const PADDING = { SAME: 0, VALID: 1 } as const;

export function windowOf(node: Node, shape: readonly number[], kernel: readonly number[]): Window {
  const input = shape.slice(2);
  const count = input.length;
  const ones = new Array<number>(count).fill(1);
  const strides = node.ints('strides') ?? ones;
  const dilations = node.ints('dilations') ?? ones;
  const extent = kernel.map((size, axis) => (size - 1) * (dilations[axis] ?? 1) + 1);
  let pads = node.ints('pads') ?? new Array<number>(2 * count).fill(0);
  const auto = node.string('auto_pad', 'NOTSET');
  if (auto === 'VALID') pads = new Array<number>(2 * count).fill(0);
  if (auto.startsWith('SAME')) {
    const totals = input.map((size, axis) => samePadding(size, extent[axis] ?? 1, strides[axis] ?? 1));
    const small = totals.map((total) => Math.floor(total / 2));
    const large = totals.map((total) => Math.ceil(total / 2));
    pads = auto === 'SAME_UPPER' ? [...small, ...large] : [...large, ...small];
  }
  const starts = pads.slice(0, count);
  const ends = pads.slice(count);
  const ceil = node.int('ceil_mode', 0) === 1 && auto === 'NOTSET';
  const output = input.map((size, axis) => {
    const stride = strides[axis] ?? 1;
    const room = size + (starts[axis] ?? 0) + (ends[axis] ?? 0) - (extent[axis] ?? 1);
    if (!ceil) return Math.floor(room / stride) + 1;
    const steps = Math.ceil(room / stride) + 1;
    // A window that would begin in the padding at the end is left out. Source: ONNX's MaxPool since opset 19.
    return (steps - 1) * stride >= size + (starts[axis] ?? 0) ? steps - 1 : steps;
  });
  return { kernel, strides, dilations, starts, ends, input, output };
}

/** Padding in all that TensorFlow's SAME adds. */
export function samePadding(size: number, extent: number, stride: number): number {
  return Math.max((Math.ceil(size / stride) - 1) * stride + extent - size, 0);
}

/** Whether the padding is what TensorFlow's SAME does: half of it first, the odd one at the end. */
export function isSame({ kernel, strides, dilations, starts, ends, input, output }: Window): boolean {
  return input.every((size, axis) => {
    const stride = strides[axis] ?? 1;
    const extent = ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1;
    const total = samePadding(size, extent, stride);
    return (
      starts[axis] === Math.floor(total / 2) &&
      ends[axis] === Math.ceil(total / 2) &&
      output[axis] === Math.ceil(size / stride)
    );
  });
}

export function isUnpadded({ starts, ends }: Pick<Window, 'starts' | 'ends'>): boolean {
  return [...starts, ...ends].every((pad) => pad === 0);
}

/** The order that puts the channels last, and the one that brings them back. */
export function channelsLast(rank: number): number[] {
  return [0, ...Array.from({ length: rank - 2 }, (_, axis) => axis + 2), 1];
}

export function channelsFirst(rank: number): number[] {
  return [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, axis) => axis + 1)];
}

/** A tensor with channels last; a single spatial dimension gets a height of 1. */
export function toImage(lowering: Lowering, x: TflTensor): TflTensor {
  const last = lowering.transpose(x, channelsLast(x.shape.length));
  if (x.shape.length !== 3) return last;
  const [n = 1, width = 1, channels = 1] = last.shape;
  return lowering.reshape(last, [n, 1, width, channels]);
}

/** What `toImage` did, undone. */
export function fromImage(lowering: Lowering, y: TflTensor, rank: number): TflTensor {
  if (rank !== 3) return lowering.transpose(y, channelsFirst(rank));
  const [n = 1, , width = 1, channels = 1] = y.shape;
  return lowering.transpose(lowering.reshape(y, [n, width, channels]), channelsFirst(3));
}

/** The window of a single spatial dimension as one of two. */
export function asTwoDimensional(window: Window): Window {
  if (window.input.length !== 1) return window;
  const { kernel, strides, dilations, starts, ends, input, output } = window;
  return {
    kernel: [1, ...kernel],
    strides: [1, ...strides],
    dilations: [1, ...dilations],
    starts: [0, ...starts],
    ends: [0, ...ends],
    input: [1, ...input],
    output: [1, ...output],
  };
}

/** Pads the space of a tensor with channels last. `value`: null for zero, or the zero point of a quantized tensor. */
export function padSpace(
  lowering: Lowering,
  x: TflTensor,
  starts: readonly number[],
  ends: readonly number[],
  value: number | null = null,
): TflTensor {
  if (starts.some((pad) => pad < 0) || ends.some((pad) => pad < 0)) return crop(lowering, x, starts, ends);
  const rows = [[0, 0], ...starts.map((start, axis) => [start, ends[axis] ?? 0]), [0, 0]];
  const shape = x.shape.map((dim, axis) => dim + (rows[axis]?.[0] ?? 0) + (rows[axis]?.[1] ?? 0));
  const paddings = lowering.constant('int32', rows.flat(), [rows.length, 2]);
  const output = { shape, dtype: x.dtype, quantization: x.quantization };
  if (value === null) return lowering.emit('PAD', [x, paddings], output);
  const fill = { ...lowering.scalar(value, x.dtype), quantization: x.quantization };
  return lowering.emit('PADV2', [x, paddings, fill], output);
}

function crop(lowering: Lowering, x: TflTensor, starts: readonly number[], ends: readonly number[]): TflTensor {
  if (starts.some((pad) => pad > 0) || ends.some((pad) => pad > 0)) throw new Refusal('pads of both signs');
  const begin = [0, ...starts.map((pad) => -pad), 0];
  const size = x.shape.map((dim, axis) => dim - (begin[axis] ?? 0) + (ends[axis - 1] ?? 0));
  return lowering.slice(x, begin, size);
}
