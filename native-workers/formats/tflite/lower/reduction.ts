/** Reductions over axes, positions of extremes, sorting, running sums. */
import { elementCount } from '../../../graph/dtype.ts';
import type { Node } from '../../../graph/node.ts';
import type { Quantization, TflTensor } from '../ir.ts';
import type { BuiltinOperator } from '../schema.ts';
import type { Lowering } from './lowering.ts';
import { requantized } from './quantize.ts';
import type { Lower } from './registry.ts';
import { positive } from './terms.ts';

type Reduce = (
  lowering: Lowering,
  x: TflTensor,
  axes: readonly number[],
  stored: ReturnType<Lowering['resultType']>,
) => TflTensor;

const plain =
  (code: BuiltinOperator): Reduce =>
  (lowering, x, axes) =>
    lowering.reduce(code, x, axes);

export const REDUCTION_LOWERINGS: Readonly<Record<string, Lower>> = {
  ReduceMean: reduction((lowering, x, axes, { quantization }) => {
    if (x.dtype === 'float32' || x.quantization !== null) return meanOver(lowering, x, axes, quantization);
    const count = axes.reduce((all, axis) => all * (x.shape[axis] ?? 1), 1);
    const sum = lowering.cast(lowering.reduce('SUM', x, axes), 'float32');
    return lowering.cast(lowering.div(sum, count), x.dtype);
  }),
  ReduceSum: reduction(plain('SUM')),
  ReduceProd: reduction(plain('REDUCE_PROD')),
  ReduceMax: reduction((lowering, x, axes) =>
    lowering.reduce(x.dtype === 'bool' ? 'REDUCE_ANY' : 'REDUCE_MAX', x, axes),
  ),
  ReduceMin: reduction((lowering, x, axes) =>
    lowering.reduce(x.dtype === 'bool' ? 'REDUCE_ALL' : 'REDUCE_MIN', x, axes),
  ),
  ReduceL1: reduction((lowering, x, axes) => lowering.reduce('SUM', lowering.unary('ABS', x), axes)),
  ReduceL2: reduction((lowering, x, axes) => lowering.unary('SQRT', lowering.reduce('SUM', lowering.mul(x, x), axes))),
  ReduceSumSquare: reduction((lowering, x, axes) => lowering.reduce('SUM', lowering.mul(x, x), axes)),
  ReduceLogSum: reduction((lowering, x, axes) => lowering.unary('LOG', lowering.reduce('SUM', x, axes))),
  ReduceLogSumExp: reduction((lowering, x, axes) => {
    const top = lowering.reduce('REDUCE_MAX', x, axes);
    const sum = lowering.reduce('SUM', lowering.unary('EXP', lowering.sub(x, top)), axes);
    return lowering.add(lowering.unary('LOG', sum), top);
  }),
  ArgMax: (node, lowering) => argExtreme(node, lowering, 'ARG_MAX'),
  ArgMin: (node, lowering) => argExtreme(node, lowering, 'ARG_MIN'),
  TopK: topK,
  CumSum: cumulativeSum,
  CumProd: cumulativeProduct,
};

/** MEAN requantizes by itself, from the whole sum; a QUANTIZE after it would round twice. */
export function meanOver(
  lowering: Lowering,
  x: TflTensor,
  axes: readonly number[],
  quantization: Quantization | undefined,
): TflTensor {
  const mean = lowering.reduce('MEAN', x, axes);
  if (mean !== x && quantization !== undefined) mean.quantization = quantization;
  return mean;
}

function reduction(reduce: Reduce): Lower {
  return (node, lowering) => {
    const x = lowering.read(node, 0);
    const rank = x.shape.length;
    const value = lowering.optional(node, 1);
    let axes = value === null ? node.ints('axes') : lowering.fixed(value, 'the axes');
    if (axes === null || axes.length === 0) {
      if (
        node.int('noop_with_empty_axes', 0) === 1 &&
        !['ReduceL1', 'ReduceL2', 'ReduceSumSquare', 'ReduceLogSum'].includes(node.opType)
      ) {
        lowering.result(node, lowering.reshape(x, x.shape));
        return;
      }
      axes = node.int('noop_with_empty_axes', 0) === 1 ? [] : x.shape.map((_, axis) => axis);
    }
    const stored = lowering.resultType(node);
    const input =
      x.dtype === 'int64' && !['ReduceMax', 'ReduceMin', 'ReduceSum', 'ReduceProd', 'ReduceMean'].includes(node.opType)
        ? lowering.cast(x, 'float32')
        : x;
    const real = input.dtype !== 'float32' && /L2|Log/.test(node.opType) ? lowering.cast(input, 'float32') : input;
    const kept = reduce(
      lowering,
      real,
      axes.map((axis) => positive(axis, rank)),
      stored,
    );
    const shaped = lowering.reshape(
      kept.dtype === stored.dtype || kept.quantization !== null ? kept : lowering.cast(kept, stored.dtype),
      stored.shape,
    );
    lowering.result(node, requantized(lowering, shaped, stored));
  };
}

