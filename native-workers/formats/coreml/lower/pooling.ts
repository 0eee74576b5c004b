/** Pools. Padding is always written out; what MIL's pools cannot do is put together from slices or a convolution with ones. */
import type { Node } from '../../../graph/node.ts';
import type { MilDim, MilValue } from '../program.ts';
import { concat, gather, padConstant, reduce, sliceAxis, sliceOperands } from './builders.ts';
import { interleaved, type Window, windowOf } from './convolution.ts';
import type { Lower, Lowering } from './lowering.ts';
import { Refusal, staticDims } from './terms.ts';

/** Larger windows would be too many slices. */
const MOST_SLICES = 64;
/** Below everything that a maximum is taken of; float16 makes it its own least. */
const LEAST = -3.4e38;

interface Pool extends Window {
  /** Sizes of the result, null where they are not known. */
  readonly sizes: readonly MilDim[];
  /** How far the last window reaches beyond the padding that was asked for, as `ceil_mode` does. */
  readonly beyond: readonly number[];
}

function poolOf(node: Node, lowering: Lowering, x: MilValue): Pool {
  const kernel = node.ints('kernel_shape') ?? [];
  if (kernel.length > 3) throw new Refusal('Core ML pools over at most 3 dimensions');
  const window = windowOf(node, x.type.shape.slice(2), kernel);
  const sizes = lowering.shape(lowering.output(node)).slice(2);
  // What the window reaches beyond in ceil mode is padding too, which differs between runtimes: it is written out.
  const beyond = kernel.map((size, axis) => {
    const [dim, out] = [x.type.shape[axis + 2], sizes[axis]];
    if (typeof dim !== 'number' || typeof out !== 'number') {
      if (node.int('ceil_mode', 0) !== 0)
        throw new Refusal('ceil_mode on a size that is not known cannot be written out');
      return 0;
    }
    const end = (out - 1) * (window.strides[axis] ?? 1) + (size - 1) * (window.dilations[axis] ?? 1) + 1;
    return Math.max(0, end - dim - (window.pads[axis] ?? 0) - (window.pads[axis + kernel.length] ?? 0));
  });
  return { ...window, sizes, beyond };
}

/** All padding, in MIL's order. */
function fullPads({ pads, beyond }: Pool): number[] {
  return interleaved(
    pads.map((amount, index) => amount + (index < beyond.length ? 0 : (beyond[index - beyond.length] ?? 0))),
  );
}

const isPlain = ({ dilations }: Window): boolean => dilations.every((step) => step === 1);

function maxPool(node: Node, lowering: Lowering): void {
  const given = lowering.get(node, 0);
  const { dtype } = lowering.type(lowering.input(node, 0));
  if (dtype === 'int32' || dtype === 'int64') throw new Refusal('Core ML pools floats, which do not hold all integers');
  const x = lowering.cast(given, 'fp32');
  const pool = poolOf(node, lowering, x);
  if (node.outputs[1]) {
    lowering.set(node.outputs[1], placesOfLargest(lowering, x, pool, node.int('storage_order', 0) === 1));
  }
  const made = isPlain(pool)
    ? lowering.op('max_pool', operands(lowering, x, pool), { dtype: 'fp32', shape: resultShape(x, pool) })
    : slicedMaximum(lowering, x, pool);
  lowering.result(node, lowering.cast(made, given.type.dtype));
}

const resultShape = (x: MilValue, { sizes }: Pool): MilDim[] => [...x.type.shape.slice(0, 2), ...sizes];

function operands(lowering: Lowering, x: MilValue, pool: Pool) {
  return {
    x,
    kernel_sizes: lowering.ints(pool.kernel, 'kernel_sizes'),
    strides: lowering.ints(pool.strides, 'strides'),
    pad_type: lowering.text('custom', 'pad_type'),
    pad: lowering.ints(fullPads(pool), 'pad'),
    ceil_mode: lowering.bool(false, 'ceil_mode'),
  };
}

