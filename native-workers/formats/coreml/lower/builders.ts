/** Operations of MIL with the types of their results worked out, for lowerings of several steps. */

import { broadcast } from '../known-shapes.ts';
import type { MilDim, MilType, MilValue } from '../program.ts';
import type { Lowering } from './lowering.ts';
import { Refusal } from './terms.ts';

export const vector = (length: MilDim): MilType => ({ dtype: 'int32', shape: [length] });

/** The operands of `slice_by_index` that take `begin` to `end` of every dimension. */
export function sliceOperands(
  lowering: Lowering,
  x: MilValue,
  begin: readonly number[],
  end: readonly number[],
  stride: readonly number[],
): Record<string, MilValue> {
  const none = begin.map(() => false);
  return {
    x,
    begin: lowering.ints(begin, 'begin'),
    end: lowering.ints(end, 'end'),
    stride: lowering.ints(stride, 'stride'),
    begin_mask: lowering.bools(none, 'begin_mask'),
    end_mask: lowering.bools(none, 'end_mask'),
    squeeze_mask: lowering.bools(none, 'squeeze_mask'),
  };
}

/** `from` to `to` of one dimension, in steps; the others whole. `to` may be null for the end of a size that is not known. */
export function sliceAxis(
  lowering: Lowering,
  x: MilValue,
  axis: number,
  from: number,
  to: number | null,
  step = 1,
): MilValue {
  const { shape } = x.type;
  const end = to ?? shape[axis] ?? null;
  const size = end === null ? null : Math.max(0, Math.ceil((end - from) / step));
  const operands = sliceOperands(
    lowering,
    x,
    shape.map((_, index) => (index === axis ? from : 0)),
    shape.map((_, index) => (index === axis ? (end ?? 0) : 0)),
    shape.map((_, index) => (index === axis ? step : 1)),
  );
  const whole = shape.map((_, index) => index !== axis);
  return lowering.op(
    'slice_by_index',
    {
      ...operands,
      begin_mask: lowering.bools(whole, 'begin_mask'),
      end_mask: lowering.bools(
        whole.map((flag, index) => flag || (index === axis && end === null)),
        'end_mask',
      ),
    },
    { ...x.type, shape: shape.map((dim, index) => (index === axis ? size : dim)) },
  );
}

export function reverse(lowering: Lowering, x: MilValue, axes: readonly number[]): MilValue {
  return lowering.op('reverse', { x, axes: lowering.ints(axes, 'axes') }, x.type);
}

/** MIL joins and gathers numbers: bool goes through int32. */
export function throughNumbers(
  lowering: Lowering,
  values: readonly MilValue[],
  make: (numbers: MilValue[]) => MilValue,
): MilValue {
  if (values[0]?.type.dtype !== 'bool') return make([...values]);
  return lowering.cast(make(values.map((value) => lowering.cast(value, 'int32'))), 'bool');
}

export function concat(lowering: Lowering, values: readonly MilValue[], axis: number): MilValue {
  const [first] = values;
  if (first === undefined) throw new Refusal('there is nothing to join');
  if (values.length === 1) return first;
  const total = values.reduce<MilDim>((sum, { type }) => {
    const dim = type.shape[axis] ?? null;
    return sum === null || dim === null ? null : sum + dim;
  }, 0);
  const shape = first.type.shape.map((dim, index) => (index === axis ? total : dim));
  return throughNumbers(lowering, values, (numbers) =>
    lowering.op(
      'concat',
      { values: numbers, axis: lowering.int(axis, 'axis'), interleave: lowering.bool(false, 'interleave') },
      { dtype: numbers[0]?.type.dtype ?? 'fp32', shape },
    ),
  );
}

export function expandDims(lowering: Lowering, x: MilValue, axes: readonly number[]): MilValue {
  if (axes.length === 0) return x;
  const shape: MilDim[] = [...x.type.shape];
  for (const axis of [...axes].sort((a, b) => a - b)) shape.splice(axis, 0, 1);
  return lowering.op('expand_dims', { x, axes: lowering.ints(axes, 'axes') }, { ...x.type, shape });
}

export function squeeze(lowering: Lowering, x: MilValue, axes: readonly number[]): MilValue {
  if (axes.length === 0) return x;
  const shape = x.type.shape.filter((_, axis) => !axes.includes(axis));
  return lowering.op('squeeze', { x, axes: lowering.ints(axes, 'axes') }, { ...x.type, shape });
}

export function reduce(
  lowering: Lowering,
  type: string,
  x: MilValue,
  axes: readonly number[],
  keepDims = true,
): MilValue {
  const shape = keepDims
    ? x.type.shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim))
    : x.type.shape.filter((_, axis) => !axes.includes(axis));
  return lowering.op(
    type,
    { x, axes: lowering.ints(axes, 'axes'), keep_dims: lowering.bool(keepDims, 'keep_dims') },
    { ...x.type, shape },
  );
}

export function softmax(lowering: Lowering, x: MilValue, axis: number): MilValue {
  return lowering.op('softmax', { x, axis: lowering.int(axis, 'axis') }, x.type);
}

export function logSoftmax(lowering: Lowering, x: MilValue, axis: number): MilValue {
  return lowering.binary('sub', x, reduce(lowering, 'reduce_log_sum_exp', x, [axis]));
}

