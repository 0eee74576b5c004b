/** Operators on each element: arithmetic, comparison, logic, selection and conversion. */
import { DTYPES, type DType, isFloat } from '../../../graph/dtype.ts';
import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
import type { BuiltinOperator } from '../schema.ts';
import type { Lowering } from './lowering.ts';
import { requantized } from './quantize.ts';
import type { Lower } from './registry.ts';
import { broadcast, internalType, Refusal } from './terms.ts';

export const ELEMENTWISE_LOWERINGS: Readonly<Record<string, Lower>> = {
  Add: arithmetic('ADD'),
  Sub: arithmetic('SUB'),
  Mul: arithmetic('MUL'),
  Div: divide,
  Pow: power,
  Mod: modulo,
  Max: many('MAXIMUM'),
  Min: many('MINIMUM'),
  Sum: many('ADD'),
  Mean: (node, lowering) => {
    const sum = folded(node, lowering, 'ADD');
    lowering.result(node, lowering.mul(sum, 1 / node.inputs.length));
  },
  Equal: comparison('EQUAL'),
  Greater: comparison('GREATER'),
  GreaterOrEqual: comparison('GREATER_EQUAL'),
  Less: comparison('LESS'),
  LessOrEqual: comparison('LESS_EQUAL'),
  And: logic('LOGICAL_AND'),
  Or: logic('LOGICAL_OR'),
  Xor: comparison('NOT_EQUAL'),
  Not: unary('LOGICAL_NOT'),
  Where: where,
  Cast: cast,
  CastLike: cast,
  Identity: (node, lowering) => lowering.result(node, lowering.read(node, 0)),
  Dropout: dropout,
  Abs: unary('ABS', ['float32', 'int32']),
  Neg: unary('NEG', ['float32', 'int32', 'int64']),
  Sign: sign,
  Floor: unary('FLOOR'),
  Ceil: unary('CEIL'),
  Round: unary('ROUND'),
  Sqrt: unary('SQRT'),
  Exp: unary('EXP'),
  Log: unary('LOG'),
  Sin: unary('SIN'),
  Cos: unary('COS'),
  Reciprocal: compute((lowering, x) => lowering.div(lowering.scalar(1), x)),
  Tan: compute((lowering, x) => lowering.div(lowering.unary('SIN', x), lowering.unary('COS', x))),
  Asin: compute((lowering, x) => atan2(lowering, x, otherLeg(lowering, x))),
  Acos: compute((lowering, x) => atan2(lowering, otherLeg(lowering, x), x)),
  Atan: compute((lowering, x) => atan2(lowering, x, lowering.scalar(1))),
  Sinh: compute((lowering, x) =>
    lowering.mul(lowering.sub(lowering.unary('EXP', x), exponentialOfMinus(lowering, x)), 0.5),
  ),
  Cosh: compute((lowering, x) =>
    lowering.mul(lowering.add(lowering.unary('EXP', x), exponentialOfMinus(lowering, x)), 0.5),
  ),
  // sign(x) * log(|x| + sqrt(x^2 + 1)): without the sign, negative values cancel.
  Asinh: compute((lowering, x) => {
    const size = lowering.unary('ABS', x);
    const root = lowering.unary('SQRT', lowering.add(lowering.mul(x, x), 1));
    return lowering.mul(lowering.unary('SIGN', x), lowering.unary('LOG', lowering.add(size, root)));
  }),
  Acosh: compute((lowering, x) => {
    const root = lowering.unary('SQRT', lowering.sub(lowering.mul(x, x), 1));
    return lowering.unary('LOG', lowering.add(x, root));
  }),
  Atanh: compute((lowering, x) => {
    const ratio = lowering.div(lowering.add(x, 1), lowering.sub(lowering.scalar(1), x));
    return lowering.mul(lowering.unary('LOG', ratio), 0.5);
  }),
  Erf: compute(erf),
  IsNaN: (node, lowering) => {
    const x = lowering.read(node, 0);
    lowering.result(node, lowering.binary('NOT_EQUAL', x, x, 'bool'));
  },
  IsInf: isInfinite,
  Clip: clip,
};

