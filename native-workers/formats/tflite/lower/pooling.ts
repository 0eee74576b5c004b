/** Pools: MAX_POOL_2D and AVERAGE_POOL_2D with channels last; global pools are means and maxima over space. */
import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
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

export const POOLING_LOWERINGS: Readonly<Record<string, Lower>> = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  LpPool: lpPool,
  GlobalAveragePool: (node, lowering) => globalPool(node, lowering, 'MEAN'),
  GlobalMaxPool: (node, lowering) => globalPool(node, lowering, 'REDUCE_MAX'),
  GlobalLpPool: globalLpPool,
};

/** Less than any float that is not infinite; -inf itself is no valid padding for some kernels. */
const LOWEST = -3.4028234663852886e38;

function pooled(node: Node, lowering: Lowering): { x: TflTensor; window: Window } {
  const x = lowering.read(node, 0);
  const rank = x.shape.length;
  if (rank < 3 || rank > 5) throw new Refusal(`a pool over ${rank - 2} dimensions`);
  const kernel = node.ints('kernel_shape') ?? [];
  return { x, window: windowOf(node, x.shape, kernel) };
}

type PoolPlane = (image: TflTensor, window: Window) => TflTensor;

/** A pool of planes for all of space: over three dimensions the planes are pooled first, then the depth of what that gave. */
function overSpace(lowering: Lowering, x: TflTensor, window: Window, pooledPlane: PoolPlane): TflTensor {
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

function maxPool(node: Node, lowering: Lowering): void {
  const { x, window } = pooled(node, lowering);
  const isReal = x.dtype === 'float32' || x.quantization !== null;
  const real = isReal ? x : lowering.cast(x, 'float32');
  const most = overSpace(lowering, real, window, (image, plane) => maxOf(lowering, image, plane));
  lowering.result(node, isReal ? most : lowering.cast(most, x.dtype));
  if (node.outputs[1]) lowering.define(node.outputs[1], indicesOfMaxima(node, lowering, real, most, window));
}

function maxOf(lowering: Lowering, image: TflTensor, window: Window): TflTensor {
  const lowest =
    image.quantization === null ? LOWEST : image.dtype === 'uint8' ? 0 : image.dtype === 'int8' ? -128 : -32768;
  const { input, padding } = padded(lowering, image, window, lowest);
  if (window.dilations.some((each) => each > 1)) return dilatedMax(lowering, input, window);
  return pool(lowering, 'MAX_POOL_2D', input, window, padding);
}

/**
 * Where the maxima stand in the flattened input. Each tap of the window is compared with the maximum, the last first, so that of
 * equal elements the first one stays.
 */
function indicesOfMaxima(node: Node, lowering: Lowering, x: TflTensor, most: TflTensor, window: Window): TflTensor {
  const rank = x.shape.length;
  if (rank > 4 || x.quantization !== null) throw new Refusal('indices of the maxima of more than a plane of floats');
  const plane = asTwoDimensional(window);
  const { kernel, strides, dilations, starts, output, input } = plane;
  const image = padSpace(lowering, toImage(lowering, x), plane.starts, neededEnds(plane), LOWEST);
  const best = toImage(lowering, most);
  const [batch = 1, channels = 1] = x.shape;
  const [height = 1, width = 1] = input;
  const isByColumn = node.int('storage_order', 0) === 1;
  const planes = Array.from({ length: batch * channels }, (_, at) => at * height * width);
  const own = lowering.transpose(lowering.constant('int32', planes, [batch, channels, 1, 1]), [0, 2, 3, 1]);
  let places: TflTensor | null = null;
  for (let tap = (kernel[0] ?? 1) * (kernel[1] ?? 1) - 1; tap >= 0; tap--) {
    const at = [Math.floor(tap / (kernel[1] ?? 1)), tap % (kernel[1] ?? 1)];
    const offsets = at.map((each, axis) => each * (dilations[axis] ?? 1));
    const inside = (axis: number, place: number): number =>
      place * (strides[axis] ?? 1) + (offsets[axis] ?? 0) - (starts[axis] ?? 0);
    const ids = Array.from({ length: (output[0] ?? 1) * (output[1] ?? 1) }, (_, place) => {
      const row = inside(0, Math.floor(place / (output[1] ?? 1)));
      const column = inside(1, place % (output[1] ?? 1));
      return isByColumn ? column * height + row : row * width + column;
    });
    const here = lowering.constant('int32', ids, [1, ...output, 1]);
    const isBest = lowering.binary('EQUAL', tapOf(lowering, image, plane, offsets), best, 'bool');
    places = places === null ? here : lowering.select(isBest, here, places);
  }
  const flat = lowering.add(places as TflTensor, own);
  return lowering.cast(fromImage(lowering, lowering.broadcastTo(flat, best.shape), rank), 'int64');
}

/** One tap of a window at all places: a strided slice of the padded input. */
function tapOf(lowering: Lowering, x: TflTensor, { strides, output }: Window, offsets: readonly number[]): TflTensor {
  const begin = [0, offsets[0] ?? 0, offsets[1] ?? 0, 0];
  const steps = [1, strides[0] ?? 1, strides[1] ?? 1, 1];
  const shape = [x.shape[0] ?? 1, ...output, x.shape[3] ?? 1];
  const end = shape.map((size, axis) => (begin[axis] ?? 0) + (size - 1) * (steps[axis] ?? 1) + 1);
  const inputs = [x, lowering.int32(begin), lowering.int32(end), lowering.int32(steps)];
  return lowering.emit('STRIDED_SLICE', inputs, { shape, dtype: x.dtype, quantization: x.quantization });
}

/** All taps of a window, row by row. */
function* tapsOf(lowering: Lowering, x: TflTensor, window: Window): Iterable<TflTensor> {
  const { kernel, dilations } = window;
  for (let row = 0; row < (kernel[0] ?? 1); row++)
    for (let column = 0; column < (kernel[1] ?? 1); column++)
      yield tapOf(lowering, x, window, [row * (dilations[0] ?? 1), column * (dilations[1] ?? 1)]);
}

/** The maximum over the taps of a dilated window. */
function dilatedMax(lowering: Lowering, x: TflTensor, window: Window): TflTensor {
  let best: TflTensor | null = null;
  for (const tap of tapsOf(lowering, x, window)) {
    const output = { shape: tap.shape, dtype: x.dtype, quantization: x.quantization };
    best = best === null ? tap : lowering.emit('MAXIMUM', [best, tap], output);
  }
  return best ?? x;
}

function padded(
  lowering: Lowering,
  x: TflTensor,
  window: Window,
  value: number | null,
): { input: TflTensor; padding: number } {
  const ends = neededEnds(window);
  const needed = { ...window, ends };
  if (isUnpadded(needed)) return { input: x, padding: PADDING.VALID };
  if (window.dilations.every((each) => each === 1) && isSame(needed)) return { input: x, padding: PADDING.SAME };
  return { input: padSpace(lowering, x, window.starts, ends, value), padding: PADDING.VALID };
}

/** Padding at the end that the last window reaches: more than the node says when it rounds up, less when it has a rest. */
function neededEnds({ kernel, strides, dilations, starts, input, output }: Window): number[] {
  return input.map((size, axis) => {
    const extent = ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1;
    const reach = ((output[axis] ?? 1) - 1) * (strides[axis] ?? 1) + extent;
    return Math.max(0, reach - size - (starts[axis] ?? 0));
  });
}

function pool(
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

/**
 * TFLite leaves padding out of the count only under SAME. Otherwise the mean over the padded window is multiplied by the
 * window's size over the number of elements that ONNX counts, which is a constant for each place.
 */
function averagePool(node: Node, lowering: Lowering): void {
  const { x, window } = pooled(node, lowering);
  const countsPads = node.int('count_include_pad', 0) === 1;
  if (x.shape.length === 5) {
    if (x.quantization !== null) throw new Refusal('a quantized average over three dimensions');
    const sum = overSpace(lowering, x, window, (image, plane) => sumOf(lowering, image, plane));
    const factors = counted(window, countsPads).map((count) => 1 / count);
    lowering.result(node, lowering.mul(sum, lowering.constant('float32', factors, [1, 1, ...window.output])));
    return;
  }
  const y = overSpace(lowering, x, window, (image, plane) => averageOf(lowering, image, plane, countsPads));
  lowering.result(node, requantized(lowering, y, lowering.resultType(node)));
}

function averageOf(lowering: Lowering, image: TflTensor, window: Window, countsPads: boolean): TflTensor {
  const needed = { ...window, ends: neededEnds(window) };
  const isDilated = window.dilations.some((each) => each > 1);
  if (!isDilated && isUnpadded(needed)) return pool(lowering, 'AVERAGE_POOL_2D', image, window, PADDING.VALID);
  if (!isDilated && !countsPads && isSame(needed))
    return pool(lowering, 'AVERAGE_POOL_2D', image, window, PADDING.SAME);
  if (image.quantization !== null) throw new Refusal('a quantized average over padding that TFLite cannot say');
  const factors = counted(window, countsPads).map((count) => 1 / count);
  return lowering.mul(sumOf(lowering, image, window), lowering.constant('float32', factors, [1, ...window.output, 1]));
}

/** The sum over each window, with zeros outside. */
function sumOf(lowering: Lowering, image: TflTensor, window: Window): TflTensor {
  const padded = padSpace(lowering, image, window.starts, neededEnds(window));
  if (window.dilations.some((each) => each > 1)) {
    let sum: TflTensor | null = null;
    for (const tap of tapsOf(lowering, padded, window)) sum = sum === null ? tap : lowering.add(sum, tap);
    return sum ?? padded;
  }
  const [height = 1, width = 1] = window.kernel;
  return lowering.mul(pool(lowering, 'AVERAGE_POOL_2D', padded, window, PADDING.VALID), height * width);
}

/** How many elements ONNX divides by at each place: those in the input, or also those in the padding that the node names. */
function counted(window: Window, withPads: boolean): number[] {
  const along = window.input.map((size, axis) => {
    const start = window.starts[axis] ?? 0;
    const limit = withPads ? size + start + (window.ends[axis] ?? 0) : size + start;
    const least = withPads ? 0 : start;
    return Array.from({ length: window.output[axis] ?? 1 }, (_, place) => {
      let count = 0;
      for (let tap = 0; tap < (window.kernel[axis] ?? 1); tap++) {
        const at = place * (window.strides[axis] ?? 1) + tap * (window.dilations[axis] ?? 1);
        if (at >= least && at < limit) count++;
      }
      return count;
    });
  });
  return along.reduce<number[]>((all, axis) => all.flatMap((outer) => axis.map((count) => outer * count)), [1]);
}

/** A tensor whose quantization is what the source says, through a QUANTIZE where the operator keeps its input's. */
export function requantized(lowering: Lowering, y: TflTensor, stored: ReturnType<Lowering['resultType']>): TflTensor {
  const wanted = stored.quantization;
  if (wanted === undefined || y.quantization === null) return y;
  const same = wanted.scales[0] === y.quantization.scales[0] && wanted.zeroPoints[0] === y.quantization.zeroPoints[0];
  if (same && y.dtype === stored.dtype) return y;
  return lowering.emit('QUANTIZE', [y], { shape: y.shape, dtype: stored.dtype, quantization: wanted });
}

/** (sum |x|^p)^(1/p) over each window. */
function lpPool(node: Node, lowering: Lowering): void {
  const { x, window } = pooled(node, lowering);
  const p = node.int('p', 2);
  const powered = lowering.binary('POW', lowering.unary('ABS', x), p);
  const sum = overSpace(lowering, powered, window, (image, plane) => sumOf(lowering, image, plane));
  lowering.result(node, lowering.binary('POW', sum, 1 / p));
}

function globalPool(node: Node, lowering: Lowering, code: 'MEAN' | 'REDUCE_MAX'): void {
  const x = lowering.read(node, 0);
  const axes = x.shape.map((_, axis) => axis).slice(2);
  const shape = x.shape.map((dim, axis) => (axis < 2 ? dim : 1));
  const stored = lowering.resultType(node);
  const quantization = code === 'MEAN' ? (stored.quantization ?? null) : x.quantization;
  const output = { shape, dtype: x.dtype, quantization };
  const y = lowering.emit(code, [x, lowering.int32(axes)], output, { keep_dims: true });
  lowering.result(node, requantized(lowering, y, stored));
}

function globalLpPool(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const p = node.int('p', 2);
  const axes = x.shape.map((_, axis) => axis).slice(2);
  const sum = lowering.reduce('SUM', lowering.binary('POW', lowering.unary('ABS', x), p), axes);
  lowering.result(node, lowering.binary('POW', sum, 1 / p));
}
