/** Equal elements, or equal slices along an axis, once each. Source: onnx Operators.md, Unique. */
import type { Node } from '../../../graph/node.ts';
import type { MilValue } from '../program.ts';
import { compare, expandDims, gather, gatherAlongAxis, reduce, select, squeeze } from './builders.ts';
import type { Lower, Lowering } from './lowering.ts';
import { Refusal, staticDims } from './terms.ts';

/** All pairs are compared, element by element. */
const MOST_COMPARISONS = 1 << 24;

/** Rows are compared in pairs: what is equal, and what comes before. Then the first of each kind are picked in order. */
function unique(node: Node, lowering: Lowering): void {
  lowering.precise();
  const given = lowering.get(node, 0);
  const isFlat = !node.attributes.has('axis');
  const x = isFlat ? lowering.reshape(given, [-1]) : given;
  const rank = x.type.shape.length;
  const axis = isFlat ? 0 : lowering.axis(node.int('axis', 0), rank);
  const shape = staticDims(x.type.shape, 'what is sorted out');
  const count = shape[axis] ?? 1;
  const width = shape.reduce((product, dim) => product * dim, 1) / count;
  if (count * count * width > MOST_COMPARISONS)
    throw new Refusal(`it compares ${count} rows of ${width} elements in pairs, which is too much`);
  const order = [axis, ...shape.map((_, each) => each).filter((each) => each !== axis)];
  const numbers = lowering.cast(x, x.type.dtype === 'bool' ? 'int32' : x.type.dtype);
  const rows = lowering.reshape(rank === 1 ? numbers : lowering.transpose(numbers, order), [count, width]);

  // [count, count]: -1, 0 or 1 where row i is before, equal to or behind row j.
  const sign = comparison(lowering, rows, width);
  const isEqual = compare(lowering, 'equal', sign, lowering.int(0));
  const equal = lowering.cast(isEqual, 'int32');
  const counted = lowering.ints(Array.from({ length: count }, (_, at) => at));
  const first = lowering.op(
    'reduce_argmax',
    { x: equal, axis: lowering.int(1, 'axis'), keep_dims: lowering.bool(false, 'keep_dims') },
    { dtype: 'int32', shape: [count] },
  );
  const isFirst = compare(lowering, 'equal', first, counted);
  const firsts = lowering.cast(isFirst, 'int32');
  // How many kinds come before: those that are less, or that were met before.
  const isBefore =
    node.int('sorted', 1) !== 0
      ? compare(lowering, 'greater', sign, lowering.int(0))
      : compare(lowering, 'greater', expandDims(lowering, first, [1]), expandDims(lowering, counted, [0]));
  const before = lowering.binary('mul', lowering.cast(isBefore, 'int32'), firsts);
  const kind = reduce(lowering, 'reduce_sum', before, [1], false);

  const key = select(lowering, isFirst, kind, lowering.int(count));
  const sorted = lowering.op(
    'argsort',
    { x: key, axis: lowering.int(0, 'axis'), ascending: lowering.bool(true, 'ascending') },
    { dtype: 'int32', shape: [count] },
  );
  const found = lowering.op(
    'non_zero',
    { x: gather(lowering, firsts, sorted, 0) },
    { dtype: 'int32', shape: [null, 1] },
  );
  const places = gather(lowering, sorted, squeeze(lowering, found, [1]), 0);
  lowering.result(node, gather(lowering, x, places, axis));
  if (node.outputs[1]) lowering.set(node.outputs[1], places);
  if (node.outputs[2]) lowering.set(node.outputs[2], kind);
  if (node.outputs[3])
    lowering.set(node.outputs[3], gather(lowering, reduce(lowering, 'reduce_sum', equal, [1], false), places, 0));
}

/** [count, count]: which of two rows of [count, width] is less, by the first elements that differ. */
function comparison(lowering: Lowering, rows: MilValue, width: number): MilValue {
  const [mine, other] = [expandDims(lowering, rows, [1]), expandDims(lowering, rows, [0])];
  const above = lowering.cast(compare(lowering, 'greater', mine, other), 'int32');
  const below = lowering.cast(compare(lowering, 'less', mine, other), 'int32');
  const signs = lowering.binary('sub', above, below);
  if (width === 1) return squeeze(lowering, signs, [2]);
  const [count = 1] = rows.type.shape;
  const differing = lowering.op(
    'reduce_argmax',
    {
      x: lowering.unary('abs', signs),
      axis: lowering.int(2, 'axis'),
      keep_dims: lowering.bool(true, 'keep_dims'),
    },
    { dtype: 'int32', shape: [count, count, 1] },
  );
  return squeeze(lowering, gatherAlongAxis(lowering, signs, differing, 2), [2]);
}

export const UNIQUE: Readonly<Record<string, Lower>> = { Unique: unique };
