/** Operators that work element by element, in whatever layout their inputs stand. */
import type { Attribute } from '../../../graph/attribute.ts';
import { DTYPES } from '../../../graph/dtype.ts';
import type { Value } from '../../../graph/value.ts';
import type { GraphBuilder } from './builder.ts';
import {
  activate,
  axisIn,
  inLayout,
  input,
  ints,
  Options,
  output,
  type Raise,
  rankOf,
  real,
  sharedLayout,
} from './operator.ts';
import { addScales, convertScale, leakySlope } from './rounding.ts';

/** One input, one ONNX operator. */
const unary =
  (opType: string, attributes: Record<string, Attribute> = {}): Raise =>
  (operator, builder) => {
    const data = input(operator, 0, builder);
    const layout = sharedLayout([data], builder);
    builder.define(
      output(operator, builder),
      builder.op(opType, [inLayout(data, layout, builder)], attributes),
      layout,
    );
  };

/** One input, a small graph. */
const composed =
  (make: (value: Value, builder: GraphBuilder) => Value): Raise =>
  (operator, builder) => {
    const data = input(operator, 0, builder);
    const layout = sharedLayout([data], builder);
    builder.define(output(operator, builder), make(inLayout(data, layout, builder), builder), layout);
  };

/** Two inputs with broadcasting, then the activation that the options name. */
const binary =
  (opType: string, options: 'MulOptions' | 'DivOptions' | null = null): Raise =>
  (operator, builder) => {
    const [a, b] = [input(operator, 0, builder), input(operator, 1, builder)];
    const layout = sharedLayout([a, b], builder);
    const y = builder.op(opType, [inLayout(a, layout, builder), inLayout(b, layout, builder)]);
    const code = options === null ? 0 : new Options(operator, options).byte('fused_activation_function');
    builder.define(output(operator, builder), activate(y, code, operator, builder), layout);
  };

/** ADD and SUB, whose 8-bit codes LiteRT multiplies by fewer digits than a float has. */
const sum =
  (opType: 'Add' | 'Sub', options: 'AddOptions' | 'SubOptions'): Raise =>
  (operator, builder) => {
    const indexes = [input(operator, 0, builder), input(operator, 1, builder)];
    const target = output(operator, builder);
    const layout = sharedLayout(indexes, builder);
    const [a, b, y] = [...indexes, target].map((index) => eightBitScale(index, builder));
    const scales = a && b && y ? addScales(a, b, y) : null;
    const terms = indexes.map((index, position) => inLayout(index, layout, builder, scales?.[position]));
    const code = new Options(operator, options).byte('fused_activation_function');
    builder.define(target, activate(builder.op(opType, terms), code, operator, builder), layout);
  };

/** The scale of a tensor of 8-bit codes; null for others. */
function eightBitScale(index: number, builder: GraphBuilder): number | null {
  const { dtype, quantization } = builder.tensor(index);
  const isEightBit = dtype === 'int8' || dtype === 'uint8';
  return isEightBit && quantization?.scales.length === 1 ? (quantization.scales[0] ?? null) : null;
}

/** A binary operator followed by others. */
const binaryThen =
  (opType: string, then: (value: Value, builder: GraphBuilder) => Value): Raise =>
  (operator, builder) => {
    const [a, b] = [input(operator, 0, builder), input(operator, 1, builder)];
    const layout = sharedLayout([a, b], builder);
    const y = builder.op(opType, [inLayout(a, layout, builder), inLayout(b, layout, builder)]);
    builder.define(output(operator, builder), then(y, builder), layout);
  };