/** Brings operands to a type that the operator computes in, and the result back. */
function inType(
  lowering: Lowering,
  inputs: readonly TflTensor[],
  types: readonly DType[],
  make: (inputs: readonly TflTensor[]) => TflTensor,
): TflTensor {
  const dtype = inputs[0]?.dtype ?? 'float32';
  if (inputs[0]?.quantization || types.includes(dtype)) return make(inputs);
  const other = !isFloat(dtype) && types.includes('int32') ? 'int32' : 'float32';
  const result = make(inputs.map((input) => lowering.cast(input, other)));
  return result.dtype === 'bool' ? result : lowering.cast(result, dtype);
}

/** A function of one float input. */
function compute(make: (lowering: Lowering, x: TflTensor) => TflTensor): Lower {
  return (node, lowering) => lowering.result(node, make(lowering, lowering.read(node, 0)));
}

function unary(code: BuiltinOperator, types: readonly DType[] = ['float32', 'bool']): Lower {
  return (node, lowering) => {
    const x = lowering.read(node, 0);
    lowering.result(
      node,
      inType(lowering, [x], types, ([y]) => lowering.unary(code, y as TflTensor)),
    );
  };
}

function arithmetic(code: 'ADD' | 'SUB' | 'MUL'): Lower {
  return (node, lowering) => {
    const output = lowering.resultType(node);
    const [a, b] = [lowering.read(node, 0), lowering.read(node, 1)];
    lowering.result(node, lowering.emit(code, [a, b], output, { fused_activation_function: 0 }));
  };
}

/** ONNX truncates a quotient of integers; FLOOR_DIV rounds down, so the sizes are divided and the sign is put back. */
function divide(node: Node, lowering: Lowering): void {
  const [a, b] = [lowering.read(node, 0), lowering.read(node, 1)];
  if (a.dtype === 'float32') {
    lowering.result(node, lowering.div(a, b));
    return;
  }
  const source = lowering.dtype(lowering.input(node, 0));
  const [x, y] = [lowering.cast(a, 'int32'), lowering.cast(b, 'int32')];
  if (DTYPES[source].kind === 'unsigned') {
    lowering.result(node, lowering.cast(lowering.div(x, y), a.dtype));
    return;
  }
  const size = lowering.binary('FLOOR_DIV', lowering.unary('ABS', x), lowering.unary('ABS', y));
  const zero = lowering.scalar(0, 'int32');
  const isNegative = lowering.binary('LESS', lowering.mul(x, y), zero, 'bool');
  const minus = lowering.mul(size, -1);
  lowering.result(node, lowering.cast(lowering.select(isNegative, minus, size), a.dtype));
}

/** POW wants both operands of one type. */
function power(node: Node, lowering: Lowering): void {
  const [a, b] = [lowering.read(node, 0), lowering.read(node, 1)];
  const exponent = lowering.numbers(lowering.input(node, 1));
  if (a.dtype === 'float32' && exponent?.length === 1 && b.shape.length <= a.shape.length) {
    const simple = exponent[0] === 2 ? lowering.mul(a, a) : exponent[0] === 0.5 ? lowering.unary('SQRT', a) : null;
    if (simple !== null) {
      lowering.result(node, simple);
      return;
    }
  }
  const y = lowering.binary('POW', lowering.cast(a, 'float32'), lowering.cast(b, 'float32'));
  lowering.result(node, a.dtype === 'float32' ? y : lowering.cast(y, a.dtype));
}

