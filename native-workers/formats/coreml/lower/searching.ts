/** Operators that search elements, count along an axis, or choose by what they find. */
import type { Node } from '../../../graph/node.ts';
import type { MilDim, MilValue } from '../program.ts';
import { compare, gather, plus, reverse, select, squeeze, take, times } from './builders.ts';
import type { Lower, Lowering } from './lowering.ts';
import { Refusal, staticDims } from './terms.ts';

const arg =
  (type: string): Lower =>
  (node, lowering) => {
    const x = lowering.get(node, 0);
    const axis = lowering.axis(node.int('axis', 0), x.type.shape.length);
    const last = node.int('select_last_index', 0) !== 0;
    const keep = node.int('keepdims', 1) !== 0;
    const shape = keep
      ? x.type.shape.map((dim, index) => (index === axis ? 1 : dim))
      : x.type.shape.filter((_, index) => index !== axis);
    // Core ML gives the first of equal elements; the last one is the first from the other end.
    const found = lowering.op(
      type,
      {
        x: last ? reverse(lowering, x, [axis]) : x,
        axis: lowering.int(axis, 'axis'),
        keep_dims: lowering.bool(keep, 'keep_dims'),
      },
      { dtype: 'int32', shape },
    );
    if (!last) {
      lowering.result(node, found);
      return;
    }
    const [size = 1] = staticDims([x.type.shape[axis] ?? null], 'the dimension that is searched');
    lowering.result(node, plus(lowering, times(lowering, found, -1), size - 1));
  };

function topK(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const k = lowering.opset < 10 ? node.int('k', 1) : (lowering.fixed(node, 1, 'the number of elements')[0] ?? 1);
  const axis = lowering.axis(node.int('axis', -1), x.type.shape.length);
  const shape = x.type.shape.map((dim, index) => (index === axis ? k : dim));
  const outputs = [0, 1].map((index) => {
    const value = node.outputs[index];
    return value ? lowering.declare(value) : lowering.spare({ dtype: index === 0 ? x.type.dtype : 'int32', shape });
  });
  lowering.operation(
    'topk',
    {
      x,
      k: lowering.int(k, 'k'),
      axis: lowering.int(axis, 'axis'),
      ascending: lowering.bool(node.int('largest', 1) === 0, 'ascending'),
      sort: lowering.target >= 16 ? lowering.bool(true, 'sort') : null,
      return_indices: lowering.target >= 16 ? lowering.bool(true, 'return_indices') : null,
      output_indices_dtype: lowering.target >= 17 ? lowering.text('int32', 'indices_dtype') : null,
    },
    outputs,
  );
}

function cumSum(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const axis = lowering.fixed(node, 1, 'the axis')[0] ?? 0;
  lowering.out(node, 'cumsum', {
    x,
    axis: lowering.int(lowering.axis(axis, x.type.shape.length), 'axis'),
    exclusive: lowering.bool(node.int('exclusive', 0) !== 0, 'exclusive'),
    reverse: lowering.bool(node.int('reverse', 0) !== 0, 'reverse'),
  });
}

/** 1 at the index of each vector, 0 elsewhere; `depth` is the length of the new dimension `axis`. */
export function oneHot(
  lowering: Lowering,
  places: MilValue,
  depth: number,
  axis: number,
  dtype: 'fp32' | 'int32',
): MilValue {
  const shape: MilDim[] = [...places.type.shape];
  shape.splice(axis, 0, depth);
  const like = { dtype, shape } as const;
  const scalar = (value: number): MilValue => (dtype === 'fp32' ? lowering.float(value) : lowering.int(value));
  return lowering.op(
    'one_hot',
    {
      indices: places,
      one_hot_vector_size: lowering.int(depth, 'depth'),
      axis: lowering.int(axis, 'axis'),
      on_value: scalar(1),
      off_value: scalar(0),
    },
    like,
  );
}