function argExtreme(node: Node, lowering: Lowering, code: 'ARG_MAX' | 'ARG_MIN'): void {
  const read = lowering.read(node, 0);
  const axis = positive(node.int('axis', 0), read.shape.length);
  const isLast = node.int('select_last_index', 0) === 1;
  const forward = read.dtype === 'int64' ? lowering.cast(read, 'int32') : read;
  // The last of equal ones is the first from the end.
  const x = isLast
    ? lowering.emit('REVERSE_V2', [forward, lowering.int32([axis])], {
        shape: forward.shape,
        dtype: forward.dtype,
        quantization: forward.quantization,
      })
    : forward;
  const shape = x.shape.filter((_, index) => index !== axis);
  const y = lowering.emit(code, [x, lowering.scalar(axis, 'int32')], { shape, dtype: 'int64' }, { output_type: 4 });
  const index = isLast ? lowering.sub(lowering.scalar((x.shape[axis] ?? 1) - 1, 'int64'), y) : y;
  lowering.result(node, lowering.reshape(index, lowering.resultType(node).shape));
}

/** TOPK_V2 takes the largest along the last axis. */
function topK(node: Node, lowering: Lowering): void {
  const read = lowering.read(node, 0);
  const rank = read.shape.length;
  const axis = positive(node.int('axis', -1), rank);
  const k = lowering.opset < 10 ? node.int('k', 1) : (lowering.fixed(lowering.input(node, 1), 'k')[0] ?? 1);
  const isSmallest = node.int('largest', 1) === 0;
  const perm = [...read.shape.map((_, index) => index).filter((index) => index !== axis), axis];
  const back = perm.map((_, index) => perm.indexOf(index));
  // Turned over; -1 - x, since -x of the least integer is itself.
  const turned = (value: TflTensor): TflTensor =>
    value.dtype === 'float32' ? lowering.mul(value, -1) : lowering.sub(lowering.scalar(-1, value.dtype), value);
  const signed = isSmallest ? turned(read) : read;
  const x = lowering.transpose(signed, perm);
  const shape = [...x.shape.slice(0, -1), k];
  const types = [
    { shape, dtype: x.dtype },
    { shape, dtype: 'int32' as const },
  ];
  const [values, indices] = lowering.emitAll('TOPK_V2', [x, lowering.scalar(k, 'int32')], types) as [
    TflTensor,
    TflTensor,
  ];
  const best = lowering.transpose(values, back);
  if (node.outputs[0]) lowering.result(node, isSmallest ? turned(best) : best);
  if (node.outputs[1])
    lowering.define(lowering.output(node, 1), lowering.cast(lowering.transpose(indices, back), 'int64'));
}

function cumulativeSum(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const axis = positive(lowering.fixed(lowering.input(node, 1), 'the axis')[0] ?? 0, x.shape.length);
  const options = { exclusive: node.int('exclusive', 0) === 1, reverse: node.int('reverse', 0) === 1 };
  const inputs = [x, lowering.scalar(axis, 'int32')];
  lowering.result(node, lowering.emit('CUMSUM', inputs, { shape: x.shape, dtype: x.dtype }, options));
}

/** No builtin of TFLite: each round multiplies by what stands twice as far before, so that a number of rounds is enough. */
function cumulativeProduct(node: Node, lowering: Lowering): void {
  const read = lowering.read(node, 0);
  const axis = positive(lowering.fixed(lowering.input(node, 1), 'the axis')[0] ?? 0, read.shape.length);
  const length = read.shape[axis] ?? 1;
  const turned = (x: TflTensor): TflTensor =>
    node.int('reverse', 0) === 1 ? lowering.emit('REVERSE_V2', [x, lowering.int32([axis])], x) : x;
  /** Moved on by a number of places, with ones before. */
  const moved = (x: TflTensor, count: number): TflTensor => {
    const sized = (size: number): number[] => x.shape.map((dim, at) => (at === axis ? size : dim));
    const ones = lowering.constant(x.dtype, new Float32Array(elementCount(sized(count))).fill(1), sized(count));
    if (count === length) return ones;
    const kept = lowering.slice(
      x,
      x.shape.map(() => 0),
      sized(length - count),
    );
    return lowering.concat([ones, kept], axis);
  };
  let y = turned(read);
  if (node.int('exclusive', 0) === 1) y = moved(y, 1);
  for (let step = 1; step < length; step *= 2) y = lowering.mul(y, moved(y, step));
  lowering.result(node, turned(y));
}
