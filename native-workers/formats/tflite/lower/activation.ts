/** Activations: TFLite's own where it has them, else from arithmetic. Formulas are those of ONNX's operator pages. */
import type { DType } from '../../../graph/dtype.ts';
import type { Node } from '../../../graph/node.ts';
import type { Options, TflTensor } from '../ir.ts';
import type { BuiltinOperator } from '../schema.ts';
import { erf } from './elementwise.ts';
import type { Lowering } from './lowering.ts';
import { requantized } from './quantize.ts';
import type { Lower } from './registry.ts';
import { positive, Refusal } from './terms.ts';

type Make = (lowering: Lowering, x: TflTensor, node: Node) => TflTensor;

const compute =
  (make: Make): Lower =>
  (node, lowering) => {
    const x = lowering.read(node, 0);
    if (x.dtype !== 'float32') throw new Refusal(`an activation of ${x.dtype} values`);
    lowering.result(node, make(lowering, x, node));
  };

export const ACTIVATION_LOWERINGS: Readonly<Record<string, Lower>> = {
  Relu: relu,
  Sigmoid: fixedRange('LOGISTIC'),
  Tanh: fixedRange('TANH'),
  Elu: compute((lowering, x, node) => elu(lowering, x, node.float('alpha', 1))),
  Selu: compute((lowering, x, node) => {
    const alpha = node.float('alpha', 1.6732632423543772);
    return lowering.mul(elu(lowering, x, alpha), node.float('gamma', 1.0507009873554805));
  }),
  Celu: compute((lowering, x, node) => {
    const alpha = node.float('alpha', 1);
    return lowering.mul(lowering.unary('ELU', lowering.mul(x, 1 / alpha)), alpha);
  }),
  LeakyRelu: leakyRelu,
  PRelu: prelu,
  HardSwish: hardSwish,
  HardSigmoid: compute((lowering, x, node) => {
    const line = lowering.add(lowering.mul(x, node.float('alpha', 0.2)), node.float('beta', 0.5));
    return lowering.clamp(line, 0, 1);
  }),
  Softplus: compute(softplus),
  Softsign: compute((lowering, x) => lowering.div(x, lowering.add(lowering.unary('ABS', x), 1))),
  Mish: compute((lowering, x) => lowering.mul(x, lowering.unary('TANH', softplus(lowering, x)))),
  ThresholdedRelu: compute((lowering, x, node) => {
    const above = lowering.binary('GREATER', x, node.float('alpha', 1), 'bool');
    return lowering.mul(x, lowering.cast(above, 'float32'));
  }),
  'ai.onnx.ml:Binarizer': compute((lowering, x, node) =>
    lowering.cast(lowering.binary('GREATER', x, node.float('threshold', 0), 'bool'), 'float32'),
  ),
  Shrink: compute((lowering, x, node) => {
    const lambda = node.float('lambd', 0.5);
    const bias = node.float('bias', 0);
    const zero = lowering.mul(x, 0);
    const low = lowering.select(lowering.binary('LESS', x, -lambda, 'bool'), lowering.add(x, bias), zero);
    return lowering.select(lowering.binary('GREATER', x, lambda, 'bool'), lowering.sub(x, bias), low);
  }),
  Gelu: compute((lowering, x, node) => gelu(lowering, x, node.string('approximate', 'none') === 'tanh')),
  'com.microsoft:Gelu': compute((lowering, x) => gelu(lowering, x, false)),
  'com.microsoft:FastGelu': compute((lowering, x) => gelu(lowering, x, true)),
  'com.microsoft:QuickGelu': compute((lowering, x, node) =>
    lowering.mul(x, lowering.unary('LOGISTIC', lowering.mul(x, node.float('alpha', 1.702)))),
  ),
  Swish: compute((lowering, x, node) => {
    const scaled = node.float('alpha', 1) === 1 ? x : lowering.mul(x, node.float('alpha', 1));
    return lowering.mul(x, lowering.unary('LOGISTIC', scaled));
  }),
  Softmax: softmax,
  LogSoftmax: softmax,
  Hardmax: hardmax,
};

function relu(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  if (x.dtype !== 'float32' && x.quantization === null) {
    lowering.result(node, lowering.binary('MAXIMUM', x, 0));
    return;
  }
  const y = lowering.emit('RELU', [x], { shape: x.shape, dtype: x.dtype, quantization: x.quantization });
  lowering.result(node, requantized(lowering, y, lowering.resultType(node)));
}

/** Operators whose quantized output has one scale and zero point by TFLite's rules. */
const FIXED_RANGES: Readonly<Record<string, Readonly<Partial<Record<DType, readonly [number, number]>>>>> = {
  LOGISTIC: { int8: [1 / 256, -128], uint8: [1 / 256, 0], int16: [1 / 32768, 0] },
  SOFTMAX: { int8: [1 / 256, -128], uint8: [1 / 256, 0], int16: [1 / 32768, 0] },
  TANH: { int8: [1 / 128, 0], uint8: [1 / 128, 128], int16: [1 / 32768, 0] },
  LOG_SOFTMAX: { int8: [16 / 256, 127], uint8: [16 / 256, 255] },
};

