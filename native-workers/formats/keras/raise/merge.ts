/** Layers of several inputs. */
import { intAttribute, intsAttribute } from '../../../graph/attribute.ts';
import type { Value } from '../../../graph/value.ts';
import { axisIn, type GraphBuilder, type KerasTensor, type Layout, type Size } from './builder.ts';
import type { Inputs, Raise } from './layer.ts';

/** The layout in which tensors can meet: moved when all are of one rank and one of them stands so already. */
export function commonLayout(tensors: readonly KerasTensor[], builder: GraphBuilder): Layout {
  const rank = tensors[0]?.shape.length ?? 0;
  const sameRank = tensors.every(({ shape }) => shape.length === rank);
  return sameRank && tensors.some((tensor) => builder.has(tensor, 'first')) ? 'first' : 'keras';
}

/** The shape of an elementwise result: of each axis the size that is not 1. */
export function broadcast(shapes: readonly (readonly Size[])[]): Size[] {
  const rank = Math.max(...shapes.map(({ length }) => length));
  const padded = shapes.map((shape) => [...new Array<Size>(rank - shape.length).fill(1), ...shape]);
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = padded.map((shape) => shape[axis] ?? null);
    return sizes.find((size) => size !== null && size !== 1) ?? (sizes.includes(null) ? null : 1);
  });
}

function atLeastTwo(inputs: Inputs, builder: GraphBuilder): readonly KerasTensor[] {
  if (inputs.tensors.length < 2) throw builder.corrupt('needs two tensors and is given one.');
  return inputs.tensors;
}

/** Tensors of fewer dimensions get sizes of 1 after the batch, as Keras does (`_Merge.call`). */
function aligned(tensors: readonly KerasTensor[], builder: GraphBuilder): KerasTensor[] {
  const rank = Math.max(...tensors.map(({ shape }) => shape.length));
  return tensors.map((tensor) => {
    const missing = rank - tensor.shape.length;
    if (missing === 0) return tensor;
    const axes = Array.from({ length: missing }, (_, axis) => axis + 1);
    const [batch = null, ...rest] = tensor.shape;
    const value = builder.op('Unsqueeze', [builder.value(tensor, 'keras'), builder.int64s(axes)]);
    const shape = [batch, ...new Array<Size>(missing).fill(1), ...rest];
    return { shape, dtype: tensor.dtype, forms: new Map([['keras' as const, value]]) };
  });
}

const merge =
  (make: (values: Value[], builder: GraphBuilder) => Value): Raise =>
  (_layer, inputs, builder) => {
    const tensors = aligned(atLeastTwo(inputs, builder), builder);
    const layout = commonLayout(tensors, builder);
    const values = tensors.map((tensor) => builder.value(tensor, layout));
    const shape = broadcast(tensors.map((tensor) => tensor.shape));
    return builder.result(make(values, builder), shape, layout);
  };

/** A binary operator applied from the left. */
const chain =
  (opType: string) =>
  (values: Value[], builder: GraphBuilder): Value =>
    values.reduce((left, right) => builder.op(opType, [left, right]));

/** Max, Min, Mean and Sum take any number in ONNX. */
const many =
  (opType: string) =>
  (values: Value[], builder: GraphBuilder): Value =>
    builder.op(opType, values);

const concatenate: Raise = (layer, inputs, builder) => {
  const tensors = atLeastTwo(inputs, builder);
  const layout = commonLayout(tensors, builder);
  const rank = tensors[0]?.shape.length ?? 0;
  const axis = axisIn(layer.number('axis', -1), rank, 'keras');
  const value = builder.op(
    'Concat',
    tensors.map((tensor) => builder.value(tensor, layout)),
    { axis: intAttribute(axisIn(axis, rank, layout)) },
  );
  const shape = (tensors[0]?.shape ?? []).map((size, at) => {
    if (at !== axis) return size;
    return tensors.reduce<Size>((sum, each) => addSizes(sum, each.shape[axis] ?? null), 0);
  });
  return builder.result(value, shape, layout);
};

const addSizes = (a: Size, b: Size): Size => (a === null || b === null ? null : a + b);

/** A product over one axis of each of two tensors (`batch_dot`): axes count the batch as 0. */
const dot: Raise = (layer, inputs, builder) => {
  const [left, right] = atLeastTwo(inputs, builder) as [KerasTensor, KerasTensor];
  const ranks = [left.shape.length, right.shape.length];
  const given = layer.list('axes') ?? [layer.number('axes', -1), layer.number('axes', -1)];
  const axes = ranks.map((rank, index) => axisIn(given[index] ?? -1, rank, 'keras'));
  const operands = [left, right].map((tensor, index) => {
    const value = builder.value(tensor, 'keras');
    return layer.flag('normalize', false) ? normalized(value, axes[index] ?? 1, builder) : value;
  });
  const [a, b] = operands as [Value, Value];
  const batch = left.shape[0] ?? null;
  if (ranks[0] === 2 && ranks[1] === 2) {
    const sum = builder.op('ReduceSum', [builder.op('Mul', [a, b]), builder.int64s([1])], {
      keepdims: intAttribute(1),
    });
    return builder.result(sum, [batch, 1]);
  }
  if (ranks[0] !== 3 || ranks[1] !== 3 || axes.some((axis) => axis < 1))
    throw builder.unsupported('multiplies tensors of other than two or three dimensions.');
  const swap = { perm: intsAttribute([0, 2, 1]) };
  const value = builder.op('MatMul', [
    axes[0] === 2 ? a : builder.op('Transpose', [a], swap),
    axes[1] === 1 ? b : builder.op('Transpose', [b], swap),
  ]);
  return builder.result(value, [
    batch,
    left.shape[3 - (axes[0] ?? 1)] ?? null,
    right.shape[3 - (axes[1] ?? 1)] ?? null,
  ]);
};

/** x / sqrt(max(sum x^2, 1e-12)), `l2_normalize` of TensorFlow. */
function normalized(x: Value, axis: number, builder: GraphBuilder): Value {
  const squares = builder.op('ReduceSumSquare', [x, builder.int64s([axis])], { keepdims: intAttribute(1) });
  return builder.op('Div', [x, builder.op('Sqrt', [builder.op('Max', [squares, builder.float(1e-12)])])]);
}

export const MERGES: Readonly<Record<string, Raise>> = {
  Add: merge(chain('Add')),
  Subtract: merge(chain('Sub')),
  Multiply: merge(chain('Mul')),
  Average: merge(many('Mean')),
  Maximum: merge(many('Max')),
  Minimum: merge(many('Min')),
  Concatenate: concatenate,
  Dot: dot,
};
