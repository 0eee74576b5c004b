/** Operators that move, cut or join: most in the layout of the file. */
import { intAttribute, stringAttribute } from '../../../graph/attribute.ts';
import { DTYPES } from '../../../graph/dtype.ts';
import { activate, axisIn, inLayout, input, Options, output, type Raise, rankOf, sharedLayout } from './operator.ts';

const reshape: Raise = (operator, builder) => {
  const target = builder.tensor(output(operator, builder));
  // A free batch stays free: -1 where the signature says so, at most once.
  const dims = target.signature.map((dim, axis) => (dim < 0 ? -1 : (target.shape[axis] ?? 1)));
  builder.define(
    output(operator, builder),
    builder.op('Reshape', [builder.value(input(operator, 0, builder)), builder.int64s(dims)], {
      allowzero: intAttribute(1),
    }),
  );
};

const concat: Raise = (operator, builder) => {
  const options = new Options(operator, 'ConcatenationOptions');
  const indexes = [...operator.inputs];
  const rank = rankOf(output(operator, builder), builder);
  const layout =
    rank === 4 && indexes.every((index) => rankOf(index, builder) === 4) ? sharedLayout(indexes, builder) : 'file';
  const axis = axisIn(options.int('axis'), rank, layout);
  const y = builder.op(
    'Concat',
    indexes.map((index) => builder.value(index, layout)),
    { axis: intAttribute(axis) },
  );
  builder.define(
    output(operator, builder),
    activate(y, options.byte('fused_activation_function'), operator, builder),
    layout,
  );
};

const pad: Raise = (operator, builder) => {
  const data = input(operator, 0, builder);
  const layout = sharedLayout([data], builder);
  const rank = rankOf(data, builder);
  const amounts = builder.numbers(input(operator, 1, builder));
  const begin = new Array<number>(rank).fill(0);
  const end = new Array<number>(rank).fill(0);
  for (let axis = 0; axis < rank; axis++) {
    begin[axisIn(axis, rank, layout)] = amounts[axis * 2] ?? 0;
    end[axisIn(axis, rank, layout)] = amounts[axis * 2 + 1] ?? 0;
  }
  const mirror = operator.type === 'MIRROR_PAD';
  const symmetric = mirror && new Options(operator, 'MirrorPadOptions').byte('mode') === 1;
  if (symmetric) throw builder.unsupported(operator, 'ONNX has no padding that repeats the border element.');
  const fill = operator.type === 'PADV2' ? builder.value(input(operator, 2, builder)) : null;
  const inputs = [
    inLayout(data, layout, builder),
    builder.int64s([...begin, ...end]),
    ...(fill === null ? [] : [fill]),
  ];
  builder.define(
    output(operator, builder),
    builder.op('Pad', inputs, mirror ? { mode: stringAttribute('reflect') } : {}),
    layout,
  );
};

const transpose: Raise = (operator, builder) => {
  const perm = builder.numbers(input(operator, 1, builder));
  builder.define(output(operator, builder), builder.transpose(builder.value(input(operator, 0, builder)), perm));
};

const stridedSlice: Raise = (operator, builder) => {
  const options = new Options(operator, 'StridedSliceOptions');
  const data = input(operator, 0, builder);
  const { shape } = builder.tensor(data);
  const [begin, end, strides] = [1, 2, 3].map((position) => builder.numbers(input(operator, position, builder)));
  if (begin === undefined || end === undefined || strides === undefined) return;
  if (options.int('ellipsis_mask') !== 0 || options.int('new_axis_mask') !== 0)
    throw builder.unsupported(operator, 'it adds axes or an ellipsis.');
  const starts: number[] = [];
  const ends: number[] = [];
  const shrink = options.int('shrink_axis_mask');
  begin.forEach((first, axis) => {
    const step = strides[axis] ?? 1;
    const bit = 1 << axis;
    const open = step > 0 ? 0 : (shape[axis] ?? 1) - 1;
    starts.push((options.int('begin_mask') & bit) !== 0 ? open : first);
    const isOpen = (options.int('end_mask') & bit) !== 0;
    const last = isOpen ? (step > 0 ? Number.MAX_SAFE_INTEGER : -Number.MAX_SAFE_INTEGER) : (end[axis] ?? 0);
    ends.push((shrink & bit) !== 0 ? (first === -1 ? Number.MAX_SAFE_INTEGER : first + 1) : last);
  });
  const axes = begin.map((_, axis) => axis);
  let y = builder.op('Slice', [
    builder.value(data),
    builder.int64s(starts),
    builder.int64s(ends),
    builder.int64s(axes),
    builder.int64s(strides),
  ]);
  const dropped = axes.filter((axis) => (shrink & (1 << axis)) !== 0);
  if (dropped.length > 0) y = builder.op('Squeeze', [y, builder.int64s(dropped)]);
  builder.define(output(operator, builder), y);
};

