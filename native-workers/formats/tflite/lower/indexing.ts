/** Operators that take or put elements at places that an operand says. */
import { elementCount } from '../../../graph/dtype.ts';
import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
import type { Lowering } from './lowering.ts';
import { requantized } from './quantize.ts';
import type { Lower } from './registry.ts';
import { positive, Refusal } from './terms.ts';

export const INDEXING_LOWERINGS: Readonly<Record<string, Lower>> = {
  Gather: gather,
  GatherND: gatherNd,
  GatherElements: gatherElements,
  OneHot: oneHot,
  'ai.onnx.ml:ArrayFeatureExtractor': arrayFeatureExtractor,
};

/** Negative indices count from the end in ONNX; TFLite has none. */
export function fromFront(
  lowering: Lowering,
  indices: TflTensor,
  constant: readonly number[] | null,
  size: number,
): TflTensor {
  if (constant !== null) {
    const places = constant.map((index) => positive(index, size));
    if (places.some((place) => place < 0 || place >= size)) throw new Refusal('an index outside of the data');
    return lowering.constant('int32', places, indices.shape);
  }
  const isNegative = lowering.binary('LESS', indices, 0, 'bool');
  return lowering.select(isNegative, lowering.add(indices, size), indices);
}

function gather(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const axis = positive(node.int('axis', 0), x.shape.length);
  const value = lowering.input(node, 1);
  const indices = fromFront(lowering, lowering.tensor(value), lowering.numbers(value), x.shape[axis] ?? 1);
  lowering.result(node, requantized(lowering, lowering.gather(x, indices, axis), lowering.resultType(node)));
}

/** The elements at given places of the last dimension. */
function arrayFeatureExtractor(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const rows = x.shape.length === 1 ? lowering.reshape(x, [1, ...x.shape]) : x;
  const places = lowering.tensor(lowering.input(node, 1));
  const flat = lowering.reshape(places, [elementCount(places.shape)]);
  lowering.result(node, lowering.gather(rows, flat, rows.shape.length - 1));
}

function gatherNd(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const value = lowering.input(node, 1);
  const batch = node.int('batch_dims', 0);
  const tuples = coordinates(lowering, lowering.tensor(value), lowering.numbers(value), x.shape.slice(batch));
  const indices =
    batch === 0 ? tuples : lowering.concat([ownPlaces(lowering, tuples, batch), tuples], tuples.shape.length - 1);
  lowering.result(node, lowering.emit('GATHER_ND', [x, indices], lowering.resultType(node)));
}

/** The places of each tuple along the batch dimensions, in the form of the tuples: [..., batch]. */
function ownPlaces(lowering: Lowering, { shape }: TflTensor, batch: number): TflTensor {
  const rows = shape.slice(0, -1);
  const count = rows.reduce((all, dim) => all * dim, 1);
  const places = Array.from({ length: count * batch }, (_, at) => {
    const inner = rows.slice((at % batch) + 1).reduce((all, dim) => all * dim, 1);
    return Math.floor(Math.floor(at / batch) / inner) % (rows[at % batch] ?? 1);
  });
  return lowering.constant('int32', places, [...rows, batch]);
}

/** Tuples of indices, with each counted from the front. */
export function coordinates(
  lowering: Lowering,
  indices: TflTensor,
  constant: readonly number[] | null,
  shape: readonly number[],
): TflTensor {
  const width = indices.shape.at(-1) ?? 1;
  if (constant !== null) {
    const places = constant.map((index, at) => positive(index, shape[at % width] ?? 1));
    return lowering.constant('int32', places, indices.shape);
  }
  const sizes = lowering.constant(indices.dtype, shape.slice(0, width), [width]);
  const isNegative = lowering.binary('LESS', indices, 0, 'bool');
  const moved = lowering.select(isNegative, lowering.add(indices, sizes), indices);
  return lowering.cast(moved, 'int32');
}

/** Each element's own index along the axis, with the places along the others, as coordinates for GATHER_ND. */
function gatherElements(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const value = lowering.input(node, 1);
  const axis = positive(node.int('axis', 0), x.shape.length);
  const indices = lowering.cast(
    fromFront(lowering, lowering.tensor(value), lowering.numbers(value), x.shape[axis] ?? 1),
    'int32',
  );
  const { shape } = indices;
  const count = shape.reduce((all, dim) => all * dim, 1);
  const parts = shape.map((_, each) => {
    if (each === axis) return lowering.reshape(indices, [count, 1]);
    const inner = shape.slice(each + 1).reduce((all, dim) => all * dim, 1);
    const places = Array.from({ length: count }, (__, at) => Math.floor(at / inner) % (shape[each] ?? 1));
    return lowering.constant('int32', places, [count, 1]);
  });
  const tuples = lowering.concat(parts, 1);
  const flat = lowering.emit('GATHER_ND', [x, tuples], { shape: [count], dtype: x.dtype });
  lowering.result(node, lowering.reshape(flat, shape));
}

function oneHot(node: Node, lowering: Lowering): void {
  const indices = lowering.cast(lowering.read(node, 0), 'int32');
  const depth = Math.trunc(lowering.fixed(lowering.input(node, 1), 'the depth')[0] ?? 1);
  const values = lowering.read(node, 2);
  const off = lowering.reshape(lowering.slice(values, [0], [1]), []);
  const on = lowering.reshape(lowering.slice(values, [1], [1]), []);
  const { shape } = lowering.resultType(node);
  const axis = positive(node.int('axis', -1), shape.length);
  const isNegative = lowering.binary('LESS', indices, 0, 'bool');
  const places = lowering.select(isNegative, lowering.add(indices, depth), indices);
  const inputs = [places, lowering.scalar(depth, 'int32'), on, off];
  lowering.result(node, lowering.emit('ONE_HOT', inputs, { shape, dtype: values.dtype }, { axis }));
}
