/** Averages and sums over windows: AVERAGE_POOL_2D with channels last, MEAN over all of space, and what either cannot say. */
import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
import { biasTensor, Weights } from '../weights.ts';
import { depthwise } from './convolution.ts';
import type { Lowering } from './lowering.ts';
import { neededEnds, overSpace, pool, pooled, spaceOf, tapsOf } from './pooling.ts';
import { hasCodesOf } from './quantize.ts';
import { meanOver } from './reduction.ts';
import type { Lower } from './registry.ts';
import { Refusal } from './terms.ts';
import { isSame, isUnpadded, PADDING, padSpace, type Window } from './window.ts';

export const AVERAGE_POOLING_LOWERINGS: Readonly<Record<string, Lower>> = {
  AveragePool: averagePool,
  GlobalAveragePool: globalAveragePool,
  LpPool: lpPool,
  GlobalLpPool: globalLpPool,
};

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
  const stored = lowering.resultType(node);
  const isInPlace = x.quantization === null || hasCodesOf(x, stored);
  const y = overSpace(lowering, x, window, (image, plane) =>
    isInPlace
      ? averageOf(lowering, image, plane, countsPads)
      : rescaledAverage(lowering, image, plane, countsPads, stored),
  );
  lowering.result(node, y);
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

/**
 * The average in codes of another scale. AVERAGE_POOL_2D keeps the scale of its input: a QUANTIZE after it rounds what is rounded
 * already, which moved a fifth of the codes of a ResNet's last pool. MEAN, and a convolution with ones, round the whole sum once.
 */
function rescaledAverage(
  lowering: Lowering,
  image: TflTensor,
  window: Window,
  countsPads: boolean,
  output: ReturnType<Lowering['resultType']>,
): TflTensor {
  const needed = { ...window, ends: neededEnds(window) };
  const { kernel, dilations, input } = window;
  const isUndilated = dilations.every((each) => each === 1);
  if (isUndilated && isUnpadded(needed) && kernel.join() === input.join())
    return meanOver(lowering, image, [1, 2], output.quantization);
  const [height = 1, width = 1] = kernel;
  const count = height * width;
  if (counted(window, countsPads).some((each) => each !== count))
    throw new Refusal('a quantized average of another scale, over fewer elements at the rim');
  const channels = image.shape[3] ?? 1;
  const shape = [channels, 1, height, width];
  const codes = new Uint8Array(count * channels).fill(1);
  const ones = lowering.constant(output.dtype === 'uint8' ? 'uint8' : 'int8', codes, shape);
  const weights = new Weights({ ...ones, quantization: { scales: [1 / count], zeroPoints: [0], axis: 0 } }, lowering);
  const bias = biasTensor(null, channels, image, weights, lowering);
  return depthwise(lowering, image, weights, bias, needed, output);
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

/** (sum |x|^p)^(1/p) over each window. */
function lpPool(node: Node, lowering: Lowering): void {
  const { x, window } = pooled(node, lowering);
  const p = node.int('p', 2);
  const powered = lowering.binary('POW', lowering.unary('ABS', x), p);
  const sum = overSpace(lowering, powered, window, (image, plane) => sumOf(lowering, image, plane));
  lowering.result(node, lowering.binary('POW', sum, 1 / p));
}

function globalAveragePool(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  lowering.result(node, meanOver(lowering, x, spaceOf(x), lowering.resultType(node).quantization));
}

function globalLpPool(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const p = node.int('p', 2);
  const sum = lowering.reduce('SUM', lowering.binary('POW', lowering.unary('ABS', x), p), spaceOf(x));
  lowering.result(node, lowering.binary('POW', sum, 1 / p));
}