/** FLOOR_MOD has the sign of the divisor, as ONNX's Mod; fmod has that of the dividend. */
function modulo(node: Node, lowering: Lowering): void {
  const [a, b] = [lowering.read(node, 0), lowering.read(node, 1)];
  const types: DType[] = ['float32', 'int32', 'int64'];
  const result = inType(lowering, [a, b], types, ([x, y]) => {
    if (node.int('fmod', 0) === 0) return lowering.binary('FLOOR_MOD', x as TflTensor, y as TflTensor);
    const [left, right] = [x as TflTensor, y as TflTensor];
    const [sizeX, sizeY] = [left, right].map((each) => magnitude(lowering, each)) as [TflTensor, TflTensor];
    const rest = lowering.binary('FLOOR_MOD', sizeX, sizeY);
    const isNegative = lowering.binary('LESS', left, 0, 'bool');
    return lowering.select(isNegative, lowering.mul(rest, -1), rest);
  });
  lowering.result(node, result);
}

function magnitude(lowering: Lowering, x: TflTensor): TflTensor {
  return x.dtype === 'int64' ? lowering.binary('MAXIMUM', x, lowering.mul(x, -1)) : lowering.unary('ABS', x);
}

function folded(node: Node, lowering: Lowering, code: BuiltinOperator): TflTensor {
  const parts = node.inputs.map((_, index) => lowering.read(node, index));
  return parts.slice(1).reduce((left, right) => lowering.binary(code, left, right), parts[0] as TflTensor);
}

function many(code: BuiltinOperator): Lower {
  return (node, lowering) => lowering.result(node, folded(node, lowering, code));
}

function comparison(code: BuiltinOperator): Lower {
  return (node, lowering) => {
    const [a, b] = [lowering.read(node, 0), lowering.read(node, 1)];
    const [x, y] =
      a.dtype === 'bool' && code !== 'EQUAL' && code !== 'NOT_EQUAL'
        ? [lowering.cast(a, 'int32'), lowering.cast(b, 'int32')]
        : [a, b];
    lowering.result(node, lowering.binary(code, x, y, 'bool'));
  };
}

function logic(code: BuiltinOperator): Lower {
  return (node, lowering) =>
    lowering.result(node, lowering.binary(code, lowering.read(node, 0), lowering.read(node, 1)));
}

function where(node: Node, lowering: Lowering): void {
  const [condition, yes, no] = [0, 1, 2].map((index) => lowering.read(node, index)) as [
    TflTensor,
    TflTensor,
    TflTensor,
  ];
  lowering.result(node, lowering.select(condition, yes, no));
}

function cast(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const from = lowering.dtype(lowering.input(node, 0));
  const to = lowering.dtype(lowering.output(node));
  const inside = internalType(to);
  if (to === 'string' || from === 'string') throw new Refusal('text');
  // What a narrower type would round or wrap is done there and brought back.
  const isNarrow = isFloat(to)
    ? to === 'float16' && from !== 'float16'
    : to !== inside && to !== 'uint32' && to !== 'uint64';
  if (
    to.startsWith('float8') ||
    from.startsWith('float8') ||
    to === 'bfloat16' ||
    ['int4', 'uint4', 'int2', 'uint2', 'float4e2m1', 'float8e8m0'].includes(to)
  )
    throw new Refusal(`a conversion to or from ${to.startsWith('float') || to === 'bfloat16' ? to : from}`);
  if (inside === 'bool' && x.dtype !== 'bool') {
    lowering.result(node, lowering.binary('NOT_EQUAL', x, 0, 'bool'));
    return;
  }
  const narrow = isNarrow
    ? lowering.cast(lowering.cast(x, x.dtype === 'float32' && !isFloat(to) ? 'int32' : x.dtype), to)
    : x;
  lowering.result(node, lowering.cast(narrow, inside));
}

function dropout(node: Node, lowering: Lowering): void {
  const training = node.inputs[2];
  if (training && lowering.numbers(training)?.[0] !== 0)
    throw new Refusal('dropout in training draws random numbers; export the model for inference');
  const x = lowering.read(node, 0);
  lowering.result(node, x);
  const mask = node.outputs[1];
  if (mask) lowering.define(mask, lowering.binary('EQUAL', x, x, 'bool'));
}