/** Dimension by dimension, the largest of one strided slice for each element of the window. */
function slicedMaximum(lowering: Lowering, x: MilValue, pool: Pool): MilValue {
  const sizes = staticDims(pool.sizes, 'a dilated pool');
  let y = padConstant(lowering, x, [0, 0, 0, 0, ...fullPads(pool)], LEAST);
  pool.kernel.forEach((count, axis) => {
    const [stride, dilation] = [pool.strides[axis] ?? 1, pool.dilations[axis] ?? 1];
    const slices = Array.from({ length: count }, (_, tap) => {
      const from = tap * dilation;
      return sliceAxis(lowering, y, axis + 2, from, from + ((sizes[axis] ?? 1) - 1) * stride + 1, stride);
    });
    y = slices.reduce((largest, slice) => lowering.binary('maximum', largest, slice));
  });
  return y;
}

/**
 * Where the largest elements were, counted through the whole tensor: the windows side by side, the first largest in each, and a
 * table of where its elements come from.
 */
function placesOfLargest(lowering: Lowering, x: MilValue, pool: Pool, isColumnMajor: boolean): MilValue {
  const { kernel, strides, dilations, pads } = pool;
  const sizes = staticDims(pool.sizes, 'a pool with places');
  const [batch = 1, channels = 1, ...space] = staticDims(x.type.shape, 'a pool with places');
  const taps = placesIn(kernel);
  if (taps.length > MOST_SLICES)
    throw new Refusal(`a window of ${taps.length} elements is too large to look for the largest`);
  const padded = padConstant(lowering, x, [0, 0, 0, 0, ...fullPads(pool)], LEAST);
  const windows = taps.map((tap) => {
    const begin = tap.map((at, axis) => at * (dilations[axis] ?? 1));
    const end = begin.map((from, axis) => from + ((sizes[axis] ?? 1) - 1) * (strides[axis] ?? 1) + 1);
    const slice = lowering.op(
      'slice_by_index',
      sliceOperands(lowering, padded, [0, 0, ...begin], [batch, channels, ...end], [1, 1, ...strides]),
      { dtype: 'fp32', shape: resultShape(x, pool) },
    );
    return lowering.reshape(slice, [batch, channels, -1, 1]);
  });
  const outputs = placesIn(sizes);
  const found = lowering.op(
    'reduce_argmax',
    { x: concat(lowering, windows, 3), axis: lowering.int(3, 'axis'), keep_dims: lowering.bool(false, 'keep_dims') },
    { dtype: 'int32', shape: [batch, channels, outputs.length] },
  );
  const table = outputs.flatMap((output) =>
    taps.map((tap) => {
      const at = space.map(
        (_, axis) =>
          (output[axis] ?? 0) * (strides[axis] ?? 1) + (tap[axis] ?? 0) * (dilations[axis] ?? 1) - (pads[axis] ?? 0),
      );
      const order = space.map((_, axis) => axis);
      if (isColumnMajor) order.reverse();
      return order.reduce((index, axis) => index * (space[axis] ?? 1) + (at[axis] ?? 0), 0);
    }),
  );
  const rows = lowering.ints(outputs.map((_, place) => place * taps.length));
  const inside = gather(lowering, lowering.ints(table, 'table'), lowering.binary('add', found, rows), 0);
  const size = space.reduce((product, dim) => product * dim, 1);
  const planes = lowering.reshapedInts(
    Array.from({ length: batch * channels }, (_, plane) => plane * size),
    [batch, channels, 1],
  );
  return lowering.reshape(lowering.binary('add', inside, planes), [batch, channels, ...sizes]);
}

/** Every place in a box of the given sizes, the last dimension fastest. */
function placesIn(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>(
    (places, size) => places.flatMap((place) => Array.from({ length: size }, (_, at) => [...place, at])),
    [[]],
  );
}

