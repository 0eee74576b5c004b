/**
 * Elements put at places that an operand says. SCATTER_ND adds up what goes to one place, so plain replacing needs places that
 * differ, as ONNX does; what combines goes through the segment operators, one segment a place.
 */
import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
import type { BuiltinOperator } from '../schema.ts';
import { coordinates, fromFront } from './indexing.ts';
import type { Lowering } from './lowering.ts';
import type { Lower } from './registry.ts';
import { positive, Refusal } from './terms.ts';

export const SCATTER_LOWERINGS: Readonly<Record<string, Lower>> = {
  ScatterND: scatterNd,
  ScatterElements: scatterElements,
  Scatter: scatterElements,
  TensorScatter: tensorScatter,
};

const size = (shape: readonly number[]): number => shape.reduce((all, dim) => all * dim, 1);

/** The updates that meet at a place, and how they meet what is there. */
const REDUCTIONS: Readonly<Record<string, readonly [BuiltinOperator, BuiltinOperator]>> = {
  add: ['UNSORTED_SEGMENT_SUM', 'ADD'],
  mul: ['UNSORTED_SEGMENT_PROD', 'MUL'],
  max: ['UNSORTED_SEGMENT_MAX', 'MAXIMUM'],
  min: ['UNSORTED_SEGMENT_MIN', 'MINIMUM'],
};

/** `data` [S, T], `places` [K] of int32, `updates` [K, T]. */
function scattered(
  lowering: Lowering,
  data: TflTensor,
  places: TflTensor,
  updates: TflTensor,
  reduction: string,
): TflTensor {
  if (data.dtype === 'bool') {
    const [values, changes] = [lowering.cast(data, 'int32'), lowering.cast(updates, 'int32')];
    const kind = reduction === 'add' ? 'max' : reduction === 'mul' ? 'min' : reduction;
    return lowering.binary('NOT_EQUAL', scattered(lowering, values, places, changes, kind), 0, 'bool');
  }
  const [slots = 1, width = 1] = data.shape;
  const [count = 1] = places.shape;
  if (reduction === 'none') {
    const indices = lowering.reshape(places, [count, 1]);
    const shape = (columns: number): TflTensor => lowering.int32([slots, columns]);
    const written = lowering.emit('SCATTER_ND', [indices, updates, shape(width)], {
      shape: data.shape,
      dtype: data.dtype,
    });
    const ones = lowering.constant('float32', new Float32Array(count).fill(1), [count, 1]);
    const marks = lowering.emit('SCATTER_ND', [indices, ones, shape(1)], { shape: [slots, 1], dtype: 'float32' });
    return lowering.select(lowering.binary('GREATER', marks, 0, 'bool'), written, data);
  }
  const [segment, combine] = REDUCTIONS[reduction] ?? [];
  if (segment === undefined || combine === undefined) throw new Refusal(`the reduction ${reduction}`);
  // The segment operators know float32 and int32.
  const kind = data.dtype === 'int64' ? 'int32' : data.dtype;
  const inputs = [lowering.cast(updates, kind), places, lowering.scalar(slots, 'int32')];
  const met = lowering.emit(segment, inputs, { shape: data.shape, dtype: kind });
  return lowering.cast(lowering.binary(combine, lowering.cast(data, kind), met), data.dtype);
}

/** Tuples of indices that name elements, or slices of what the tuple leaves. */
function scatterNd(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const value = lowering.input(node, 1);
  const tuples = coordinates(lowering, lowering.tensor(value), lowering.numbers(value), x.shape);
  const updates = lowering.read(node, 2);
  const width = tuples.shape.at(-1) ?? 1;
  const [slots, rest] = [size(x.shape.slice(0, width)), size(x.shape.slice(width))];
  const count = size(tuples.shape.slice(0, -1));
  const strides = Array.from({ length: width }, (_, axis) => size(x.shape.slice(axis + 1, width)));
  const weighted = lowering.mul(lowering.reshape(tuples, [count, width]), lowering.constant('int32', strides, [width]));
  const places = lowering.reshape(lowering.reduce('SUM', weighted, [1]), [count]);
  const y = scattered(
    lowering,
    lowering.reshape(x, [slots, rest]),
    places,
    lowering.reshape(updates, [count, rest]),
    node.string('reduction', 'none'),
  );
  lowering.result(node, lowering.reshape(y, x.shape));
}

/** Each update goes to its own place along all axes but one, along which the index says. */
function scatterElements(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const value = lowering.input(node, 1);
  const updates = lowering.read(node, 2);
  const axis = positive(node.int('axis', 0), x.shape.length);
  const indices = fromFront(lowering, lowering.tensor(value), lowering.numbers(value), x.shape[axis] ?? 1);
  const { shape } = indices;
  const count = size(shape);
  const stride = (each: number): number => size(x.shape.slice(each + 1));
  const others = Array.from({ length: count }, (_, at) =>
    shape.reduce((sum, dim, each) => {
      const place = Math.floor(at / size(shape.slice(each + 1))) % dim;
      return each === axis ? sum : sum + place * stride(each);
    }, 0),
  );
  const along = lowering.mul(lowering.reshape(lowering.cast(indices, 'int32'), [count]), stride(axis));
  const places = lowering.add(along, lowering.constant('int32', others, [count]));
  const y = scattered(
    lowering,
    lowering.reshape(x, [size(x.shape), 1]),
    places,
    lowering.reshape(updates, [count, 1]),
    node.string('reduction', 'none'),
  );
  lowering.result(node, lowering.reshape(y, x.shape));
}

/** A cache into which each sample writes a run of rows, from a place of its own on. */
function tensorScatter(node: Node, lowering: Lowering): void {
  const cache = lowering.read(node, 0);
  const updates = lowering.read(node, 1);
  const axis = positive(node.int('axis', -2), cache.shape.length);
  const [batch = 1, ...between] = cache.shape.slice(0, axis);
  const [length, middle, rest] = [cache.shape[axis] ?? 1, size(between), size(cache.shape.slice(axis + 1))];
  const count = updates.shape[axis] ?? 1;
  const steps = lowering.constant(
    'int32',
    Array.from({ length: count }, (_, at) => at),
    [1, 1, count],
  );
  const given = lowering.optional(node, 2);
  const starts =
    given === null
      ? lowering.constant('int32', new Int32Array(batch), [batch, 1, 1])
      : lowering.reshape(lowering.cast(lowering.tensor(given), 'int32'), [batch, 1, 1]);
  const plain = lowering.add(starts, steps);
  const at = node.string('mode', 'linear') === 'circular' ? lowering.binary('FLOOR_MOD', plain, length) : plain;
  const rows = Array.from({ length: batch * middle }, (_, row) => row * length);
  const places = lowering.add(at, lowering.constant('int32', rows, [batch, middle, 1]));
  const y = scattered(
    lowering,
    lowering.reshape(cache, [batch * middle * length, rest]),
    lowering.reshape(places, [batch * middle * count]),
    lowering.reshape(updates, [batch * middle * count, rest]),
    'none',
  );
  lowering.result(node, lowering.reshape(y, cache.shape));
}
