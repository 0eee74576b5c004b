/**
 * Activations, as functions named in other layers and as layers of their own. Formulas: `keras/src/activations/activations.py`;
 * where Keras 2 had another one under the name, it is said.
 */
import { floatAttribute, intAttribute } from '../../../graph/attribute.ts';
import { permutedTensor } from '../../../graph/late-tensor.ts';
import type { Value } from '../../../graph/value.ts';
import { field, type Json, recordOf } from '../json.ts';
import { axisIn, type GraphBuilder, type KerasTensor, type Layout } from './builder.ts';
import { type Layer, namedObject, onlyInput, type Raise } from './layer.ts';

/** What an activation may depend on. */
interface Context {
  readonly builder: GraphBuilder;
  readonly version: number;
  readonly rank: number;
  readonly layout: Layout;
  /** Options of an activation that is given as a layer; of a function, none. */
  number(name: string, fallback: number): number;
  /** The same where null means that there is no limit. */
  limit(name: string): number | null;
}

type Activation = (x: Value, context: Context) => Value;

const unary =
  (opType: string): Activation =>
  (x, { builder }) =>
    builder.op(opType, [x]);

const clip = (x: Value, low: number | null, high: number | null, builder: GraphBuilder): Value =>
  builder.op('Clip', [x, low === null ? null : builder.float(low), ...(high === null ? [] : [builder.float(high)])]);

const elu =
  (fallback: number): Activation =>
  (x, { builder, number }) =>
    builder.op('Elu', [x], { alpha: floatAttribute(number('alpha', fallback)) });

const leakyRelu =
  (fallback: number): Activation =>
  (x, { builder, number }) =>
    builder.op('LeakyRelu', [x], {
      // Called alpha until Keras 3.
      alpha: floatAttribute(number('negative_slope', number('alpha', fallback))),
    });

/** max(x, 0), with a limit above, a slope below the threshold, and the threshold: most are plain. */
const relu: Activation = (x, { builder, number, limit }) => {
  const max = limit('max_value');
  const slope = number('negative_slope', number('alpha', 0));
  const threshold = number('threshold', 0);
  if (slope === 0 && threshold === 0) return max === null ? builder.op('Relu', [x]) : clip(x, 0, max, builder);
  if (threshold === 0) {
    const leaky = builder.op('LeakyRelu', [x], { alpha: floatAttribute(slope) });
    return max === null ? leaky : clip(leaky, null, max, builder);
  }
  // f(x) = max for x >= max, x for threshold <= x < max, slope * (x - threshold) below.
  const limited = max === null ? x : clip(x, null, max, builder);
  const below = builder.op('Mul', [builder.op('Sub', [x, builder.float(threshold)]), builder.float(slope)]);
  return builder.op('Where', [builder.op('GreaterOrEqual', [x, builder.float(threshold)]), limited, below]);
};

const hardSigmoid: Activation = (x, { builder, version }) =>
  builder.op('HardSigmoid', [x], {
    // clip(0.2 x + 0.5, 0, 1) until Keras 3, relu6(x + 3) / 6 since.
    alpha: floatAttribute(version < 3 ? 0.2 : 1 / 6),
    beta: floatAttribute(0.5),
  });

const selu: Activation = (x, { builder }) =>
  builder.op('Selu', [x], { alpha: floatAttribute(1.6732632423543772), gamma: floatAttribute(1.0507009873554805) });

/** The exact form, x/2 (1 + erf(x / sqrt 2)), as ONNX Runtime recognises it; Keras's default. */
const gelu: Activation = (x, { builder }) => {
  const erf = builder.op('Erf', [builder.op('Mul', [x, builder.float(Math.SQRT1_2)])]);
  return builder.op('Mul', [builder.op('Mul', [x, builder.float(0.5)]), builder.op('Add', [erf, builder.float(1)])]);
};

const silu: Activation = (x, { builder }) => builder.op('Mul', [x, builder.op('Sigmoid', [x])]);

const softmax =
  (opType: string): Activation =>
  (x, { builder, rank, layout, number }) =>
    builder.op(opType, [x], { axis: intAttribute(axisIn(number('axis', -1), rank, layout)) });