function averagePool(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  if (x.type.dtype !== 'fp32') throw new Refusal('Core ML averages floats only');
  const pool = poolOf(node, lowering, x);
  const includes = node.int('count_include_pad', 0) !== 0;
  if (isPlain(pool) && !(includes && pool.beyond.some((amount) => amount > 0))) {
    lowering.out(node, 'avg_pool', {
      ...operands(lowering, x, pool),
      exclude_padding_from_average: lowering.bool(!includes, 'exclude'),
    });
    return;
  }
  const counts = countsOf(lowering, x, pool, includes);
  lowering.result(node, lowering.binary('real_div', windowSum(lowering, x, pool), counts));
}

/** The sum in each window: a depthwise convolution with ones, which takes strides and dilations. */
function windowSum(lowering: Lowering, x: MilValue, pool: Pool): MilValue {
  const [channels = 1] = staticDims(x.type.shape.slice(1, 2), 'the channels');
  const count = pool.kernel.reduce((product, size) => product * size, 1);
  return lowering.op(
    'conv',
    {
      x,
      weight: lowering.floats(Array<number>(channels * count).fill(1), [channels, 1, ...pool.kernel], 'ones'),
      strides: lowering.ints(pool.strides, 'strides'),
      pad_type: lowering.text('custom', 'pad_type'),
      pad: lowering.ints(fullPads(pool), 'pad'),
      dilations: lowering.ints(pool.dilations, 'dilations'),
      groups: lowering.int(channels, 'groups'),
    },
    { dtype: 'fp32', shape: resultShape(x, pool) },
  );
}

/** How many elements each average is of: products of the counts along each dimension. */
function countsOf(lowering: Lowering, x: MilValue, pool: Pool, includes: boolean): MilValue {
  const rank = pool.kernel.length;
  const dims = staticDims(x.type.shape.slice(2), 'an average of this kind');
  const along = staticDims(pool.sizes, 'an average of this kind').map((size, axis) => {
    const [low, high] = includes
      ? [-(pool.pads[axis] ?? 0), (dims[axis] ?? 1) + (pool.pads[axis + rank] ?? 0)]
      : [0, dims[axis] ?? 1];
    return Array.from({ length: size }, (_, place) => {
      const first = place * (pool.strides[axis] ?? 1) - (pool.pads[axis] ?? 0);
      const inside = Array.from(
        { length: pool.kernel[axis] ?? 1 },
        (_each, index) => first + index * (pool.dilations[axis] ?? 1),
      ).filter((at) => at >= low && at < high).length;
      return Math.max(1, inside);
    });
  });
  const counts = along.reduce<number[]>((all, line) => all.flatMap((count) => line.map((each) => count * each)), [1]);
  return lowering.floats(counts, [1, 1, ...along.map((line) => line.length)], 'counts');
}

/** The p-th root of the sum of p-th powers. */
function lpPool(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const p = node.int('p', 2);
  const pool = poolOf(node, lowering, x);
  const sum = windowSum(lowering, lowering.binary('pow', lowering.unary('abs', x), lowering.float(p)), pool);
  lowering.result(node, lowering.binary('pow', sum, lowering.float(1 / p)));
}

function spatialAxes(x: MilValue): number[] {
  const axes = x.type.shape.map((_, axis) => axis).slice(2);
  if (axes.length === 0) throw new Refusal('there is nothing to pool over');
  return axes;
}

const globalPool =
  (type: string): Lower =>
  (node, lowering) => {
    const x = lowering.get(node, 0);
    lowering.result(node, reduce(lowering, type, x, spatialAxes(x)));
  };

function globalLpPool(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const p = node.int('p', 2);
  const powers = lowering.binary('pow', lowering.unary('abs', x), lowering.float(p));
  lowering.result(
    node,
    lowering.binary('pow', reduce(lowering, 'reduce_sum', powers, spatialAxes(x)), lowering.float(1 / p)),
  );
}

export const POOLING: Readonly<Record<string, Lower>> = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  LpPool: lpPool,
  GlobalAveragePool: globalPool('reduce_mean'),
  GlobalMaxPool: globalPool('reduce_max'),
  GlobalLpPool: globalLpPool,
};
