/** Operators that work element by element. */
import type { Node } from '../../../graph/node.ts';
import type { Value } from '../../../graph/value.ts';
import type { MilValue } from '../program.ts';
import { select } from './builders.ts';
import type { Lower, Lowering } from './lowering.ts';
import { SEQUENCES } from './reasons.ts';
import { Refusal } from './terms.ts';

/** ONNX's name, and MIL's where both mean the same. */
const UNARY: Readonly<Record<string, string>> = {
  Acos: 'acos',
  Asin: 'asin',
  Atan: 'atan',
  Atanh: 'atanh',
  Cos: 'cos',
  Cosh: 'cosh',
  Erf: 'erf',
  Exp: 'exp',
  Relu: 'relu',
  Sigmoid: 'sigmoid',
  Sin: 'sin',
  Sinh: 'sinh',
  Softplus: 'softplus',
  Softsign: 'softsign',
  Sqrt: 'sqrt',
  Tan: 'tan',
  Tanh: 'tanh',
};
/** These are the identity on integers. */
const ROUNDING: Readonly<Record<string, string>> = { Ceil: 'ceil', Floor: 'floor', Round: 'round' };
/** These take integers too. */
const SIGNED: Readonly<Record<string, string>> = { Abs: 'abs', Sign: 'sign' };
const BINARY: Readonly<Record<string, string>> = { Add: 'add', Sub: 'sub', Mul: 'mul', Pow: 'pow' };
const COMPARISONS: Readonly<Record<string, string>> = {
  Equal: 'equal',
  Greater: 'greater',
  GreaterOrEqual: 'greater_equal',
  Less: 'less',
  LessOrEqual: 'less_equal',
};
const LOGICAL: Readonly<Record<string, string>> = { And: 'logical_and', Or: 'logical_or', Xor: 'logical_xor' };
const VARIADIC: Readonly<Record<string, string>> = { Sum: 'add', Mean: 'add', Max: 'maximum', Min: 'minimum' };

function float(node: Node, lowering: Lowering, index = 0): MilValue {
  const x = lowering.get(node, index);
  if (x.type.dtype !== 'fp32') throw new Refusal(`Core ML computes ${node.opType} on floats only`);
  return x;
}

const simple =
  (type: string): Lower =>
  (node, lowering) =>
    void lowering.out(node, type, { x: float(node, lowering) });

const rounding =
  (type: string): Lower =>
  (node, lowering) =>
    void lowering.out(node, type, { x: float(node, lowering) });

const numeric =
  (type: string): Lower =>
  (node, lowering) =>
    void lowering.out(node, type, { x: lowering.get(node, 0) });

const binary =
  (type: string): Lower =>
  (node, lowering) => {
    const x = lowering.get(node, 0);
    const y = lowering.cast(lowering.get(node, 1), x.type.dtype);
    lowering.out(node, type, { x, y });
  };

const comparison =
  (type: string): Lower =>
  (node, lowering) => {
    const [x, y] = [0, 1].map((index) => {
      const operand = lowering.get(node, index);
      return operand.type.dtype === 'bool' ? lowering.cast(operand, 'int32') : operand;
    });
    lowering.out(node, type, { x, y });
  };

const variadic =
  (type: string): Lower =>
  (node, lowering) => {
    const values = node.inputs.map((_, index) => lowering.get(node, index));
    const [first, ...rest] = values;
    if (first === undefined) throw new Refusal('it has no inputs');
    const mean = node.opType === 'Mean' && values.length > 1;
    if (rest.length === 0) {
      lowering.out(node, 'identity', { x: first });
      return;
    }
    const last = rest.pop() as MilValue;
    let sum = first;
    for (const value of rest) sum = lowering.binary(type, sum, value);
    if (!mean) lowering.out(node, type, { x: sum, y: last });
    else lowering.out(node, 'mul', { x: lowering.binary(type, sum, last), y: lowering.float(1 / values.length) });
  };

function div(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const y = lowering.get(node, 1);
  if (x.type.dtype === 'fp32') {
    lowering.out(node, 'real_div', { x, y });
    return;
  }
  // ONNX rounds integer quotients to zero, floor_div to minus infinity: so the magnitudes are divided.
  const quotient = lowering.binary('floor_div', lowering.unary('abs', x), lowering.unary('abs', y));
  const sign = lowering.binary('mul', lowering.unary('sign', x), lowering.unary('sign', y));
  lowering.out(node, 'mul', { x: quotient, y: sign });
}

function not(node: Node, lowering: Lowering): void {
  lowering.out(node, 'logical_not', { x: lowering.get(node, 0) });
}

function neg(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  lowering.out(node, 'mul', { x, y: lowering.scalarLike(x, -1) });
}

function reciprocal(node: Node, lowering: Lowering): void {
  lowering.out(node, 'real_div', { x: lowering.float(1), y: float(node, lowering) });
}

