/** MaxPool as MAX_POOL_2D with channels last, GlobalMaxPool as a maximum over space. */
import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
import type { Lowering } from './lowering.ts';
import { neededEnds, overSpace, pool, pooled, spaceOf, tapOf, tapsOf } from './pooling.ts';
import { requantized } from './quantize.ts';
import type { Lower } from './registry.ts';
import { Refusal } from './terms.ts';
import { asTwoDimensional, fromImage, isSame, isUnpadded, PADDING, padSpace, toImage, type Window } from './window.ts';

export const MAX_POOLING_LOWERINGS: Readonly<Record<string, Lower>> = {
  MaxPool: maxPool,
  GlobalMaxPool: globalMaxPool,
};

/** Less than any float that is not infinite; -inf itself is no valid padding for some kernels. */
const LOWEST = -3.4028234663852886e38;

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

function globalMaxPool(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const y = lowering.reduce('REDUCE_MAX', x, spaceOf(x));
  lowering.result(node, requantized(lowering, y, lowering.resultType(node)));
}
