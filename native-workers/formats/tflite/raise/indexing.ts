/** Operators that pick, put, turn round or mark elements. */
import { intAttribute, stringAttribute } from '../../../graph/attribute.ts';
import { DTYPES, type DType, elementCount } from '../../../graph/dtype.ts';
import { tensorFromNumbers } from '../../../graph/tensor-values.ts';
import type { Value } from '../../../graph/value.ts';
import type { GraphBuilder } from './builder.ts';
import { input, Options, output, type Raise, rankOf } from './operator.ts';

export function castTo(value: Value, dtype: DType, builder: GraphBuilder): Value {
  return builder.op('Cast', [value], { to: intAttribute(DTYPES[dtype].code) });
}

export function asInt64(index: number, builder: GraphBuilder): Value {
  const value = builder.value(index);
  return builder.tensor(index).dtype === 'int64' ? value : castTo(value, 'int64', builder);
}

const unsqueezed = (value: Value, axis: number, builder: GraphBuilder): Value =>
  builder.op('Unsqueeze', [value, builder.int64s([axis])]);

const gather: Raise = (operator, builder) => {
  const options = new Options(operator, 'GatherOptions');
  const [data, indices] = [input(operator, 0, builder), input(operator, 1, builder)];
  const [axis, batch] = [options.int('axis'), options.int('batch_dims')];
  if (batch === 0) {
    const y = builder.op('Gather', [builder.value(data), builder.value(indices)], { axis: intAttribute(axis) });
    builder.define(output(operator, builder), y);
    return;
  }
  if (batch !== axis)
    throw builder.unsupported(operator, 'it gathers along another axis than the first behind its batch dimensions.');
  const tuples = unsqueezed(asInt64(indices, builder), -1, builder);
  builder.define(
    output(operator, builder),
    builder.op('GatherND', [builder.value(data), tuples], { batch_dims: intAttribute(batch) }),
  );
};

const gatherNd: Raise = (operator, builder) => {
  const inputs = [builder.value(input(operator, 0, builder)), asInt64(input(operator, 1, builder), builder)];
  builder.define(output(operator, builder), builder.op('GatherND', inputs));
};

/** A tensor of one value, which the file computes from its shape. */
function filled(shape: readonly number[], dtype: DType, value: number, builder: GraphBuilder): Value {
  const one = builder.initializer(tensorFromNumbers(dtype, [value], []));
  return builder.op('Expand', [one, builder.int64s(shape)]);
}

const scatterNd: Raise = (operator, builder) => {
  const { shape, dtype } = builder.tensor(output(operator, builder));
  const indices = asInt64(input(operator, 0, builder), builder);
  const updates = builder.value(input(operator, 1, builder));
  const y = builder.op('ScatterND', [filled(shape, dtype, 0, builder), indices, updates], {
    reduction: stringAttribute('add'),
  });
  builder.define(output(operator, builder), y);
};

/** What a segment that gets nothing holds: the neutral element of its reduction. */
const SEGMENTS: Readonly<
  Record<string, readonly [reduction: string, neutral: Readonly<Partial<Record<DType, number>>>]>
> = {
  UNSORTED_SEGMENT_SUM: ['add', { float32: 0, int32: 0 }],
  UNSORTED_SEGMENT_PROD: ['mul', { float32: 1, int32: 1 }],
  UNSORTED_SEGMENT_MAX: ['max', { float32: -3.4028234663852886e38, int32: -(2 ** 31) }],
  UNSORTED_SEGMENT_MIN: ['min', { float32: 3.4028234663852886e38, int32: 2 ** 31 - 1 }],
};

const segment: Raise = (operator, builder) => {
  const { shape, dtype } = builder.tensor(output(operator, builder));
  const [reduction, neutral] = SEGMENTS[operator.type] ?? ['add', {}];
  const start = neutral[dtype];
  if (start === undefined) throw builder.unsupported(operator, `it reduces ${dtype} values.`);
  const places = unsqueezed(asInt64(input(operator, 1, builder), builder), -1, builder);
  const updates = builder.value(input(operator, 0, builder));
  const y = builder.op('ScatterND', [filled(shape, dtype, start, builder), places, updates], {
    reduction: stringAttribute(reduction),
  });
  builder.define(output(operator, builder), y);
};