/** A quotient rounded down, or what it leaves, which has the sign of the divisor: ONNX's Mod of integers. */
function floorDivision(part: 'quotient' | 'rest'): Raise {
  return (operator, builder) => {
    const [a, b] = [input(operator, 0, builder), input(operator, 1, builder)];
    const layout = sharedLayout([a, b], builder);
    const [x, y] = [inLayout(a, layout, builder), inLayout(b, layout, builder)];
    const isFloat = builder.tensor(a).dtype.startsWith('float');
    const quotient = (): Value =>
      isFloat
        ? builder.op('Floor', [builder.op('Div', [x, y])])
        : builder.op('Div', [builder.op('Sub', [x, builder.op('Mod', [x, y])]), y]);
    const rest = (): Value =>
      isFloat ? builder.op('Sub', [x, builder.op('Mul', [quotient(), y])]) : builder.op('Mod', [x, y]);
    builder.define(output(operator, builder), part === 'rest' ? rest() : quotient(), layout);
  };
}

const leakyRelu: Raise = (operator, builder) => {
  const alpha = new Options(operator, 'LeakyReluOptions').float('alpha');
  const data = input(operator, 0, builder);
  const target = output(operator, builder);
  const layout = sharedLayout([data], builder);
  const [from, to] = [eightBitScale(data, builder), eightBitScale(target, builder)];
  const [scale, slope] = from && to ? [convertScale(from, to), leakySlope(alpha, from, to)] : [null, alpha];
  const x = inLayout(data, layout, builder, scale);
  builder.define(target, builder.op('LeakyRelu', [x], { alpha: real(slope) }), layout);
};

const prelu: Raise = (operator, builder) => {
  const [data, slope] = [input(operator, 0, builder), input(operator, 1, builder)];
  const layout = sharedLayout([data], builder);
  const tensor = builder.tensor(slope);
  const isPicture = layout === 'nchw' && tensor.shape.length === 3;
  // The slope is [1, 1, C] or [H, W, C] in the file.
  const alpha = isPicture ? builder.constant(slope, [2, 0, 1]) : inLayout(slope, 'file', builder);
  builder.define(output(operator, builder), builder.op('PRelu', [inLayout(data, layout, builder), alpha]), layout);
};

const gelu: Raise = (operator, builder) => {
  const approximate = new Options(operator, 'GeluOptions').bool('approximate');
  composed((x, b) => {
    if (!approximate) {
      const erf = b.op('Erf', [b.op('Mul', [x, b.float(Math.SQRT1_2)])]);
      return b.op('Mul', [b.op('Mul', [x, b.float(0.5)]), b.op('Add', [erf, b.float(1)])]);
    }
    const cube = b.op('Mul', [b.op('Mul', [x, x]), x]);
    const inner = b.op('Mul', [
      b.op('Add', [x, b.op('Mul', [cube, b.float(0.044715)])]),
      b.float(Math.sqrt(2 / Math.PI)),
    ]);
    return b.op('Mul', [b.op('Mul', [x, b.float(0.5)]), b.op('Add', [b.op('Tanh', [inner]), b.float(1)])]);
  })(operator, builder);
};

const cast: Raise = (operator, builder) => {
  const { dtype } = builder.tensor(output(operator, builder));
  unary('Cast', { to: ints(DTYPES[dtype].code) })(operator, builder);
};

/** A constant of a smaller float type becomes float32; codes are floats in this graph already. */
const dequantize: Raise = (operator, builder) => {
  const data = input(operator, 0, builder);
  const tensor = builder.tensor(data);
  if (tensor.dtype === 'float16' || tensor.dtype === 'bfloat16')
    return unary('Cast', { to: ints(DTYPES.float32.code) })(operator, builder);
  return unary('Identity')(operator, builder);
};

/** QUANTIZE from float, or from other parameters: the Q/DQ pair of the output does it. */
const quantize: Raise = (operator, builder) => {
  const data = input(operator, 0, builder);
  const target = output(operator, builder);
  const layout = sharedLayout([data], builder);
  const [from, to] = [eightBitScale(data, builder), eightBitScale(target, builder)];
  const scale = from && to ? convertScale(from, to) : null;
  builder.define(target, inLayout(data, layout, builder, scale), layout);
};