/** By the name of the function, and by the class of the layer. */
const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  linear: (x) => x,
  relu,
  ReLU: relu,
  relu6: (x, { builder }) => clip(x, 0, 6, builder),
  leaky_relu: leakyRelu(0.2),
  LeakyReLU: leakyRelu(0.3),
  elu: elu(1),
  ELU: elu(1),
  selu,
  gelu,
  silu,
  swish: silu,
  sigmoid: unary('Sigmoid'),
  hard_sigmoid: hardSigmoid,
  hard_silu: unary('HardSwish'),
  hard_swish: unary('HardSwish'),
  hard_tanh: (x, { builder }) => clip(x, -1, 1, builder),
  tanh: unary('Tanh'),
  softmax: softmax('Softmax'),
  Softmax: softmax('Softmax'),
  log_softmax: softmax('LogSoftmax'),
  log_sigmoid: (x, { builder }) => builder.op('Neg', [builder.op('Softplus', [builder.op('Neg', [x])])]),
  softplus: unary('Softplus'),
  softsign: unary('Softsign'),
  exponential: unary('Exp'),
  mish: unary('Mish'),
  celu: (x, { builder }) => builder.op('Celu', [x], { alpha: floatAttribute(1) }),
  threshold: (x, { builder }) => builder.op('ThresholdedRelu', [x], { alpha: floatAttribute(1) }),
  ThresholdedReLU: (x, { builder, number }) =>
    builder.op('ThresholdedRelu', [x], { alpha: floatAttribute(number('theta', 1)) }),
};

/** Applies what a layer's `activation` names to its result. */
export function activate(x: Value, activation: Json, rank: number, layout: Layout, layer: Layer): Value {
  const { name, config } = namedObject(activation);
  const { builder } = layer;
  const make = Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined;
  if (make === undefined) {
    throw builder.unsupported(
      `has the activation ${name}, which is none of Keras's own or one that Hone does not open. Replace it and save the model again.`,
    );
  }
  const options = recordOf(config) ?? {};
  const number = (option: string, fallback: number): number => {
    const value = field(options, option);
    return typeof value === 'number' ? value : fallback;
  };
  const limit = (option: string): number | null => {
    const value = field(options, option);
    return typeof value === 'number' ? value : null;
  };
  return make(x, { builder, version: layer.version, rank, layout, number, limit });
}

/** A layer that is an activation works in the layout that its input has. */
export function elementwise(
  input: KerasTensor,
  builder: GraphBuilder,
  make: (x: Value, layout: Layout) => Value,
): KerasTensor {
  const layout = builder.has(input, 'first') ? 'first' : 'keras';
  return builder.result(make(builder.value(input, layout), layout), input.shape, layout, input.dtype);
}

const activationLayer: Raise = (layer, inputs, builder) => {
  const input = onlyInput(inputs, builder);
  return elementwise(input, builder, (x, layout) => activate(x, layer.activation, input.shape.length, layout, layer));
};

/** `ReLU`, `Softmax` and the like: the layer itself says which and how. */
const ownLayer: Raise = (layer, inputs, builder) => {
  const input = onlyInput(inputs, builder);
  if (layer.list('axis') !== null) throw builder.unsupported('works over several axes at once.');
  const itself: Json = { class_name: layer.type, config: layer.settings.config };
  return elementwise(input, builder, (x, layout) => activate(x, itself, input.shape.length, layout, layer));
};

/** One slope for each element of the input, or for each along the axes that are not shared. */
const prelu: Raise = (layer, inputs, builder) => {
  const input = onlyInput(inputs, builder);
  const alpha = layer.weight('alpha', ['alpha'], input.shape.length - 1);
  return elementwise(input, builder, (x, layout) => {
    const rank = alpha.shape.length;
    const order = Array.from({ length: rank }, (_, axis) => (axis === 0 ? rank - 1 : axis - 1));
    const slope = layout === 'keras' ? alpha : permutedTensor(alpha, order);
    return builder.op('PRelu', [x, builder.weight('alpha', slope)]);
  });
};

export const ACTIVATION_LAYERS: Readonly<Record<string, Raise>> = {
  Activation: activationLayer,
  ReLU: ownLayer,
  LeakyReLU: ownLayer,
  ELU: ownLayer,
  Softmax: ownLayer,
  ThresholdedReLU: ownLayer,
  PReLU: prelu,
};
