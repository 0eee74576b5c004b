/** Activations with parameters, and softmax. */
import type { Node } from '../../../graph/node.ts';
import type { Lower, Lowering } from './lowering.ts';
import { Refusal } from './terms.ts';

/** Constants of SELU. Source: onnx Operators.md, Selu. */
const SELU_ALPHA = 1.6732632423543772;
const SELU_GAMMA = 1.0507009873554805;

const withAlpha =
  (type: string, fallback: number): Lower =>
  (node, lowering) =>
    void lowering.out(node, type, {
      x: lowering.get(node, 0),
      alpha: lowering.float(node.float('alpha', fallback), 'alpha'),
    });

function hardSigmoid(node: Node, lowering: Lowering): void {
  lowering.out(node, 'sigmoid_hard', {
    x: lowering.get(node, 0),
    alpha: lowering.float(node.float('alpha', 0.2), 'alpha'),
    beta: lowering.float(node.float('beta', 0.5), 'beta'),
  });
}

function hardSwish(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const gate = lowering.op(
    'sigmoid_hard',
    { x, alpha: lowering.float(1 / 6, 'alpha'), beta: lowering.float(0.5, 'beta') },
    x.type,
  );
  lowering.out(node, 'mul', { x, y: gate });
}

function swish(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const alpha = node.float('alpha', node.opType === 'QuickGelu' ? 1.702 : 1);
  if (alpha === 1) lowering.out(node, 'silu', { x });
  else lowering.out(node, 'mul', { x, y: lowering.unary('sigmoid', lowering.binary('mul', x, lowering.float(alpha))) });
}

function mish(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  lowering.out(node, 'mul', { x, y: lowering.unary('tanh', lowering.unary('softplus', x)) });
}

function gelu(node: Node, lowering: Lowering): void {
  const isFast = node.opType === 'FastGelu' || node.string('approximate', 'none') === 'tanh';
  const mode = isFast ? 'TANH_APPROXIMATION' : 'EXACT';
  lowering.out(node, 'gelu', { x: lowering.get(node, 0), mode: lowering.text(mode) });
}

function selu(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const elu = lowering.op('elu', { x, alpha: lowering.float(node.float('alpha', SELU_ALPHA), 'alpha') }, x.type);
  lowering.out(node, 'mul', { x: elu, y: lowering.float(node.float('gamma', SELU_GAMMA)) });
}

/** alpha * elu(x / alpha) below zero, and x above. */
function celu(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const alpha = node.float('alpha', 1);
  const scaled = lowering.binary('mul', x, lowering.float(1 / alpha));
  const elu = lowering.op('elu', { x: scaled, alpha: lowering.float(1, 'alpha') }, x.type);
  lowering.out(node, 'mul', { x: elu, y: lowering.float(alpha) });
}

/** MIL's prelu takes one slope a channel; others are computed with the two halves. */
function prelu(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const slope = lowering.get(node, 1);
  const positive = lowering.unary('relu', x);
  const negative = lowering.binary('minimum', x, lowering.float(0));
  lowering.out(node, 'add', { x: positive, y: lowering.binary('mul', negative, slope) });
}

function softmax(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const { shape } = x.type;
  const rank = shape.length;
  const axis = lowering.axis(node.int('axis', lowering.opset < 13 ? 1 : -1), rank);
  // Before operator set 13, softmax is over all dimensions from the axis on.
  const overOne = lowering.opset >= 13 || shape.slice(axis + 1).every((dim) => dim === 1);
  if (!overOne) {
    const rows = shape
      .slice(0, axis)
      .reduce<number | null>((product, dim) => (product === null || dim === null ? null : product * dim), 1);
    const flat = lowering.reshape(x, [
      rows ?? -1,
      shape.slice(axis).reduce<number>((product, dim) => product * (dim ?? Number.NaN), 1),
    ]);
    if (Number.isNaN(flat.type.shape[1])) throw new Refusal('the shape it normalises over is not known');
    const result = node.opType === 'Softmax' ? softmaxOf(lowering, flat, 1) : logSoftmaxOf(lowering, flat, 1);
    lowering.out(node, 'reshape', {
      x: result,
      shape: lowering.ints(
        shape.map((dim) => dim ?? -1),
        'shape',
      ),
    });
    return;
  }
  if (node.opType === 'Softmax') lowering.out(node, 'softmax', { x, axis: lowering.int(axis, 'axis') });
  else lowering.out(node, 'sub', { x, y: logSumExp(lowering, x, axis) });
}

type Value = ReturnType<Lowering['get']>;

function softmaxOf(lowering: Lowering, x: Value, axis: number): Value {
  return lowering.op('softmax', { x, axis: lowering.int(axis, 'axis') }, x.type);
}

function logSumExp(lowering: Lowering, x: Value, axis: number): Value {
  const shape = x.type.shape.map((dim, index) => (index === axis ? 1 : dim));
  return lowering.op(
    'reduce_log_sum_exp',
    { x, axes: lowering.ints([axis], 'axes'), keep_dims: lowering.bool(true, 'keep') },
    { dtype: x.type.dtype, shape },
  );
}

const logSoftmaxOf = (lowering: Lowering, x: Value, axis: number): Value =>
  lowering.binary('sub', x, logSumExp(lowering, x, axis));

export const ACTIVATIONS: Readonly<Record<string, Lower>> = {
  LeakyRelu: withAlpha('leaky_relu', 0.01),
  Elu: withAlpha('elu', 1),
  ThresholdedRelu: withAlpha('thresholded_relu', 1),
  HardSigmoid: hardSigmoid,
  HardSwish: hardSwish,
  Swish: swish,
  Mish: mish,
  Gelu: gelu,
  'com.microsoft:Gelu': gelu,
  'com.microsoft:FastGelu': gelu,
  'com.microsoft:QuickGelu': swish,
  Selu: selu,
  Celu: celu,
  PRelu: prelu,
  Softmax: softmax,
  LogSoftmax: softmax,
};