const select: Raise = (operator, builder) => {
  const indexes = [0, 1, 2].map((position) => input(operator, position, builder));
  const layout = sharedLayout(indexes, builder);
  builder.define(
    output(operator, builder),
    builder.op(
      'Where',
      indexes.map((index) => inLayout(index, layout, builder)),
    ),
    layout,
  );
};

const softmax =
  (opType: string): Raise =>
  (operator, builder) => {
    const data = input(operator, 0, builder);
    const layout = sharedLayout([data], builder);
    const beta = opType === 'Softmax' ? new Options(operator, 'SoftmaxOptions').float('beta', 1) : 1;
    const x = inLayout(data, layout, builder);
    const scaled = beta === 1 || beta === 0 ? x : builder.op('Mul', [x, builder.float(beta)]);
    const axis = ints(axisIn(-1, rankOf(data, builder), layout));
    builder.define(output(operator, builder), builder.op(opType, [scaled], { axis }), layout);
  };

export const ELEMENTWISE: Readonly<Record<string, Raise>> = {
  ADD: sum('Add', 'AddOptions'),
  SUB: sum('Sub', 'SubOptions'),
  MUL: binary('Mul', 'MulOptions'),
  DIV: binary('Div', 'DivOptions'),
  MAXIMUM: binary('Max'),
  MINIMUM: binary('Min'),
  POW: binary('Pow'),
  SQUARED_DIFFERENCE: binaryThen('Sub', (value, b) => b.op('Mul', [value, value])),
  FLOOR_DIV: floorDivision('quotient'),
  FLOOR_MOD: floorDivision('rest'),
  EQUAL: binary('Equal'),
  NOT_EQUAL: binaryThen('Equal', (value, b) => b.op('Not', [value])),
  LESS: binary('Less'),
  LESS_EQUAL: binary('LessOrEqual'),
  GREATER: binary('Greater'),
  GREATER_EQUAL: binary('GreaterOrEqual'),
  LOGICAL_AND: binary('And'),
  LOGICAL_OR: binary('Or'),
  LOGICAL_NOT: unary('Not'),
  RELU: unary('Relu'),
  RELU6: composed((x, b) => b.op('Clip', [x, b.float(0), b.float(6)])),
  RELU_N1_TO_1: composed((x, b) => b.op('Clip', [x, b.float(-1), b.float(1)])),
  RELU_0_TO_1: composed((x, b) => b.op('Clip', [x, b.float(0), b.float(1)])),
  LEAKY_RELU: leakyRelu,
  PRELU: prelu,
  ELU: unary('Elu'),
  GELU: gelu,
  LOGISTIC: unary('Sigmoid'),
  TANH: unary('Tanh'),
  HARD_SWISH: unary('HardSwish'),
  EXP: unary('Exp'),
  LOG: unary('Log'),
  SQRT: unary('Sqrt'),
  RSQRT: composed((x, b) => b.op('Reciprocal', [b.op('Sqrt', [x])])),
  SQUARE: composed((x, b) => b.op('Mul', [x, x])),
  ABS: unary('Abs'),
  NEG: unary('Neg'),
  SIGN: unary('Sign'),
  SIN: unary('Sin'),
  COS: unary('Cos'),
  FLOOR: unary('Floor'),
  CEIL: unary('Ceil'),
  ROUND: unary('Round'),
  CAST: cast,
  QUANTIZE: quantize,
  DEQUANTIZE: dequantize,
  SELECT: select,
  SELECT_V2: select,
  WHERE: (operator, builder) => {
    // ONNX gives the indices as [rank, count], TFLite as [count, rank].
    const found = builder.op('NonZero', [builder.value(input(operator, 0, builder))]);
    builder.define(output(operator, builder), builder.op('Transpose', [found]));
  },
  SOFTMAX: softmax('Softmax'),
  LOG_SOFTMAX: softmax('LogSoftmax'),
};