/** Indices outside of the depth mark nothing; ONNX counts negative ones from the end. */
const oneHot: Raise = (operator, builder) => {
  const indices = asInt64(input(operator, 0, builder), builder);
  const [depth = 1] = builder.numbers(input(operator, 1, builder));
  const limit = builder.int64s([depth], []);
  const isBelow = builder.op('Less', [indices, builder.int64s([0], [])]);
  const places = builder.op('Where', [isBelow, limit, indices]);
  const marks = builder.op('OneHot', [places, limit, builder.floats([0, 1], [2])], {
    axis: intAttribute(new Options(operator, 'OneHotOptions').int('axis')),
  });
  const [on, off] = [builder.value(input(operator, 2, builder)), builder.value(input(operator, 3, builder))];
  builder.define(output(operator, builder), builder.op('Where', [castTo(marks, 'bool', builder), on, off]));
};

const reverse: Raise = (operator, builder) => {
  const data = input(operator, 0, builder);
  const rank = rankOf(data, builder);
  const axes = builder.numbers(input(operator, 1, builder)).map((axis) => (axis < 0 ? axis + rank : axis));
  const each = (value: number): Value => builder.int64s(axes.map(() => value));
  const inputs = [builder.value(data), each(-1), each(-Number.MAX_SAFE_INTEGER), builder.int64s(axes), each(-1)];
  builder.define(output(operator, builder), builder.op('Slice', inputs));
};

const reverseSequence: Raise = (operator, builder) => {
  const options = new Options(operator, 'ReverseSequenceOptions');
  const [time, batch] = [options.int('seq_dim'), options.int('batch_dim')];
  if (time + batch !== 1) throw builder.unsupported(operator, 'it reverses other than its first two dimensions.');
  const inputs = [builder.value(input(operator, 0, builder)), asInt64(input(operator, 1, builder), builder)];
  const y = builder.op('ReverseSequence', inputs, {
    time_axis: intAttribute(time),
    batch_axis: intAttribute(batch),
  });
  builder.define(output(operator, builder), y);
};

/** Indices of the boxes that are kept, zeros behind them, and how many they are. */
const nonMaxSuppression: Raise = (operator, builder) => {
  const isSoft = operator.type === 'NON_MAX_SUPPRESSION_V5';
  if (isSoft && builder.numbers(input(operator, 5, builder)).some((sigma) => sigma !== 0))
    throw builder.unsupported(operator, 'it lowers the scores of overlapping boxes, which ONNX does not.');
  const [most = 0] = builder.numbers(input(operator, 2, builder));
  const scores = builder.value(input(operator, 1, builder));
  const boxes = unsqueezed(builder.value(input(operator, 0, builder)), 0, builder);
  const limits = [3, 4].map((position) => builder.value(input(operator, position, builder)));
  const perClass = builder.op('Unsqueeze', [scores, builder.int64s([0, 1])]);
  const rows = builder.op('NonMaxSuppression', [boxes, perClass, builder.int64s([most], []), ...limits]);
  const kept = builder.op('Gather', [rows, builder.int64s([2], [])], { axis: intAttribute(1) });
  const count = builder.op('Shape', [kept]);
  const missing = builder.op('Sub', [builder.int64s([most]), count]);
  const pads = builder.op('Concat', [builder.int64s([0]), missing], { axis: intAttribute(0) });
  const padded = (value: Value): Value => builder.op('Pad', [value, pads]);
  builder.define(output(operator, builder), castTo(padded(kept), 'int32', builder));
  if (isSoft) builder.define(output(operator, builder, 1), padded(builder.op('Gather', [scores, kept])));
  const number = builder.op('Reshape', [count, builder.int64s([], [0])]);
  builder.define(output(operator, builder, isSoft ? 2 : 1), castTo(number, 'int32', builder));
};

/** A tensor of one value, of a shape that is a constant or computed. */
const fill: Raise = (operator, builder) => {
  const inputs = [builder.value(input(operator, 1, builder)), asInt64(input(operator, 0, builder), builder)];
  builder.define(output(operator, builder), builder.op('Expand', inputs));
};

const range: Raise = (operator, builder) => {
  const inputs = [0, 1, 2].map((position) => builder.value(input(operator, position, builder)));
  builder.define(output(operator, builder), builder.op('Range', inputs));
};

const zerosLike: Raise = (operator, builder) => {
  const { dtype } = builder.tensor(output(operator, builder));
  const shape = builder.op('Shape', [builder.value(input(operator, 0, builder))]);
  const zero = builder.initializer(tensorFromNumbers(dtype, [0], []));
  builder.define(output(operator, builder), builder.op('Expand', [zero, shape]));
};

