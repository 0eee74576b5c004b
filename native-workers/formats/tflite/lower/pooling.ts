/** What pools share: the window of a node, pools of planes for all of space, and windows taken apart into their taps. */
import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
import type { Lowering } from './lowering.ts';
import { Refusal } from './terms.ts';
import { asTwoDimensional, fromImage, toImage, type Window, windowOf } from './window.ts';

export function pooled(node: Node, lowering: Lowering): { x: TflTensor; window: Window } {
  const x = lowering.read(node, 0);
  const rank = x.shape.length;
  if (rank < 3 || rank > 5) throw new Refusal(`a pool over ${rank - 2} dimensions`);
  const kernel = node.ints('kernel_shape') ?? [];
  return { x, window: windowOf(node, x.shape, kernel) };
}

export type PoolPlane = (image: TflTensor, window: Window) => TflTensor;

/** A pool of planes for all of space: over three dimensions the planes are pooled first, then the depth of what that gave. */
export function overSpace(lowering: Lowering, x: TflTensor, window: Window, pooledPlane: PoolPlane): TflTensor {
  const rank = x.shape.length;
  const last = toImage(lowering, x);
  if (rank < 5) return fromImage(lowering, pooledPlane(last, asTwoDimensional(window)), rank);
  const [batch = 1, depth = 1, height = 1, width = 1, channels = 1] = last.shape;
  const [depthOut = 1, heightOut = 1, widthOut = 1] = window.output;
  const images = lowering.reshape(last, [batch * depth, height, width, channels]);
  const planes = pooledPlane(images, partOf(window, [1, 2]));
  const columns = lowering.reshape(planes, [batch, depth, heightOut * widthOut, channels]);
  const column = withUnitAxis(partOf(window, [0]), heightOut * widthOut);
  const deep = pooledPlane(columns, column);
  return fromImage(lowering, lowering.reshape(deep, [batch, depthOut, heightOut, widthOut, channels]), 5);
}

/** The window along some of its axes. */
function partOf(window: Window, axes: readonly number[]): Window {
  const pick = (values: readonly number[]): number[] => axes.map((axis) => values[axis] ?? 1);
  const { kernel, strides, dilations, starts, ends, input, output } = window;
  return {
    kernel: pick(kernel),
    strides: pick(strides),
    dilations: pick(dilations),
    starts: pick(starts),
    ends: pick(ends),
    input: pick(input),
    output: pick(output),
  };
}

/** The window with a further axis of `size` that it passes element by element. */
function withUnitAxis({ kernel, strides, dilations, starts, ends, input, output }: Window, size: number): Window {
  return {
    kernel: [...kernel, 1],
    strides: [...strides, 1],
    dilations: [...dilations, 1],
    starts: [...starts, 0],
    ends: [...ends, 0],
    input: [...input, size],
    output: [...output, size],
  };
}

/** One tap of a window at all places: a strided slice of the padded input. */
export function tapOf(
  lowering: Lowering,
  x: TflTensor,
  { strides, output }: Window,
  offsets: readonly number[],
): TflTensor {
  const begin = [0, offsets[0] ?? 0, offsets[1] ?? 0, 0];
  const steps = [1, strides[0] ?? 1, strides[1] ?? 1, 1];
  const shape = [x.shape[0] ?? 1, ...output, x.shape[3] ?? 1];
  const end = shape.map((size, axis) => (begin[axis] ?? 0) + (size - 1) * (steps[axis] ?? 1) + 1);
  const inputs = [x, lowering.int32(begin), lowering.int32(end), lowering.int32(steps)];
  return lowering.emit('STRIDED_SLICE', inputs, { shape, dtype: x.dtype, quantization: x.quantization });
}

/** All taps of a window, row by row. */
export function* tapsOf(lowering: Lowering, x: TflTensor, window: Window): Iterable<TflTensor> {
  const { kernel, dilations } = window;
  for (let row = 0; row < (kernel[0] ?? 1); row++)
    for (let column = 0; column < (kernel[1] ?? 1); column++)
      yield tapOf(lowering, x, window, [row * (dilations[0] ?? 1), column * (dilations[1] ?? 1)]);
}

/** Padding at the end that the last window reaches: more than the node says when it rounds up, less when it has a rest. */
export function neededEnds({ kernel, strides, dilations, starts, input, output }: Window): number[] {
  return input.map((size, axis) => {
    const extent = ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1;
    const reach = ((output[axis] ?? 1) - 1) * (strides[axis] ?? 1) + extent;
    return Math.max(0, reach - size - (starts[axis] ?? 0));
  });
}

export function pool(
  lowering: Lowering,
  code: 'MAX_POOL_2D' | 'AVERAGE_POOL_2D',
  x: TflTensor,
  { kernel, strides, output }: Window,
  padding: number,
): TflTensor {
  const shape = [x.shape[0] ?? 1, ...output, x.shape[3] ?? 1];
  return lowering.emit(
    code,
    [x],
    { shape, dtype: x.dtype, quantization: x.quantization },
    {
      padding,
      stride_h: strides[0] ?? 1,
      stride_w: strides[1] ?? 1,
      filter_height: kernel[0] ?? 1,
      filter_width: kernel[1] ?? 1,
      fused_activation_function: 0,
    },
  );
}

/** The axes of space of a tensor with channels at 1. */
export function spaceOf(x: TflTensor): number[] {
  return x.shape.map((_, axis) => axis).slice(2);
}