function log(node: Node, lowering: Lowering): void {
  // MIL's log adds epsilon; this is the smallest that it has by default.
  lowering.out(node, 'log', { x: float(node, lowering), epsilon: lowering.float(1e-45, 'epsilon') });
}

const isRead = (value: Value | null | undefined): boolean =>
  value != null && (value.consumers.size > 0 || value.producer?.graph?.outputs.includes(value) === true);

/** Whether Dropout trains, or may. */
function drops(node: Node, lowering: Lowering): boolean {
  const isZero = (index: number): boolean => lowering.numbers(node, index)?.[0] === 0;
  return node.inputs[2] != null && !isZero(2) && !isZero(1);
}

function identity(node: Node, lowering: Lowering): void {
  // No operation: the same value under another name. A Dropout's mask is a constant by now.
  if (node.opType === 'Dropout' && (isRead(node.outputs[1]) || drops(node, lowering)))
    throw new Refusal('what Dropout draws at random is only for training; export the model for inference');
  const output = lowering.output(node);
  // Refuses an empty output under its own name, not that of the constant that stands for it.
  lowering.type(output);
  lowering.set(output, lowering.codes(node, 0));
}

/** A tensor is its own element. */
function optionalElement(node: Node, lowering: Lowering): void {
  if (lowering.input(node, 0).type?.kind !== 'tensor') throw new Refusal(SEQUENCES);
  identity(node, lowering);
}

function where(node: Node, lowering: Lowering): void {
  const [cond, a, b] = [lowering.get(node, 0), lowering.get(node, 1), lowering.get(node, 2)];
  lowering.result(node, select(lowering, cond, a, b));
}

function clip(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const isFloat = x.type.dtype === 'fp32';
  const largest = isFloat ? 3.4028234663852886e38 : 2 ** 31 - 1;
  const bound = (index: number, attribute: string, fallback: number): number | MilValue => {
    if (lowering.opset < 11) return node.float(attribute, fallback);
    if (!node.inputs[index]) return fallback;
    const numbers = lowering.numbers(node, index);
    return numbers === null ? lowering.get(node, index) : (numbers[0] ?? fallback);
  };
  const low = bound(1, 'min', -largest);
  const high = bound(2, 'max', largest);
  if (isFloat && typeof low === 'number' && typeof high === 'number' && low <= high) {
    if (low === 0 && high === 6) lowering.out(node, 'relu6', { x });
    else if (low === 0 && high === largest) lowering.out(node, 'relu', { x });
    else lowering.out(node, 'clip', { x, alpha: lowering.float(low, 'alpha'), beta: lowering.float(high, 'beta') });
    return;
  }
  const operand = (of: number | MilValue): MilValue => (typeof of === 'number' ? lowering.scalarLike(x, of) : of);
  lowering.out(node, 'minimum', { x: lowering.binary('maximum', x, operand(low)), y: operand(high) });
}

function isNotANumber(node: Node, lowering: Lowering): void {
  const x = float(node, lowering);
  lowering.out(node, 'not_equal', { x, y: x });
}

function acosh(node: Node, lowering: Lowering): void {
  const x = float(node, lowering);
  const root = lowering.unary('sqrt', lowering.binary('sub', lowering.unary('square', x), lowering.float(1)));
  lowering.out(node, 'log', { x: lowering.binary('add', x, root), epsilon: lowering.float(1e-45, 'epsilon') });
}

/** log(|x| + sqrt(x^2 + 1)) with the sign of x, since the sum would cancel for negative x. */
function asinh(node: Node, lowering: Lowering): void {
  const x = float(node, lowering);
  const size = lowering.unary('abs', x);
  const root = lowering.unary('sqrt', lowering.binary('add', lowering.unary('square', x), lowering.float(1)));
  const sum = lowering.binary('add', size, root);
  const value = lowering.op('log', { x: sum, epsilon: lowering.float(1e-45, 'epsilon') }, x.type);
  lowering.out(node, 'mul', { x: value, y: lowering.unary('sign', x) });
}

const table = (names: Readonly<Record<string, string>>, make: (type: string) => Lower): [string, Lower][] =>
  Object.entries(names).map(([name, type]) => [name, make(type)]);

export const ELEMENTWISE: Readonly<Record<string, Lower>> = {
  ...Object.fromEntries([
    ...table(UNARY, simple),
    ...table(ROUNDING, rounding),
    ...table(SIGNED, numeric),
    ...table(BINARY, binary),
    ...table(COMPARISONS, comparison),
    ...table(
      LOGICAL,
      (type) => (node, lowering) =>
        void lowering.out(node, type, { x: lowering.get(node, 0), y: lowering.get(node, 1) }),
    ),
    ...table(VARIADIC, variadic),
  ]),
  Div: div,
  Not: not,
  Neg: neg,
  Reciprocal: reciprocal,
  Log: log,
  Identity: identity,
  Dropout: identity,
  OptionalGetElement: optionalElement,
  Where: where,
  Clip: clip,
  IsNaN: isNotANumber,
  Acosh: acosh,
  Asinh: asinh,
};
