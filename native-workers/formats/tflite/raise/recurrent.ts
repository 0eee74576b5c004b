/**
 * Recurrent layers over whole sequences, in float, as LSTM and RNN. They begin with a state of zeros: what their variables keep from
 * one run to the next is not read. Places of operands: lite/kernels/{uni,bi}directional_sequence_{lstm,rnn}.cc.
 */
import {
  type Attribute,
  floatsAttribute,
  intAttribute,
  stringAttribute,
  stringsAttribute,
} from '../../../graph/attribute.ts';
import type { Value } from '../../../graph/value.ts';
import type { TfliteOperator } from '../file.ts';
import type { TableName } from '../schema.ts';
import type { GraphBuilder } from './builder.ts';
import { input, Options, output, type Raise } from './operator.ts';

/** Codes of `ActivationFunctionType`; none is the identity, which ONNX has as a line of slope 1. */
const ACTIVATIONS: Readonly<Record<number, string>> = { 0: 'Affine', 1: 'Relu', 4: 'Tanh' };

/** One operand of a layer by its place; null where the file leaves it out. */
type Operand = (place: number) => Value | null;

function operands(operator: TfliteOperator, builder: GraphBuilder): Operand {
  return (place) => {
    const index = operator.inputs[place];
    return index === undefined || index < 0 ? null : builder.value(index);
  };
}

function needed(operator: TfliteOperator, builder: GraphBuilder, operand: Operand, place: number): Value {
  const value = operand(place);
  if (value === null) throw builder.unsupported(operator, `input ${place} is missing.`);
  return value;
}

/** Weights of one direction, as [1, ...] each. */
interface Weights {
  readonly input: Value;
  readonly recurrence: Value;
  readonly bias: Value;
  readonly peepholes: Value | null;
}

/**
 * In the file the gates are input, forget, cell, output, in ONNX input, output, forget, cell. Without weights of the input gate
 * that is what the forget gate leaves, 1 - f(x) = f(-x): the same weights with the other sign.
 */
function lstmWeights(operator: TfliteOperator, builder: GraphBuilder, operand: Operand, first: number): Weights {
  const isCoupled = operand(first) === null;
  const gates = (from: number, order: readonly number[]): Value[] =>
    order.map((gate) => {
      if (gate !== 0 || !isCoupled) return needed(operator, builder, operand, from + gate);
      return builder.op('Neg', [needed(operator, builder, operand, from + 1)]);
    });
  const stacked = (parts: readonly Value[]): Value => leading(builder, joined(builder, parts, 0));
  const order = [0, 3, 1, 2];
  const biases = gates(first + 11, order);
  // The file's recurrent weights have no bias of their own.
  const zeros = biases.map((bias) => builder.op('Sub', [bias, bias]));
  const hasPeepholes = operand(first + 9) !== null;
  const peepholes = (): Value[] => {
    const [own, forget, out] = [0, 1, 2].map((gate) => operand(first + 8 + gate));
    if (!forget || !out) throw builder.unsupported(operator, 'it lacks the weights of some of its peepholes.');
    return [own ?? builder.op('Neg', [forget]), out, forget];
  };
  if (operand(first + 15) !== null) throw builder.unsupported(operator, 'ONNX has no projection of the state.');
  return {
    input: stacked(gates(first, order)),
    recurrence: stacked(gates(first + 4, order)),
    bias: stacked([...biases, ...zeros]),
    peepholes: hasPeepholes ? stacked(peepholes()) : null,
  };
}

function rnnWeights(operator: TfliteOperator, builder: GraphBuilder, operand: Operand, first: number): Weights {
  const bias = needed(operator, builder, operand, first + 2);
  return {
    input: leading(builder, needed(operator, builder, operand, first)),
    recurrence: leading(builder, needed(operator, builder, operand, first + 1)),
    bias: leading(builder, joined(builder, [bias, builder.op('Sub', [bias, bias])], 0)),
    peepholes: null,
  };
}

function joined(builder: GraphBuilder, parts: readonly Value[], axis: number): Value {
  return parts.length === 1 ? (parts[0] as Value) : builder.op('Concat', parts, { axis: intAttribute(axis) });
}

const leading = (builder: GraphBuilder, value: Value): Value => builder.op('Unsqueeze', [value, builder.int64s([0])]);

interface Layer {
  readonly opType: 'LSTM' | 'RNN';
  readonly table: TableName;
  readonly weights: (operator: TfliteOperator, builder: GraphBuilder, operand: Operand, first: number) => Weights;
  /** Where the weights of each direction begin. */
  readonly firsts: readonly number[];
  /** Operands that ONNX has nothing for. */
  readonly foreign: readonly number[];
}

