/** Operators that read elements from places, or write them there. */
import type { Node } from '../../../graph/node.ts';
import type { MilDim, MilValue } from '../program.ts';
import { compare, expandDims, gather, gatherAlongAxis, gatherNd, matmul, reduce } from './builders.ts';
import type { Lower, Lowering } from './lowering.ts';
import { Refusal, staticDims } from './terms.ts';

/** Constant indices are counted from the front, since negative ones are not taken on every device. */
function indices(node: Node, lowering: Lowering, index: number, dim: MilDim): MilValue {
  const numbers = lowering.numbers(node, index);
  if (numbers === null || !numbers.some((at) => at < 0)) return lowering.get(node, index);
  if (dim === null) throw new Refusal('indices from the end of a size that is not known');
  const shape = lowering.shape(lowering.input(node, index)) as number[];
  const positive = numbers.map((at) => (at < 0 ? at + dim : at));
  return shape.length === 0 ? lowering.int(positive[0] ?? 0, 'index') : lowering.reshapedInts(positive, shape);
}

/** As `indices`, where the last dimension counts the dimensions of the data from `batch` on. */
function tuples(node: Node, lowering: Lowering, dims: readonly MilDim[], batch: number): MilValue {
  const numbers = lowering.numbers(node, 1);
  if (numbers === null || !numbers.some((at) => at < 0)) return lowering.get(node, 1);
  const shape = lowering.shape(lowering.input(node, 1)) as number[];
  const width = shape.at(-1) ?? 1;
  const positive = numbers.map((at, place) => {
    const dim = dims[batch + (place % width)] ?? null;
    if (at < 0 && dim === null) throw new Refusal('indices from the end of a size that is not known');
    return at < 0 ? at + (dim ?? 0) : at;
  });
  return lowering.reshapedInts(positive, shape);
}

function gatherOne(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  if (x.type.shape.length === 0) throw new Refusal('nothing can be picked from a scalar');
  const axis = lowering.axis(node.int('axis', 0), x.type.shape.length);
  lowering.result(node, gather(lowering, x, indices(node, lowering, 1, x.type.shape[axis] ?? null), axis));
}

function gatherElements(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const axis = lowering.axis(node.int('axis', 0), x.type.shape.length);
  const places = indices(node, lowering, 1, x.type.shape[axis] ?? null);
  lowering.result(node, gatherAlongAxis(lowering, x, places, axis));
}

function gatherNdNode(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const batch = node.int('batch_dims', 0);
  if (batch > 0) lowering.require(16, 'picking in batches');
  const places = tuples(node, lowering, x.type.shape, batch);
  lowering.result(node, gatherNd(lowering, x, places, lowering.shape(lowering.output(node)), batch));
}

const MODES: Readonly<Record<string, string>> = { none: 'update', add: 'add', mul: 'mul', max: 'max', min: 'min' };

function scatter(node: Node, lowering: Lowering): void {
  const data = lowering.get(node, 0);
  if (data.type.dtype === 'bool') throw new Refusal('Core ML scatters numbers only');
  const mode = MODES[node.string('reduction', 'none')];
  if (mode === undefined) throw new Refusal('Core ML has no such reduction');
  const nd = node.opType === 'ScatterND';
  const axis = lowering.axis(node.int('axis', 0), data.type.shape.length);
  lowering.out(node, nd ? 'scatter_nd' : 'scatter_along_axis', {
    data,
    indices: nd
      ? tuples(node, lowering, data.type.shape, 0)
      : indices(node, lowering, 1, data.type.shape[axis] ?? null),
    updates: lowering.get(node, 2),
    axis: nd ? null : lowering.int(axis, 'axis'),
    mode: lowering.text(mode),
    validate_indices: lowering.target >= 17 ? lowering.bool(false, 'validate') : null,
  });
}

/** Puts what a pool took back where it was: the indices count the elements of the whole result. */
function maxUnpool(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const shape = staticDims(lowering.shape(lowering.output(node)), 'the result');
  const given = node.inputs[2];
  // With another size than the pool's own, the indices are those of the smaller one. Source: onnx Operators.md, MaxUnpool.
  if (given) throw new Refusal('the size of the result is given by an operand');
  const size = shape.reduce((product, dim) => product * dim, 1);
  const zeros = lowering.op(
    'fill',
    { shape: lowering.ints([size], 'size'), value: lowering.float(0) },
    { dtype: 'fp32', shape: [size] },
  );
  const placed = lowering.op(
    'scatter_along_axis',
    {
      data: zeros,
      indices: lowering.reshape(lowering.get(node, 1), [-1]),
      updates: lowering.reshape(x, [-1]),
      axis: lowering.int(0, 'axis'),
      mode: lowering.text('update'),
      validate_indices: lowering.target >= 17 ? lowering.bool(false, 'validate') : null,
    },
    { dtype: 'fp32', shape: [size] },
  );
  lowering.result(node, lowering.reshape(placed, shape));
}

/**
 * A cache with new rows at a place of its own in each sequence: a matrix of ones where row s of the cache is row t of the
 * update says which. Source: onnx Operators.md, TensorScatter.
 */
function tensorScatter(node: Node, lowering: Lowering): void {
  const cache = lowering.get(node, 0);
  const update = lowering.get(node, 1);
  const rank = cache.type.shape.length;
  const axis = lowering.axis(node.int('axis', -2), rank);
  if (axis !== rank - 2 || cache.type.dtype !== 'fp32') throw new Refusal('only caches of float rows are updated');
  const [length = 1, count = 1] = staticDims([cache.type.shape[axis] ?? null, update.type.shape[axis] ?? null], 'rows');
  const [batch = 1] = staticDims(cache.type.shape.slice(0, 1), 'the batch');
  const counted = (size: number): number[] => Array.from({ length: size }, (_, index) => index);
  const start = node.inputs[2] ? lowering.get(node, 2) : lowering.ints(Array<number>(batch).fill(0), 'start');
  let rows = lowering.binary('add', expandDims(lowering, start, [1]), lowering.ints(counted(count), 'rows'));
  if (node.string('mode', 'linear') === 'circular') rows = lowering.binary('mod', rows, lowering.int(length));
  const inner = Array.from({ length: rank - 3 }, (_, index) => index + 1);
  const places = expandDims(lowering, expandDims(lowering, rows, [1]), inner);
  const all = lowering.reshapedInts(counted(length), [length, 1]);
  const isNew = lowering.cast(compare(lowering, 'equal', all, places), 'fp32');
  const kept = lowering.binary('sub', lowering.float(1), reduce(lowering, 'reduce_max', isNew, [rank - 1]));
  lowering.result(node, lowering.binary('add', lowering.binary('mul', cache, kept), matmul(lowering, isNew, update)));
}

/** The features of a table that are asked for. Source: ONNX-ML, ArrayFeatureExtractor. */
function featureExtractor(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const places = lowering.reshape(lowering.get(node, 1), [-1]);
  lowering.result(node, gather(lowering, x, places, x.type.shape.length - 1));
}

export const GATHER_SCATTER: Readonly<Record<string, Lower>> = {
  Gather: gatherOne,
  GatherElements: gatherElements,
  GatherND: gatherNdNode,
  ScatterND: scatter,
  ScatterElements: scatter,
  Scatter: scatter,
  MaxUnpool: maxUnpool,
  TensorScatter: tensorScatter,
  'ai.onnx.ml:ArrayFeatureExtractor': featureExtractor,
};
