/**
 * Recurrent layers. Keras keeps [input, gates * units] with its own order of gates, and the batch first; ONNX wants
 * [direction, gates * units, input] and the time first. Sources: the ONNX operators LSTM, GRU and RNN; `lstm.py`, `gru.py`,
 * `simple_rnn.py` and `bidirectional.py` of Keras.
 */
import {
  type Attribute,
  floatsAttribute,
  intAttribute,
  intsAttribute,
  stringAttribute,
} from '../../../graph/attribute.ts';
import { byteLength } from '../../../graph/dtype.ts';
import { lateTensor, permutedTensor } from '../../../graph/late-tensor.ts';
import type { Tensor } from '../../../graph/tensor.ts';
import type { Value } from '../../../graph/value.ts';
import { innerLayer } from '../config.ts';
import type { Json } from '../json.ts';
import type { GraphBuilder, KerasTensor, Size } from './builder.ts';
import { type Inputs, isTensor, type Layer, namedObject, onlyInput, type Raise } from './layer.ts';

interface Kind {
  readonly opType: 'LSTM' | 'GRU' | 'RNN';
  /** For each gate of ONNX in order, which one of Keras it is. */
  readonly gates: readonly number[];
  readonly states: number;
  /** Activations in ONNX's order: of the gates, then of the content. */
  activations(layer: Layer): Json[];
}

const gated = (layer: Layer): Json => layer.option('recurrent_activation') ?? 'sigmoid';
const content = (layer: Layer): Json => layer.option('activation') ?? 'tanh';

const KINDS: Readonly<Record<string, Kind>> = {
  // Keras: input, forget, cell, output. ONNX: input, output, forget, cell.
  LSTM: {
    opType: 'LSTM',
    gates: [0, 3, 1, 2],
    states: 2,
    activations: (layer) => [gated(layer), content(layer), content(layer)],
  },
  // Update, reset, hidden in both.
  GRU: { opType: 'GRU', gates: [0, 1, 2], states: 1, activations: (layer) => [gated(layer), content(layer)] },
  SimpleRNN: {
    opType: 'RNN',
    gates: [0],
    states: 1,
    activations: (layer) => [content(layer)],
  },
};

const ONNX_ACTIVATIONS: Readonly<Record<string, string>> = {
  relu: 'Relu',
  tanh: 'Tanh',
  sigmoid: 'Sigmoid',
  hard_sigmoid: 'HardSigmoid',
  softsign: 'Softsign',
  softplus: 'Softplus',
};

function activationAttributes(layer: Layer, kind: Kind): Record<string, Attribute> {
  const encoder = new TextEncoder();
  const alpha: number[] = [];
  const beta: number[] = [];
  const names = kind.activations(layer).map((given) => {
    const { name } = namedObject(given);
    const own = Object.hasOwn(ONNX_ACTIVATIONS, name) ? ONNX_ACTIVATIONS[name] : undefined;
    if (own === undefined)
      throw layer.builder.unsupported(`has the activation ${name}, which ONNX's ${kind.opType} lacks.`);
    if (own === 'HardSigmoid') {
      alpha.push(layer.version < 3 ? 0.2 : 1 / 6);
      beta.push(0.5);
    }
    return encoder.encode(own);
  });
  return {
    activations: { type: 'strings', value: names },
    ...(alpha.length === 0 ? {} : { activation_alpha: floatsAttribute(alpha), activation_beta: floatsAttribute(beta) }),
  };
}

/** [rows, gates * units] as [1, gates * units, rows], gates in ONNX's order. */
function gateRows(weight: Tensor, gates: readonly number[]): Tensor {
  const [rows = 1, columns = 1] = weight.shape;
  const turned = permutedTensor(weight, [1, 0]);
  return lateTensor('float32', [1, columns, rows], turned.data.byteLength, () => reordered(turned.data.read(), gates));
}