const sequence =
  ({ opType, table, weights, firsts, foreign }: Layer): Raise =>
  (operator, builder) => {
    const options = new Options(operator, table);
    const data = input(operator, 0, builder);
    const { dtype, shape } = builder.tensor(data);
    if (dtype !== 'float32') throw builder.unsupported(operator, 'it computes on integers; Hone opens those in float.');
    if (shape.length !== 3) throw builder.unsupported(operator, 'its input is no sequence.');
    const operand = operands(operator, builder);
    const other = foreign.find((place) => (operator.inputs[place] ?? -1) >= 0);
    if (other !== undefined) throw builder.unsupported(operator, `ONNX has nothing for its input ${other}.`);
    if (opType === 'LSTM' && (options.float('cell_clip') !== 0 || options.float('proj_clip') !== 0))
      throw builder.unsupported(operator, 'ONNX does not limit the state.');
    const activation = ACTIVATIONS[options.byte('fused_activation_function')];
    if (activation === undefined) throw builder.unsupported(operator, 'its activation has no name in ONNX.');
    const sides = firsts.map((first) => weights(operator, builder, operand, first));
    const both = (part: 'input' | 'recurrence' | 'bias'): Value =>
      joined(
        builder,
        sides.map((side) => side[part]),
        0,
      );
    const peepholes = sides.flatMap((side) => side.peepholes ?? []);
    if (peepholes.length > 0 && peepholes.length < sides.length)
      throw builder.unsupported(operator, 'only one of its directions has peepholes.');
    const isTimeMajor = options.bool('time_major', table === 'BidirectionalSequenceLSTMOptions');
    const x = isTimeMajor ? builder.value(data) : builder.transpose(builder.value(data), [1, 0, 2]);
    const units = builder.tensor(operator.inputs[(firsts[0] ?? 1) + 1] ?? 0).shape[0] ?? 1;
    const gates = opType === 'LSTM' ? ['Sigmoid', activation, activation] : [activation];
    const attributes: Record<string, Attribute> = {
      hidden_size: intAttribute(units),
      direction: stringAttribute(sides.length === 2 ? 'bidirectional' : 'forward'),
      activations: stringsAttribute(sides.flatMap(() => gates)),
      ...slopes(sides.flatMap(() => gates)),
    };
    const inputs: (Value | null)[] = [x, both('input'), both('recurrence'), both('bias')];
    if (peepholes.length > 0) inputs.push(null, null, null, joined(builder, peepholes, 0));
    // [time, directions, batch, units]
    const [made] = builder.ops(opType, inputs, 1, attributes);
    const results = sides.map((_, side) => {
      const own = builder.op('Gather', [made as Value, builder.scalar(side, 'int64')], { axis: intAttribute(1) });
      return isTimeMajor ? own : builder.transpose(own, [1, 0, 2]);
    });
    const merged = operator.outputs.length === 1 ? [joined(builder, results, 2)] : results;
    merged.forEach((value, position) => {
      builder.define(output(operator, builder, position), value);
    });
  };

/** The parameters of the activations that have some. */
function slopes(activations: readonly string[]): Record<string, Attribute> {
  const lines = activations.filter((name) => name === 'Affine');
  if (lines.length === 0) return {};
  return {
    activation_alpha: floatsAttribute(lines.map(() => 1)),
    activation_beta: floatsAttribute(lines.map(() => 0)),
  };
}

const places = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, at) => from + at);

export const RECURRENT: Readonly<Record<string, Raise>> = {
  UNIDIRECTIONAL_SEQUENCE_LSTM: sequence({
    opType: 'LSTM',
    table: 'UnidirectionalSequenceLSTMOptions',
    weights: lstmWeights,
    firsts: [1],
    foreign: places(20, 23),
  }),
  BIDIRECTIONAL_SEQUENCE_LSTM: sequence({
    opType: 'LSTM',
    table: 'BidirectionalSequenceLSTMOptions',
    weights: lstmWeights,
    firsts: [1, 18],
    foreign: places(39, 47),
  }),
  UNIDIRECTIONAL_SEQUENCE_RNN: sequence({
    opType: 'RNN',
    table: 'SequenceRNNOptions',
    weights: rnnWeights,
    firsts: [1],
    foreign: [],
  }),
  BIDIRECTIONAL_SEQUENCE_RNN: sequence({
    opType: 'RNN',
    table: 'BidirectionalSequenceRNNOptions',
    weights: rnnWeights,
    firsts: [1, 5],
    foreign: places(9, 11),
  }),
};
