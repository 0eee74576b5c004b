/**
 * MIL's recurrent layers. Weights are [gates * hidden, width] with gates in MIL's order; states of two directions lie side by
 * side. Source: coremltools, ops/defs/iOS15/recurrent.py.
 */
import { tensorFromNumbers } from '../../../graph/tensor-values.ts';
import type { Value } from '../../../graph/value.ts';
import { HoneError } from '../../../protocol/errors.ts';
import { type Call, onnxDType, type Raise } from './raising.ts';

/** MIL's layers have names of their own for the hard sigmoid, 0.2 x + 0.5; of the GRU none is written down. */
const HARD_SIGMOID: Readonly<Record<string, string>> = { lstm: 'hard_sigmoid', rnn: 'sigmoid_hard' };
const ACTIVATIONS: Readonly<Record<string, string>> = { sigmoid: 'Sigmoid', tanh: 'Tanh', relu: 'Relu' };

function activation(call: Call, name: string, fallback: string): string {
  const text = call.text(name, fallback);
  const found = text === HARD_SIGMOID[call.operation.type] ? 'HardSigmoid' : ACTIVATIONS[text];
  if (found === undefined)
    throw new HoneError('format-unsupported', `The activation ${text} of ${call.operation.type} is not read.`);
  return found;
}

/** Rows of gates put into ONNX's order: `gates` says where each of them is in MIL's. */
function gated(rows: readonly number[], gates: readonly number[]): number[] {
  const size = rows.length / gates.length;
  return gates.flatMap((gate) => rows.slice(gate * size, (gate + 1) * size));
}

interface Layer {
  readonly opType: string;
  readonly gates: readonly number[];
  readonly states: readonly string[];
  readonly activations: (call: Call) => readonly string[];
  readonly attributes?: Readonly<Record<string, number>>;
}

const layer =
  ({ opType, gates, states, activations, attributes = {} }: Layer): Raise =>
  (call) => {
    const { raising } = call;
    const direction = call.text('direction', 'forward');
    const sides = direction === 'bidirectional' ? ['', '_back'] : [''];
    const [rows = 0, hidden = 0] = call.type('weight_hh').shape as number[];
    const [, width = 0] = call.type('weight_ih').shape as number[];
    if (rows !== gates.length * hidden) throw new HoneError('file-corrupt', `A weight of ${opType} has ${rows} rows.`);
    const dtype = onnxDType(call.type('weight_ih').dtype);
    const stacked = (make: (side: string) => readonly number[], shape: readonly number[]): Value =>
      raising.tensor(tensorFromNumbers(dtype, sides.flatMap(make), [sides.length, ...shape]));
    const none = Array<number>(rows).fill(0);
    const w = stacked((side) => gated(call.numbers(`weight_ih${side}`), gates), [rows, width]);
    const r = stacked((side) => gated(call.numbers(`weight_hh${side}`), gates), [rows, hidden]);
    const b = stacked((side) => [...gated(call.numbers(`bias${side}`, none), gates), ...none], [2 * rows]);
    // [batch, directions * hidden] to [directions, batch, hidden].
    const initial = states.map((name) => {
      const split = raising.one('Reshape', [call.x(name), raising.int64s([0, sides.length, hidden])]);
      return raising.one('Transpose', [split], { perm: [1, 0, 2] });
    });
    const peephole = call.has('peephole')
      ? stacked((side) => gated(call.numbers(`peephole${side}`), [0, 2, 1]), [3 * hidden])
      : null;
    const made = raising.node(
      opType,
      [call.x(), w, r, b, null, ...initial, ...(peephole === null ? [] : [peephole])],
      {
        hidden_size: hidden,
        direction,
        activations: sides.flatMap(() => activations(call)),
        ...attributes,
      },
      1 + states.length,
    );
    const [sequence, ...last] = made as [Value, ...Value[]];
    const joined = raising.one('Reshape', [
      raising.one('Transpose', [sequence], { perm: [0, 2, 1, 3] }),
      raising.int64s([0, 0, sides.length * hidden]),
    ]);
    const finals = last.map((state) =>
      raising.one('Reshape', [
        raising.one('Transpose', [state], { perm: [1, 0, 2] }),
        raising.int64s([0, sides.length * hidden]),
      ]),
    );
    const [first] = finals as [Value];
    return [call.flag('output_sequence') ? joined : raising.one('Unsqueeze', [first, raising.int64s([0])]), ...finals];
  };

export const RECURRENT: Readonly<Record<string, Raise>> = {
  lstm: layer({
    opType: 'LSTM',
    gates: [0, 2, 1, 3],
    states: ['initial_h', 'initial_c'],
    activations: (call) => [
      activation(call, 'recurrent_activation', 'sigmoid'),
      activation(call, 'cell_activation', 'tanh'),
      activation(call, 'activation', 'tanh'),
    ],
  }),
  gru: layer({
    opType: 'GRU',
    gates: [2, 0, 1],
    states: ['initial_h'],
    activations: (call) => [
      activation(call, 'recurrent_activation', 'sigmoid'),
      activation(call, 'activation', 'tanh'),
    ],
    attributes: { linear_before_reset: 1 },
  }),
  rnn: layer({
    opType: 'RNN',
    gates: [0],
    states: ['initial_h'],
    activations: (call) => [activation(call, 'activation', 'tanh')],
  }),
};
