/** Elementwise operators without one of ONNX's own, reductions of truth values, convolutions over space, local normalization. */
import { floatAttribute, intAttribute, intsAttribute } from '../../../graph/attribute.ts';
import type { Value } from '../../../graph/value.ts';
import { castTo } from './indexing.ts';
import { activate, input, Options, output, type Raise, rankOf } from './operator.ts';

/** The angle of [x, y]: the arc tangent of the ratio, half a turn on where x is negative. */
const atan2: Raise = (operator, builder) => {
  const [y, x] = [0, 1].map((position) => builder.value(input(operator, position, builder))) as [Value, Value];
  const zero = builder.float(0);
  const isOrigin = builder.op('And', [builder.op('Equal', [x, zero]), builder.op('Equal', [y, zero])]);
  const ratio = builder.op('Where', [isOrigin, zero, builder.op('Div', [y, x])]);
  const half = builder.op('Where', [builder.op('Less', [y, zero]), builder.float(-Math.PI), builder.float(Math.PI)]);
  const turn = builder.op('Where', [builder.op('Less', [x, zero]), half, zero]);
  builder.define(output(operator, builder), builder.op('Add', [builder.op('Atan', [ratio]), turn]));
};

/** Shifts keep the sign, as ONNX's BitShift does not: a division that rounds down, exact in double floats. */
const rightShift: Raise = (operator, builder) => {
  const target = output(operator, builder);
  const [x, by] = [0, 1].map((position) =>
    castTo(builder.value(input(operator, position, builder)), 'float64', builder),
  ) as [Value, Value];
  const two = castTo(builder.float(2), 'float64', builder);
  const quotient = builder.op('Floor', [builder.op('Div', [x, builder.op('Pow', [two, by])])]);
  builder.define(target, castTo(quotient, builder.tensor(target).dtype, builder));
};

/** `logical`: for truth values. */
const bits =
  (logical: string, bitwise: string): Raise =>
  (operator, builder) => {
    const target = output(operator, builder);
    const inputs = [0, 1].map((position) => builder.value(input(operator, position, builder)));
    builder.define(target, builder.op(builder.tensor(target).dtype === 'bool' ? logical : bitwise, inputs));
  };

const addN: Raise = (operator, builder) => {
  const parts = operator.inputs.map((_, position) => builder.value(input(operator, position, builder)));
  const sum = parts.slice(1).reduce((left, right) => builder.op('Add', [left, right]), parts[0] as Value);
  builder.define(output(operator, builder), sum);
};

const reduceBool =
  (opType: 'ReduceMax' | 'ReduceMin'): Raise =>
  (operator, builder) => {
    const data = input(operator, 0, builder);
    const axes = builder.int64s(builder.numbers(input(operator, 1, builder)));
    const keep = new Options(operator, 'ReducerOptions').bool('keep_dims');
    const numbers = castTo(builder.value(data), 'int32', builder);
    const found = builder.op(opType, [numbers, axes], { keepdims: intAttribute(keep ? 1 : 0) });
    builder.define(output(operator, builder), castTo(found, 'bool', builder));
  };

/** ONNX divides alpha by the size of the window. */
const localResponse: Raise = (operator, builder) => {
  const options = new Options(operator, 'LocalResponseNormalizationOptions');
  const data = input(operator, 0, builder);
  if (rankOf(data, builder) !== 4) throw builder.unsupported(operator, 'its input is no picture.');
  const size = 2 * options.int('radius') + 1;
  const y = builder.op('LRN', [builder.value(data, 'nchw')], {
    size: intAttribute(size),
    bias: floatAttribute(options.float('bias')),
    alpha: floatAttribute(options.float('alpha') * size),
    beta: floatAttribute(options.float('beta')),
  });
  builder.define(output(operator, builder), y, 'nchw');
};

const TO_FIRST = [0, 4, 1, 2, 3];
const TO_LAST = [0, 2, 3, 4, 1];
const SAME = 0;