const rank: Raise = (operator, builder) => {
  const value = builder.initializer(tensorFromNumbers('int32', [rankOf(input(operator, 0, builder), builder)], []));
  builder.define(output(operator, builder), builder.op('Identity', [value]));
};

const embedding: Raise = (operator, builder) => {
  const inputs = [builder.value(input(operator, 1, builder)), builder.value(input(operator, 0, builder))];
  builder.define(output(operator, builder), builder.op('Gather', inputs));
};

/** Blocks of space as further samples, and back: how older converters write dilated convolutions. */
const spaceToBatch: Raise = (operator, builder) => {
  const isBack = operator.type === 'BATCH_TO_SPACE_ND';
  const data = input(operator, 0, builder);
  const blocks = builder.numbers(input(operator, 1, builder));
  const edges = builder.numbers(input(operator, 2, builder));
  const { shape } = builder.tensor(data);
  const target = builder.tensor(output(operator, builder)).shape;
  const [batch = 1, ...rest] = shape;
  const space = rest.slice(0, blocks.length);
  const inner = rest.slice(blocks.length);
  const spatial = blocks.map((_, axis) => axis);
  const product = elementCount(blocks);
  const count = blocks.length;
  if (isBack) {
    const samples = batch / product;
    const apart = builder.op('Reshape', [
      builder.value(data),
      builder.int64s([...blocks, samples, ...space, ...inner]),
    ]);
    const perm = [
      count,
      ...spatial.flatMap((axis) => [count + 1 + axis, axis]),
      ...inner.map((_, at) => 2 * count + 1 + at),
    ];
    const grown = space.map((dim, axis) => dim * (blocks[axis] ?? 1));
    const joined = builder.op('Reshape', [
      builder.transpose(apart, perm),
      builder.int64s([samples, ...grown, ...inner]),
    ]);
    const starts = spatial.map((axis) => edges[2 * axis] ?? 0);
    const ends = spatial.map((axis) => (grown[axis] ?? 1) - (edges[2 * axis + 1] ?? 0));
    const axes = spatial.map((axis) => axis + 1);
    const cut = builder.op('Slice', [joined, builder.int64s(starts), builder.int64s(ends), builder.int64s(axes)]);
    builder.define(output(operator, builder), cut);
    return;
  }
  const pads = (end: number): number[] => [
    0,
    ...spatial.map((axis) => edges[2 * axis + end] ?? 0),
    ...inner.map(() => 0),
  ];
  const padded = builder.op('Pad', [builder.value(data), builder.int64s([...pads(0), ...pads(1)])]);
  const small = target.slice(1, 1 + count);
  const split = spatial.flatMap((axis) => [small[axis] ?? 1, blocks[axis] ?? 1]);
  const apart = builder.op('Reshape', [padded, builder.int64s([batch, ...split, ...inner])]);
  const perm = [
    ...spatial.map((axis) => 2 + 2 * axis),
    0,
    ...spatial.map((axis) => 1 + 2 * axis),
    ...inner.map((_, at) => 2 * count + 1 + at),
  ];
  builder.define(
    output(operator, builder),
    builder.op('Reshape', [builder.transpose(apart, perm), builder.int64s([...target])]),
  );
};

export const INDEXING: Readonly<Record<string, Raise>> = {
  GATHER: gather,
  GATHER_ND: gatherNd,
  EMBEDDING_LOOKUP: embedding,
  SCATTER_ND: scatterNd,
  UNSORTED_SEGMENT_SUM: segment,
  UNSORTED_SEGMENT_PROD: segment,
  UNSORTED_SEGMENT_MAX: segment,
  UNSORTED_SEGMENT_MIN: segment,
  ONE_HOT: oneHot,
  REVERSE_V2: reverse,
  REVERSE_SEQUENCE: reverseSequence,
  NON_MAX_SUPPRESSION_V4: nonMaxSuppression,
  NON_MAX_SUPPRESSION_V5: nonMaxSuppression,
  FILL: fill,
  RANGE: range,
  RANK: rank,
  ZEROS_LIKE: zerosLike,
  SPACE_TO_BATCH_ND: spaceToBatch,
  BATCH_TO_SPACE_ND: spaceToBatch,
};