/** Product of matrices in the last two dimensions; both have at least two. */
export function matmul(lowering: Lowering, x: MilValue, y: MilValue, transposeX = false, transposeY = false): MilValue {
  const [xs, ys] = [x.type.shape, y.type.shape];
  const rows = xs.at(transposeX ? -1 : -2) ?? null;
  const columns = ys.at(transposeY ? -2 : -1) ?? null;
  return lowering.op(
    'matmul',
    {
      x,
      y,
      transpose_x: lowering.bool(transposeX, 'transpose_x'),
      transpose_y: lowering.bool(transposeY, 'transpose_y'),
    },
    { dtype: x.type.dtype, shape: [...broadcast(xs.slice(0, -2), ys.slice(0, -2)), rows, columns] },
  );
}

/** `indices` are int32, none negative. */
export function gather(lowering: Lowering, x: MilValue, indices: MilValue, axis: number): MilValue {
  const { shape } = x.type;
  return throughNumbers(lowering, [x], ([numbers]) =>
    lowering.op(
      'gather',
      {
        x: numbers,
        indices,
        axis: lowering.int(axis, 'axis'),
        batch_dims: lowering.target >= 16 ? lowering.int(0, 'batch_dims') : null,
        validate_indices: lowering.target >= 17 ? lowering.bool(false, 'validate') : null,
      },
      {
        dtype: numbers?.type.dtype ?? 'fp32',
        shape: [...shape.slice(0, axis), ...indices.type.shape, ...shape.slice(axis + 1)],
      },
    ),
  );
}

/** What lies at each tuple of `places`, whose last dimension counts the first dimensions of the data from `batch` on. */
export function gatherNd(
  lowering: Lowering,
  x: MilValue,
  places: MilValue,
  shape: readonly MilDim[],
  batch = 0,
): MilValue {
  return throughNumbers(lowering, [x], ([numbers]) =>
    lowering.op(
      'gather_nd',
      {
        x: numbers,
        indices: places,
        batch_dims: lowering.target >= 16 ? lowering.int(batch, 'batch_dims') : null,
        validate_indices: lowering.target >= 17 ? lowering.bool(false, 'validate') : null,
      },
      { dtype: numbers?.type.dtype ?? 'fp32', shape },
    ),
  );
}

/** Along one axis only; other dimensions of the indices may be smaller in ONNX, and may not in MIL. */
export function gatherAlongAxis(lowering: Lowering, x: MilValue, places: MilValue, axis: number): MilValue {
  let data = x;
  places.type.shape.forEach((dim, index) => {
    const full = data.type.shape[index] ?? null;
    if (index === axis || dim === full) return;
    if (dim === null || full === null) throw new Refusal('sizes of indices and data that are not known');
    const first = Array.from({ length: dim }, (_, at) => at);
    data = take(lowering, data, first, index);
  });
  return throughNumbers(lowering, [data], ([numbers]) =>
    lowering.op(
      'gather_along_axis',
      {
        x: numbers,
        indices: places,
        axis: lowering.int(axis, 'axis'),
        validate_indices: lowering.target >= 17 ? lowering.bool(false, 'validate') : null,
      },
      { dtype: numbers?.type.dtype ?? 'fp32', shape: places.type.shape },
    ),
  );
}

/** The elements of one dimension at places that are known. */
export function take(lowering: Lowering, x: MilValue, places: readonly number[], axis: number): MilValue {
  const isWhole = places.length === x.type.shape[axis] && places.every((place, index) => place === index);
  return isWhole ? x : gather(lowering, x, lowering.ints(places, 'places'), axis);
}

export function compare(lowering: Lowering, type: string, x: MilValue, y: MilValue): MilValue {
  return lowering.op(type, { x, y }, { dtype: 'bool', shape: broadcast(x.type.shape, y.type.shape) });
}

/**
 * a where the condition holds, else b. MIL takes the shape from both choices alone, so one of them is brought to the shape of
 * the condition where that is larger; bool is chosen by logic.
 */
export function select(lowering: Lowering, cond: MilValue, a: MilValue, b: MilValue): MilValue {
  const shape = broadcast(broadcast(a.type.shape, b.type.shape), cond.type.shape);
  if (a.type.dtype === 'bool') {
    const yes = lowering.binary('logical_and', cond, a);
    return lowering.binary('logical_or', yes, lowering.binary('logical_and', lowering.unary('logical_not', cond), b));
  }
  let other = b;
  if (broadcast(a.type.shape, b.type.shape).join() !== shape.join()) {
    const numbers = lowering.cast(cond, a.type.dtype);
    other = lowering.binary('add', lowering.binary('mul', numbers, lowering.scalarLike(numbers, 0)), b);
  }
  return lowering.op('select', { cond, a, b: other }, { dtype: a.type.dtype, shape });
}

/** Zeros around a float tensor; `pairs` are the amounts before and after each dimension. */
export function padConstant(lowering: Lowering, x: MilValue, pairs: readonly number[], value = 0): MilValue {
  if (pairs.every((amount) => amount === 0)) return x;
  const shape = x.type.shape.map((dim, axis) =>
    dim === null ? null : dim + (pairs[axis * 2] ?? 0) + (pairs[axis * 2 + 1] ?? 0),
  );
  return lowering.op(
    'pad',
    {
      x,
      pad: lowering.ints(pairs, 'pad'),
      mode: lowering.text('constant'),
      constant_val: lowering.float(value, 'constant_val'),
    },
    { ...x.type, shape },
  );
}

/** x multiplied by and added to numbers of its own type. */
export function times(lowering: Lowering, x: MilValue, factor: number): MilValue {
  return factor === 1 ? x : lowering.binary('mul', x, lowering.scalarLike(x, factor));
}

export function plus(lowering: Lowering, x: MilValue, summand: number): MilValue {
  return summand === 0 ? x : lowering.binary('add', x, lowering.scalarLike(x, summand));
}