const slice: Raise = (operator, builder) => {
  const data = input(operator, 0, builder);
  const starts = builder.numbers(input(operator, 1, builder));
  const sizes = builder.numbers(input(operator, 2, builder));
  const ends = starts.map((start, axis) =>
    (sizes[axis] ?? -1) < 0 ? Number.MAX_SAFE_INTEGER : start + (sizes[axis] ?? 0),
  );
  const axes = starts.map((_, axis) => axis);
  const y = builder.op('Slice', [
    builder.value(data),
    builder.int64s(starts),
    builder.int64s(ends),
    builder.int64s(axes),
  ]);
  builder.define(output(operator, builder), y);
};

const split: Raise = (operator, builder) => {
  const isV = operator.type === 'SPLIT_V';
  const data = input(operator, isV ? 0 : 1, builder);
  const [axis = 0] = builder.numbers(input(operator, isV ? 2 : 0, builder));
  const rank = rankOf(data, builder);
  const sizes = operator.outputs.map((index) => builder.tensor(index).shape[axis < 0 ? axis + rank : axis] ?? 1);
  const layout = sharedLayout([data], builder);
  const outputs = builder.ops(
    'Split',
    [inLayout(data, layout, builder), builder.int64s(sizes)],
    operator.outputs.length,
    {
      axis: intAttribute(axisIn(axis, rank, layout)),
    },
  );
  operator.outputs.forEach((index, position) => {
    const value = outputs[position];
    if (value !== undefined) builder.define(index, value, layout);
  });
};

const pack: Raise = (operator, builder) => {
  const rank = rankOf(output(operator, builder), builder);
  const axis = new Options(operator, 'PackOptions').int('axis');
  const at = builder.int64s([axis < 0 ? axis + rank : axis]);
  const parts = operator.inputs.map((index) => builder.op('Unsqueeze', [builder.value(index), at]));
  builder.define(output(operator, builder), builder.op('Concat', parts, { axis: intAttribute(axis) }));
};

const unpack: Raise = (operator, builder) => {
  const data = input(operator, 0, builder);
  const axis = new Options(operator, 'UnpackOptions').int('axis');
  const parts = builder.ops('Split', [builder.value(data)], operator.outputs.length, {
    axis: intAttribute(axis),
    num_outputs: intAttribute(operator.outputs.length),
  });
  operator.outputs.forEach((index, position) => {
    const part = parts[position];
    if (part !== undefined) builder.define(index, builder.op('Squeeze', [part, builder.int64s([axis])]));
  });
};

/** Operators whose second input is a list of numbers that ONNX takes as int64. */
const withNumbers =
  (opType: string): Raise =>
  (operator, builder) => {
    const numbers = builder.int64s(builder.numbers(input(operator, 1, builder)));
    builder.define(
      output(operator, builder),
      builder.op(opType, [builder.value(input(operator, 0, builder)), numbers]),
    );
  };

const squeeze: Raise = reshape;

const shapeOf: Raise = (operator, builder) => {
  const { dtype } = builder.tensor(output(operator, builder));
  const shape = builder.op('Shape', [builder.value(input(operator, 0, builder))]);
  builder.define(output(operator, builder), builder.op('Cast', [shape], { to: intAttribute(DTYPES[dtype].code) }));
};

export const SHAPES: Readonly<Record<string, Raise>> = {
  RESHAPE: reshape,
  SQUEEZE: squeeze,
  EXPAND_DIMS: reshape,
  CONCATENATION: concat,
  PAD: pad,
  PADV2: pad,
  MIRROR_PAD: pad,
  TRANSPOSE: transpose,
  STRIDED_SLICE: stridedSlice,
  SLICE: slice,
  SPLIT: split,
  SPLIT_V: split,
  PACK: pack,
  UNPACK: unpack,
  TILE: withNumbers('Tile'),
  BROADCAST_TO: withNumbers('Expand'),
  SHAPE: shapeOf,
};