function oneHotNode(node: Node, lowering: Lowering): void {
  const depth = lowering.fixed(node, 1, 'the number of places')[0] ?? 1;
  const places = lowering.cast(lowering.get(node, 0), 'int32');
  const axis = lowering.axis(node.int('axis', -1), places.type.shape.length + 1);
  // Negative indices count from the end.
  const negative = lowering.cast(compare(lowering, 'less', places, lowering.int(0)), 'int32');
  const positive = lowering.binary('add', places, times(lowering, negative, depth));
  const values = lowering.get(node, 2);
  const numbers = values.type.dtype === 'bool' ? lowering.cast(values, 'int32') : values;
  const dtype = numbers.type.dtype === 'int32' ? 'int32' : 'fp32';
  const hot = oneHot(lowering, positive, depth, axis, dtype);
  const of = (index: number): MilValue => take(lowering, numbers, [index], 0);
  const step = lowering.binary('sub', of(1), of(0));
  lowering.result(node, lowering.binary('add', lowering.binary('mul', hot, step), of(0)));
}

function hardmax(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const rank = x.type.shape.length;
  const axis = lowering.axis(node.int('axis', lowering.opset < 13 ? 1 : -1), rank);
  if (lowering.opset < 13 && axis !== rank - 1)
    throw new Refusal('before operator set 13 it is over several dimensions at once');
  const [depth = 1] = staticDims([x.type.shape[axis] ?? null], 'the dimension of the largest element');
  const found = lowering.op(
    'reduce_argmax',
    { x, axis: lowering.int(axis, 'axis'), keep_dims: lowering.bool(false, 'keep_dims') },
    { dtype: 'int32', shape: x.type.shape.filter((_, index) => index !== axis) },
  );
  lowering.result(node, oneHot(lowering, found, depth, axis, 'fp32'));
}

function nonZero(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const rank = x.type.shape.length;
  if (rank === 0) throw new Refusal('a scalar has no places');
  const found = lowering.op('non_zero', { x }, { dtype: 'int32', shape: [null, rank] });
  lowering.result(node, lowering.transpose(found, [1, 0]));
}

function compress(node: Node, lowering: Lowering): void {
  let x = lowering.get(node, 0);
  let axis = node.int('axis', 0);
  if (!node.attributes.has('axis')) x = lowering.reshape(x, [-1]);
  else axis = lowering.axis(axis, x.type.shape.length);
  const kept = lowering.numbers(node, 1)?.flatMap((flag, place) => (flag ? [place] : []));
  const places =
    kept === undefined
      ? squeeze(
          lowering,
          lowering.op('non_zero', { x: lowering.get(node, 1) }, { dtype: 'int32', shape: [null, 1] }),
          [1],
        )
      : lowering.ints(kept, 'places');
  lowering.result(node, gather(lowering, x, places, axis));
}

function reverseSequence(node: Node, lowering: Lowering): void {
  const batchAxis = node.int('batch_axis', 1);
  lowering.out(node, 'reverse_sequence', {
    x: lowering.get(node, 0),
    lengths: lowering.get(node, 1),
    seq_axis: lowering.int(node.int('time_axis', 0), 'seq_axis'),
    batch_axis: lowering.int(batchAxis, 'batch_axis'),
  });
}

function binarizer(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const above = compare(lowering, 'greater', x, lowering.scalarLike(x, node.float('threshold', 0)));
  lowering.result(node, select(lowering, above, lowering.scalarLike(x, 1), lowering.scalarLike(x, 0)));
}

export const SEARCHING: Readonly<Record<string, Lower>> = {
  ArgMax: arg('reduce_argmax'),
  ArgMin: arg('reduce_argmin'),
  TopK: topK,
  CumSum: cumSum,
  OneHot: oneHotNode,
  Hardmax: hardmax,
  NonZero: nonZero,
  Compress: compress,
  ReverseSequence: reverseSequence,
  'ai.onnx.ml:Binarizer': binarizer,
};