function sign(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  lowering.result(
    node,
    inType(lowering, [x], ['float32'], ([y]) => lowering.unary('SIGN', y as TflTensor)),
  );
}

function isInfinite(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const infinity = Number.POSITIVE_INFINITY;
  const up = node.int('detect_positive', 1) === 1 ? lowering.binary('EQUAL', x, infinity, 'bool') : null;
  const down = node.int('detect_negative', 1) === 1 ? lowering.binary('EQUAL', x, -infinity, 'bool') : null;
  const both = up !== null && down !== null ? lowering.binary('LOGICAL_OR', up, down) : (up ?? down);
  lowering.result(
    node,
    both ??
      lowering.binary('LOGICAL_AND', lowering.binary('LESS', x, x, 'bool'), lowering.binary('LESS', x, x, 'bool')),
  );
}

function atan2(lowering: Lowering, y: TflTensor, x: TflTensor): TflTensor {
  const shape = broadcast(y.shape, x.shape);
  return lowering.emit('ATAN2', [lowering.broadcastTo(y, shape), lowering.broadcastTo(x, shape)], {
    shape,
    dtype: y.dtype,
  });
}

/** sqrt(1 - x^2). */
function otherLeg(lowering: Lowering, x: TflTensor): TflTensor {
  return lowering.unary('SQRT', lowering.sub(lowering.scalar(1), lowering.mul(x, x)));
}

function exponentialOfMinus(lowering: Lowering, x: TflTensor): TflTensor {
  return lowering.unary('EXP', lowering.mul(x, -1));
}

/**
 * erf(x) = sign(x) * (1 - poly(t) * exp(-x^2)), t = 1 / (1 + p |x|): Abramowitz and Stegun 7.1.26, error below 1.5e-7.
 */
export function erf(lowering: Lowering, x: TflTensor): TflTensor {
  const size = lowering.unary('ABS', x);
  const t = lowering.div(lowering.scalar(1), lowering.add(lowering.mul(size, 0.3275911), 1));
  const coefficients = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  let poly: TflTensor = lowering.mul(t, coefficients[0] ?? 0);
  for (const coefficient of coefficients.slice(1)) poly = lowering.mul(lowering.add(poly, coefficient), t);
  const tail = lowering.mul(poly, lowering.unary('EXP', lowering.mul(lowering.mul(x, x), -1)));
  return lowering.mul(lowering.unary('SIGN', x), lowering.sub(lowering.scalar(1), tail));
}

/** Limits as attributes before opset 11, as inputs since; RELU and RELU6 where the limits are theirs. */
function clip(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const limit = (index: number, name: string, none: number): number | TflTensor => {
    const value = lowering.optional(node, index);
    if (value === null) return lowering.opset < 11 ? node.float(name, none) : none;
    const numbers = lowering.numbers(value);
    return numbers?.[0] ?? lowering.tensor(value);
  };
  const low = limit(1, 'min', Number.NEGATIVE_INFINITY);
  const high = limit(2, 'max', Number.POSITIVE_INFINITY);
  const stored = lowering.resultType(node);
  if (x.dtype === 'float32' || x.quantization !== null) {
    const code = low === 0 && high === Number.POSITIVE_INFINITY ? 'RELU' : low === 0 && high === 6 ? 'RELU6' : null;
    if (code !== null) {
      const y = lowering.emit(code, [x], { shape: x.shape, dtype: x.dtype, quantization: x.quantization });
      lowering.result(node, requantized(lowering, y, stored));
      return;
    }
  }
  if (x.quantization !== null) throw new Refusal('a quantized clip with limits of its own');
  let y = x;
  if (typeof low !== 'number' || Number.isFinite(low)) y = lowering.binary('MAXIMUM', y, low);
  if (typeof high !== 'number' || Number.isFinite(high)) y = lowering.binary('MINIMUM', y, high);
  lowering.result(node, y);
}