/** Equal blocks of bytes in another order. */
function reordered(bytes: Uint8Array, gates: readonly number[]): Uint8Array {
  const block = bytes.length / gates.length;
  const result = new Uint8Array(bytes.length);
  gates.forEach((gate, index) => {
    result.set(bytes.subarray(gate * block, (gate + 1) * block), index * block);
  });
  return result;
}

/** [gates * units], or [2, gates * units] for a GRU that resets after its product, as [1, 2 * gates * units]. */
function gateBias(bias: Tensor, gates: readonly number[]): Tensor {
  const columns = bias.shape.at(-1) ?? 1;
  const half = byteLength('float32', columns);
  return lateTensor('float32', [1, 2 * columns], 2 * half, () => {
    const bytes = bias.data.read();
    const result = new Uint8Array(2 * half);
    result.set(reordered(bytes.subarray(0, half), gates));
    if (bias.shape.length === 2) result.set(reordered(bytes.subarray(half), gates), half);
    return result;
  });
}

interface Run {
  readonly sequence: Value;
  readonly states: readonly Value[];
  readonly units: number;
}

const KERNELS = ['kernel', 'recurrent_kernel', 'bias'];

/** One direction. The sequence of the result is in the order of the input, whatever the direction. */
function run(layer: Layer, kind: Kind, x: Value, states: readonly Value[], isReverse: boolean): Run {
  const { builder } = layer;
  const cell = layer.part('cell', null);
  const kernel = cell.weight('kernel', KERNELS, 2);
  const recurrent = cell.weight('recurrent_kernel', KERNELS, 2);
  const units = recurrent.shape[0] ?? 1;
  const columns = units * kind.gates.length;
  if (kernel.shape[1] !== columns || recurrent.shape[1] !== columns)
    throw builder.corrupt('has weights of other sizes than its gates.');
  const after = kind.opType === 'GRU' && layer.flag('reset_after', layer.version >= 3);
  const bias = layer.flag('use_bias', true) ? cell.weight('bias', KERNELS, after ? 2 : 1) : null;
  const steps = builder.op('Transpose', [x], { perm: intsAttribute([1, 0, 2]) });
  const inputs: (Value | null)[] = [
    steps,
    builder.weight('kernel', gateRows(kernel, kind.gates)),
    builder.weight('recurrent_kernel', gateRows(recurrent, kind.gates)),
    bias === null ? null : builder.weight('bias', gateBias(bias, kind.gates)),
    null,
    ...states.map((state) => builder.op('Unsqueeze', [state, builder.int64s([0])])),
  ];
  while (inputs.at(-1) === null) inputs.pop();
  const [sequence, ...last] = builder.ops(kind.opType, inputs, 1 + kind.states, {
    hidden_size: intAttribute(units),
    direction: stringAttribute(isReverse ? 'reverse' : 'forward'),
    ...activationAttributes(layer, kind),
    ...(after ? { linear_before_reset: intAttribute(1) } : {}),
  });
  const flat = builder.op('Squeeze', [sequence as Value, builder.int64s([1])]);
  return {
    sequence: builder.op('Transpose', [flat], { perm: intsAttribute([1, 0, 2]) }),
    states: last.map((state) => builder.op('Squeeze', [state, builder.int64s([0])])),
    units,
  };
}

/** The layer's input and the states that it begins with, when it is called with them. */
function startOf(layer: Layer, kind: Kind, inputs: Inputs): { input: KerasTensor; states: Value[] } {
  const { builder } = layer;
  const input = onlyInput(inputs, builder);
  if (input.shape.length !== 3) throw builder.corrupt('takes sequences of vectors.');
  for (const name of ['stateful', 'time_major']) {
    if (layer.flag(name, false)) throw builder.unsupported(`is ${name}, which an ONNX model cannot be.`);
  }
  if (isTensor(inputs.named.get('mask'))) throw builder.unsupported('is called with a mask.');
  const states = inputs.tensors.slice(1).map((state) => builder.value(state, 'keras'));
  if (states.length !== 0 && states.length !== kind.states)
    throw builder.unsupported('begins with states of another number.');
  return { input, states };
}

