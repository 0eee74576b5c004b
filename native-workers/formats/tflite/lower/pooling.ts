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
  if (rank !== 3 && rank !== 4) throw new Refusal(`a pool over ${rank - 2} dimensions`);
  const kernel = node.ints('kernel_shape') ?? [];
  return { x, window: asTwoDimensional(windowOf(node, x.shape, kernel)) };
}

function maxPool(node: Node, lowering: Lowering): void {
  if (node.outputs[1]) throw new Refusal('indices of the maxima');
  const { x, window } = pooled(node, lowering);
  if (x.dtype !== 'float32' && x.quantization === null) {
    const real = lowering.cast(x, 'float32');
    lowering.result(node, lowering.cast(maxPoolOf(lowering, real, window), x.dtype));
    return;
  }
  lowering.result(node, maxPoolOf(lowering, x, window));
}

function maxPoolOf(lowering: Lowering, x: TflTensor, window: Window): TflTensor {
  const rank = x.shape.length;
  const lowest = x.quantization === null ? LOWEST : x.dtype === 'uint8' ? 0 : x.dtype === 'int8' ? -128 : -32768;
  const { input, padding } = padded(lowering, toImage(lowering, x), window, lowest);
  if (window.dilations.some((each) => each > 1)) {
    if (window.strides.some((each) => each > 1) && window.input.length > 2)
      throw new Refusal('a dilated pool with strides');
    return fromImage(lowering, dilatedMax(lowering, input, window), rank);
  }
  return fromImage(lowering, pool(lowering, 'MAX_POOL_2D', input, window, padding), rank);
}

/** The maximum over the taps of a dilated window, each a strided slice of the padded input. */
function dilatedMax(lowering: Lowering, x: TflTensor, { kernel, dilations, strides, output }: Window): TflTensor {
  let best: TflTensor | null = null;
  for (let row = 0; row < (kernel[0] ?? 1); row++) {
    for (let column = 0; column < (kernel[1] ?? 1); column++) {
      const begin = [0, row * (dilations[0] ?? 1), column * (dilations[1] ?? 1), 0];
      const steps = [1, strides[0] ?? 1, strides[1] ?? 1, 1];
      const shape = [x.shape[0] ?? 1, ...output, x.shape[3] ?? 1];
      const end = shape.map((size, axis) => (begin[axis] ?? 0) + (size - 1) * (steps[axis] ?? 1) + 1);
      const inputs = [x, lowering.int32(begin), lowering.int32(end), lowering.int32(steps)];
      const tap = lowering.emit('STRIDED_SLICE', inputs, { shape, dtype: x.dtype, quantization: x.quantization });
      best =
        best === null
          ? tap
          : lowering.emit('MAXIMUM', [best, tap], { shape, dtype: x.dtype, quantization: x.quantization });
    }
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
  const y = fromImage(lowering, averageOf(node, lowering, toImage(lowering, x), window), x.shape.length);
  lowering.result(node, requantized(lowering, y, lowering.resultType(node)));
}

function averageOf(node: Node, lowering: Lowering, image: TflTensor, window: Window): TflTensor {
  const needed = { ...window, ends: neededEnds(window) };
  const isDilated = window.dilations.some((each) => each > 1);
  const countsPads = node.int('count_include_pad', 0) === 1;
  if (!isDilated && isUnpadded(needed)) return pool(lowering, 'AVERAGE_POOL_2D', image, window, PADDING.VALID);
  if (!isDilated && !countsPads && isSame(needed))
    return pool(lowering, 'AVERAGE_POOL_2D', image, window, PADDING.SAME);
  if (image.quantization !== null) throw new Refusal('a quantized average over padding that TFLite cannot say');
  const padded = padSpace(lowering, image, window.starts, needed.ends);
  const [kernelH = 1, kernelW = 1] = window.kernel;
  const sum = isDilated
    ? dilatedSum(lowering, padded, window)
    : lowering.mul(pool(lowering, 'AVERAGE_POOL_2D', padded, window, PADDING.VALID), kernelH * kernelW);
  const factors = counted(window, countsPads).map((count) => 1 / count);
  return lowering.mul(sum, lowering.constant('float32', factors, [1, ...window.output, 1]));
}

function dilatedSum(lowering: Lowering, x: TflTensor, { kernel, dilations, strides, output }: Window): TflTensor {
  let sum: TflTensor | null = null;
  for (let row = 0; row < (kernel[0] ?? 1); row++) {
    for (let column = 0; column < (kernel[1] ?? 1); column++) {
      const begin = [0, row * (dilations[0] ?? 1), column * (dilations[1] ?? 1), 0];
      const steps = [1, strides[0] ?? 1, strides[1] ?? 1, 1];
      const shape = [x.shape[0] ?? 1, ...output, x.shape[3] ?? 1];
      const end = shape.map((size, axis) => (begin[axis] ?? 0) + (size - 1) * (steps[axis] ?? 1) + 1);
      const inputs = [x, lowering.int32(begin), lowering.int32(end), lowering.int32(steps)];
      const tap = lowering.emit('STRIDED_SLICE', inputs, { shape, dtype: x.dtype });
      sum = sum === null ? tap : lowering.add(sum, tap);
    }
  }
  return sum ?? x;
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
  const [rows = [1], columns = [1]] = along;
  return rows.flatMap((row) => columns.map((column) => row * column));
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
  const image = padSpace(lowering, toImage(lowering, powered), window.starts, neededEnds(window));
  const [kernelH = 1, kernelW = 1] = window.kernel;
  const sum = window.dilations.some((each) => each > 1)
    ? dilatedSum(lowering, image, window)
    : lowering.mul(pool(lowering, 'AVERAGE_POOL_2D', image, window, PADDING.VALID), kernelH * kernelW);
  lowering.result(node, fromImage(lowering, lowering.binary('POW', sum, 1 / p), x.shape.length));
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
