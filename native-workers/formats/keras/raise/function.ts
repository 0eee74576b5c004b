/** Functions of Keras 3 (`keras.ops`) and TensorFlow (`tf.math.add`) that a model calls between its layers: arithmetic. */
import { intAttribute } from '../../../graph/attribute.ts';
import type { Value } from '../../../graph/value.ts';
import { activate, elementwise } from './activation.ts';
import { axisIn, type GraphBuilder } from './builder.ts';
import { type Given, isTensor, onlyInput, plainOf, type Raise } from './layer.ts';
import { broadcast, commonLayout } from './merge.ts';

/** Two operands in order, one of which may be a number. TensorFlow calls them x and y. */
const binary =
  (opType: string): Raise =>
  (_layer, inputs, builder) => {
    const given = [
      inputs.args[0] ?? inputs.named.get('x') ?? inputs.named.get('x1'),
      inputs.args[1] ?? inputs.named.get('y') ?? inputs.named.get('x2'),
    ];
    const tensors = given.filter(isTensor);
    const layout = commonLayout(tensors, builder);
    const values = given.map((operand) =>
      isTensor(operand) ? builder.value(operand, layout) : numberOf(operand, builder),
    );
    const shape = broadcast(tensors.map((tensor) => tensor.shape));
    return builder.result(builder.op(opType, values), shape, layout);
  };

function numberOf(given: Given | undefined, builder: GraphBuilder): Value {
  const plain = plainOf(given);
  if (typeof plain !== 'number')
    throw builder.unsupported('computes with something that is neither a tensor nor a number.');
  return builder.float(plain);
}

const unary =
  (opType: string): Raise =>
  (_layer, inputs, builder) =>
    elementwise(onlyInput(inputs, builder), builder, (x) => builder.op(opType, [x]));

const activation =
  (name: string): Raise =>
  (layer, inputs, builder) => {
    const input = onlyInput(inputs, builder);
    return elementwise(input, builder, (x, layout) => activate(x, name, input.shape.length, layout, layer));
  };

const reduction =
  (opType: string): Raise =>
  (layer, inputs, builder) => {
    const input = onlyInput(inputs, builder);
    const rank = input.shape.length;
    // An option of the function in Keras 3, an argument of the call in TensorFlow.
    const option = (...names: string[]) =>
      names.map((name) => plainOf(inputs.named.get(name)) ?? layer.option(name)).find((value) => value != null);
    const given = option('axis') ?? [];
    const list = typeof given === 'number' ? [given] : Array.isArray(given) ? given : [];
    const axes = list.filter((axis) => typeof axis === 'number').map((axis) => axisIn(axis, rank, 'keras'));
    if (axes.length === 0 || axes.includes(0)) throw builder.unsupported('reduces over the batch.');
    const keep = option('keepdims', 'keep_dims') === true;
    const layout = keep && builder.has(input, 'first') ? 'first' : 'keras';
    const moved = axes.map((axis) => axisIn(axis, rank, layout));
    const value = builder.op(opType, [builder.value(input, layout), builder.int64s(moved)], {
      keepdims: intAttribute(keep ? 1 : 0),
    });
    const shape = input.shape.flatMap((size, axis) => (!axes.includes(axis) ? [size] : keep ? [1] : []));
    return builder.result(value, shape, layout);
  };

/** By the name in Keras 3 and the name in TensorFlow. */
const NAMES: readonly (readonly [Raise, ...string[]])[] = [
  [binary('Add'), 'Add', 'math.add', '__operators__.add'],
  [binary('Sub'), 'Subtract', 'math.subtract'],
  [binary('Mul'), 'Multiply', 'math.multiply'],
  [binary('Div'), 'TrueDivide', 'Divide', 'math.truediv', 'math.divide'],
  [binary('Pow'), 'Power', 'math.pow'],
  [binary('Max'), 'Maximum', 'math.maximum'],
  [binary('Min'), 'Minimum', 'math.minimum'],
  [unary('Neg'), 'Negative', 'math.negative'],
  [unary('Abs'), 'Absolute', 'Abs', 'math.abs'],
  [unary('Exp'), 'Exp', 'math.exp'],
  [unary('Log'), 'Log', 'math.log'],
  [unary('Sqrt'), 'Sqrt', 'math.sqrt'],
  [unary('Tanh'), 'Tanh', 'math.tanh', 'nn.tanh'],
  [unary('Sigmoid'), 'Sigmoid', 'math.sigmoid', 'nn.sigmoid'],
  [activation('relu'), 'Relu', 'nn.relu'],
  [activation('relu6'), 'Relu6', 'nn.relu6'],
  [activation('silu'), 'Silu', 'nn.silu', 'nn.swish'],
  [activation('hard_sigmoid'), 'HardSigmoid'],
  [activation('hard_silu'), 'HardSilu'],
  [activation('softmax'), 'nn.softmax'],
  [reduction('ReduceMean'), 'Mean', 'math.reduce_mean'],
  [reduction('ReduceSum'), 'Sum', 'math.reduce_sum'],
  [reduction('ReduceMax'), 'Max', 'Amax', 'math.reduce_max'],
  [reduction('ReduceMin'), 'Min', 'Amin', 'math.reduce_min'],
];

export const FUNCTIONS: Readonly<Record<string, Raise>> = Object.fromEntries(
  NAMES.flatMap(([raise, ...names]) => names.map((name): [string, Raise] => [`function:${name}`, raise])),
);