/** The steps in reverse order: what a layer that goes backwards gives. */
function reversed(sequence: Value, builder: GraphBuilder): Value {
  const [start, end, axis, step] = [-1, -Number.MAX_SAFE_INTEGER, 1, -1].map((each) => builder.int64s([each]));
  return builder.op('Slice', [sequence, start as Value, end as Value, axis as Value, step as Value]);
}

const recurrent =
  (kind: Kind): Raise =>
  (layer, inputs, builder) => {
    const { input, states } = startOf(layer, kind, inputs);
    const isReverse = layer.flag('go_backwards', false);
    const made = run(layer, kind, builder.value(input, 'keras'), states, isReverse);
    const [batch = null, time = null] = input.shape;
    const withSteps = layer.flag('return_sequences', false);
    const sequence = isReverse && withSteps ? reversed(made.sequence, builder) : made.sequence;
    const last = made.states[0] as Value;
    const output = withSteps
      ? builder.result(sequence, [batch, time, made.units])
      : builder.result(last, [batch, made.units]);
    if (!layer.flag('return_state', false)) return output;
    return [output, ...made.states.map((state) => builder.result(state, [batch, made.units]))];
  };

const bidirectional: Raise = (layer, inputs, builder) => {
  const path = builder.path;
  const forward = innerLayer(layer.option('layer'), path);
  if (forward === null) throw builder.corrupt('has no layer inside.');
  const backward = innerLayer(layer.option('backward_layer'), path) ?? forward;
  const kind = Object.hasOwn(KINDS, forward.type) ? KINDS[forward.type] : undefined;
  if (kind === undefined || backward.type !== forward.type)
    throw builder.unsupported(`runs ${forward.type} in both directions, which Hone does not open.`);
  // Keras keeps the names of the two apart by a prefix, unless the second layer was given by the user.
  const sides = [
    layer.part('forward_layer', prefixed('forward_', forward.name), forward),
    layer.part('backward_layer', prefixed('backward_', backward.name), backward),
  ] as const;
  const { input, states } = bothStates(sides[0], kind, inputs);
  if (sides[0].flag('return_state', false)) throw builder.unsupported('returns its states.');
  const x = builder.value(input, 'keras');
  const half = states.length / 2;
  const runs = sides.map((side, index) =>
    run(side, kind, x, states.slice(index * half, (index + 1) * half), index === 1),
  ) as [Run, Run];
  const [batch = null, time = null] = input.shape;
  const withSteps = sides[0].flag('return_sequences', false);
  const values = runs.map((each) => (withSteps ? each.sequence : (each.states[0] as Value)));
  const steps: Size[] = withSteps ? [batch, time] : [batch];
  const [units, unitsBack] = [runs[0].units, runs[1].units];
  const mode = layer.option('merge_mode');
  if (mode === null) return values.map((value) => builder.result(value, [...steps, units]));
  if (mode === undefined || mode === 'concat') {
    const axis = intAttribute(steps.length);
    return builder.result(builder.op('Concat', values, { axis }), [...steps, units + unitsBack]);
  }
  const merged = { sum: 'Add', mul: 'Mul', ave: 'Mean' }[String(mode)];
  if (merged === undefined) throw builder.unsupported(`merges its directions by ${String(mode)}.`);
  return builder.result(builder.op(merged, values), [...steps, units]);
};

const prefixed = (prefix: string, name: string): string => (name.startsWith(prefix) ? name : `${prefix}${name}`);

/** Initial states of both directions: twice as many as of one. */
function bothStates(layer: Layer, kind: Kind, inputs: Inputs): { input: KerasTensor; states: Value[] } {
  return startOf(layer, { ...kind, states: kind.states * 2 }, inputs);
}

export const RECURRENT: Readonly<Record<string, Raise>> = {
  ...Object.fromEntries(Object.entries(KINDS).map(([type, kind]) => [type, recurrent(kind)])),
  Bidirectional: bidirectional,
};