/** Filters are [d, h, w, in, out], and [d, h, w, out, in] of the transposed one. */
const conv3d: Raise = (operator, builder) => {
  const isTransposed = operator.type === 'CONV_3D_TRANSPOSE';
  const options = new Options(operator, 'Conv3DOptions');
  const data = input(operator, isTransposed ? 2 : 0, builder);
  const weight = input(operator, 1, builder);
  const kernel = builder.tensor(weight).shape.slice(0, 3);
  const strides = ['stride_d', 'stride_h', 'stride_w'].map((field) => options.int(field, 1));
  const dilations = ['dilation_d_factor', 'dilation_h_factor', 'dilation_w_factor'].map((field) =>
    options.int(field, 1),
  );
  const from = builder.tensor(data).shape.slice(1, 4);
  const to = builder.tensor(output(operator, builder)).shape.slice(1, 4);
  // What the larger side lacks for whole windows, half of it first.
  const totals = kernel.map((size, axis) => {
    const [few = 1, many = 1] = isTransposed ? [from[axis], to[axis]] : [to[axis], from[axis]];
    const reach = (few - 1) * (strides[axis] ?? 1) + (size - 1) * (dilations[axis] ?? 1) + 1;
    return options.byte('padding') === SAME ? Math.max(reach - many, 0) : 0;
  });
  const begin = totals.map((total) => Math.floor(total / 2));
  const pads = [...begin, ...totals.map((total, axis) => total - (begin[axis] ?? 0))];
  const inputs = [
    builder.transpose(builder.value(data), TO_FIRST),
    builder.transpose(builder.value(weight), [4, 3, 0, 1, 2]),
  ];
  const bias = operator.inputs[isTransposed ? 3 : 2];
  if (bias !== undefined && bias >= 0) inputs.push(builder.value(bias));
  const y = builder.op(isTransposed ? 'ConvTranspose' : 'Conv', inputs, {
    kernel_shape: intsAttribute(kernel),
    strides: intsAttribute(strides),
    dilations: intsAttribute(dilations),
    pads: intsAttribute(pads),
  });
  const active = activate(y, options.byte('fused_activation_function'), operator, builder);
  builder.define(output(operator, builder), builder.transpose(active, TO_LAST));
};

/** Part of a tensor replaced, from a place that is moved inside: what stands before it, the new part, what stands behind. */
const updateSlice: Raise = (operator, builder) => {
  const [data, part, start] = [0, 1, 2].map((position) => input(operator, position, builder)) as [
    number,
    number,
    number,
  ];
  const sizes = builder.tensor(part).shape;
  const { shape } = builder.tensor(data);
  const starts = castTo(builder.value(start), 'int64', builder);
  const open = sizes.flatMap((size, axis) => (size === shape[axis] ? [] : [axis]));
  const within = (whole: Value, [axis, ...others]: readonly number[]): Value => {
    if (axis === undefined) return builder.value(part);
    const [from, to] = [builder.int64s([axis]), builder.int64s([axis + 1])];
    const [size = 1, most = 1] = [sizes[axis], shape[axis]];
    const given = builder.op('Slice', [starts, from, to]);
    const place = builder.op('Max', [builder.op('Min', [given, builder.int64s([most - size])]), builder.int64s([0])]);
    const end = builder.op('Add', [place, builder.int64s([size])]);
    const cut = (begin: Value, stop: Value): Value => builder.op('Slice', [whole, begin, stop, from]);
    const inner = others.length === 0 ? builder.value(part) : within(cut(place, end), others);
    const pieces = [cut(builder.int64s([0]), place), inner, cut(end, builder.int64s([most]))];
    return builder.op('Concat', pieces, { axis: intAttribute(axis) });
  };
  const made = open.length === 0 ? builder.op('Identity', [builder.value(part)]) : within(builder.value(data), open);
  builder.define(output(operator, builder), made);
};

export const FURTHER: Readonly<Record<string, Raise>> = {
  ATAN2: atan2,
  RIGHT_SHIFT: rightShift,
  BITWISE_XOR: bits('Xor', 'BitwiseXor'),
  STABLEHLO_AND: bits('And', 'BitwiseAnd'),
  ADD_N: addN,
  DYNAMIC_UPDATE_SLICE: updateSlice,
  REDUCE_ANY: reduceBool('ReduceMax'),
  REDUCE_ALL: reduceBool('ReduceMin'),
  LOCAL_RESPONSE_NORMALIZATION: localResponse,
  CONV_3D: conv3d,
  CONV_3D_TRANSPOSE: conv3d,
};