function inFixedRange(lowering: Lowering, code: BuiltinOperator, x: TflTensor, options: Options = {}): TflTensor {
  if (x.quantization === null) return lowering.unary(code, x, options);
  const range = FIXED_RANGES[code]?.[x.dtype];
  if (range === undefined) throw new Refusal(`${code} of ${x.dtype} codes`);
  const quantization = { scales: [range[0]], zeroPoints: [range[1]], axis: 0 };
  return lowering.emit(code, [x], { shape: x.shape, dtype: x.dtype, quantization }, options);
}

function fixedRange(code: BuiltinOperator): Lower {
  return (node, lowering) => {
    const y = inFixedRange(lowering, code, lowering.read(node, 0));
    lowering.result(node, requantized(lowering, y, lowering.resultType(node)));
  };
}

export function elu(lowering: Lowering, x: TflTensor, alpha: number): TflTensor {
  if (alpha === 1) return lowering.unary('ELU', x);
  const negative = lowering.mul(lowering.unary('ELU', lowering.binary('MINIMUM', x, 0)), alpha);
  return lowering.add(lowering.unary('RELU', x), negative);
}

function leakyRelu(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const output = lowering.resultType(node);
  lowering.result(node, lowering.emit('LEAKY_RELU', [x], output, { alpha: node.float('alpha', 0.01) }));
}

/** max(x, 0) + slope * min(x, 0): PRELU would want the slope in the layout of the channels. */
function prelu(node: Node, lowering: Lowering): void {
  const [x, slope] = [lowering.read(node, 0), lowering.read(node, 1)];
  const zero = lowering.scalar(0, x.dtype);
  const up = lowering.binary('MAXIMUM', x, zero);
  lowering.result(node, lowering.add(up, lowering.mul(lowering.binary('MINIMUM', x, zero), slope)));
}

function hardSwish(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  lowering.result(node, lowering.emit('HARD_SWISH', [x], lowering.resultType(node)));
}

/** max(x, 0) + log(1 + exp(-|x|)): does not overflow. */
export function softplus(lowering: Lowering, x: TflTensor): TflTensor {
  const small = lowering.unary('EXP', lowering.mul(lowering.unary('ABS', x), -1));
  return lowering.add(lowering.unary('RELU', x), lowering.unary('LOG', lowering.add(small, 1)));
}

/** The GELU operator approximates where it is delegated; the exact one here is within 1e-6 of ONNX's. */
export function gelu(lowering: Lowering, x: TflTensor, approximate: boolean): TflTensor {
  if (approximate) return lowering.unary('GELU', x, { approximate: true });
  const half = lowering.mul(x, 0.5);
  return lowering.mul(half, lowering.add(erf(lowering, lowering.mul(x, Math.SQRT1_2)), 1));
}

/** SOFTMAX and LOG_SOFTMAX work along the last axis; before opset 13, everything from the axis on is one axis. */
function softmax(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const code = node.opType === 'Softmax' ? 'SOFTMAX' : 'LOG_SOFTMAX';
  const options = code === 'SOFTMAX' ? { beta: 1 } : {};
  const apply = (last: TflTensor): TflTensor => inFixedRange(lowering, code, last, options);
  const stored = lowering.resultType(node);
  lowering.result(node, requantized(lowering, alongAxis(node, lowering, x, apply), stored));
}

function alongAxis(node: Node, lowering: Lowering, x: TflTensor, apply: (last: TflTensor) => TflTensor): TflTensor {
  const rank = x.shape.length;
  if (rank === 0) throw new Refusal('a softmax of a scalar');
  const axis = positive(node.int('axis', lowering.opset < 13 ? 1 : -1), rank);
  if (lowering.opset < 13) {
    const rows = x.shape.slice(0, axis).reduce((all, dim) => all * dim, 1);
    const columns = x.shape.slice(axis).reduce((all, dim) => all * dim, 1);
    const isLast = axis === rank - 1;
    const isFree = x.shape.slice(axis + 1).every((dim) => dim === 1);
    if (isLast) return apply(x);
    if (!isFree) return lowering.reshape(apply(lowering.reshape(x, [rows, columns])), x.shape);
  }
  if (axis === rank - 1) return apply(x);
  const others = x.shape.map((_, index) => index).filter((index) => index !== axis);
  const perm = [...others, axis];
  const back = x.shape.map((_, index) => perm.indexOf(index));
  return lowering.transpose(apply(lowering.transpose(x, perm)), back);
}

function hardmax(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const result = alongAxis(node, lowering, x, (last) => {
    const depth = last.shape.at(-1) ?? 1;
    const axis = lowering.scalar(last.shape.length - 1, 'int32');
    const best = lowering.emit(
      'ARG_MAX',
      [last, axis],
      { shape: last.shape.slice(0, -1), dtype: 'int32' },
      { output_type: 2 },
    );
    const inputs = [best, lowering.scalar(depth, 'int32'), lowering.scalar(1), lowering.scalar(0)];
    return lowering.emit('ONE_HOT', inputs, { shape: last.shape, dtype: 'float32' }, { axis: -1 });
  });
  lowering.result(node, result);
}
