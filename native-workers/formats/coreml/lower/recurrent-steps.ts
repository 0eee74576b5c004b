/**
 * Recurrent layers that MIL's do not compute (other activations, a GRU that resets before its product, clipped gates), step by
 * step. Source: onnx Operators.md, LSTM, GRU and RNN.
 */
import type { MilValue } from '../program.ts';
import { concat, expandDims, matmul, sliceAxis, squeeze } from './builders.ts';
import type { Lowering } from './lowering.ts';
import { type Activation, activate } from './recurrent-activations.ts';
import type { Recurrent } from './recurrent-layer.ts';
import { Refusal, staticDims } from './terms.ts';

const MOST_STEPS = 128;

/** The sequence [steps, batch, hidden] and the last states [batch, hidden]. */
export type Run = readonly [MilValue, ...MilValue[]];
/** Of the products of one step's input, biases added, and the states before: the states after. The first is the output. */
type Step = (input: MilValue, states: readonly MilValue[]) => MilValue[];

function steps(
  lowering: Lowering,
  layer: Recurrent,
  x: MilValue,
  at: number,
  biases: readonly number[],
  initial: readonly MilValue[],
  step: Step,
): Run {
  const [count = 1] = staticDims(x.type.shape.slice(0, 1), 'the number of steps of this kind of layer');
  if (count > MOST_STEPS)
    throw new Refusal(
      `a layer that Core ML computes otherwise is written step by step, and ${count} steps are too many`,
    );
  const weights = lowering.floats(layer.rows(1, at) ?? [], [biases.length, x.type.shape[2] ?? 1], 'weights');
  const products = matmul(lowering, x, weights, false, true);
  const inputs = lowering.binary('add', products, lowering.floats(biases, [biases.length], 'bias'));
  let states = [...initial];
  const sequence: MilValue[] = [];
  for (let index = 0; index < count; index++) {
    states = step(squeeze(lowering, sliceAxis(lowering, inputs, 0, index, index + 1), [0]), states);
    sequence.push(expandDims(lowering, states[0] as MilValue, [0]));
  }
  return [concat(lowering, sequence, 0), ...states];
}

/** The rows of some gates of the recurrent weights. */
function recurrentRows(lowering: Lowering, layer: Recurrent, at: number, from: number, to: number): MilValue {
  const { hidden } = layer;
  const rows = layer.rows(2, at) ?? [];
  return lowering.floats(
    rows.slice(from * hidden * hidden, to * hidden * hidden),
    [(to - from) * hidden, hidden],
    'recurrent',
  );
}

/** One gate of several that lie side by side. */
const gateOf = (lowering: Lowering, x: MilValue, index: number, hidden: number): MilValue =>
  sliceAxis(lowering, x, 1, index * hidden, (index + 1) * hidden);

/** What goes into an activation stays within the layer's `clip`. */
function clipped(lowering: Lowering, layer: Recurrent, x: MilValue): MilValue {
  if (layer.clip === null) return x;
  const bounds = { alpha: lowering.float(-layer.clip, 'alpha'), beta: lowering.float(layer.clip, 'beta') };
  return lowering.op('clip', { x, ...bounds }, x.type);
}

export function steppedRnn(lowering: Lowering, layer: Recurrent, x: MilValue, at: number): Run {
  const recurrent = recurrentRows(lowering, layer, at, 0, 1);
  const activation = layer.activations[at] as Activation;
  return steps(lowering, layer, x, at, layer.bias(at, 1), [layer.initial(5, at)], (input, [state]) => {
    const sum = lowering.binary('add', input, matmul(lowering, state as MilValue, recurrent, false, true));
    return [activate(lowering, activation, clipped(lowering, layer, sum))];
  });
}

/** Gates in the order update, reset, output. */
export function steppedGru(lowering: Lowering, layer: Recurrent, x: MilValue, at: number, after: boolean): Run {
  const { hidden } = layer;
  const [gate, output] = layer.activations.slice(2 * at) as [Activation, Activation];
  const [gates, last] = [recurrentRows(lowering, layer, at, 0, 2), recurrentRows(lowering, layer, at, 2, 3)];
  // The biases of the gates and of the input are the same in every step; that of the output's product is reset with it.
  const biases = layer.rows(3, at) ?? Array<number>(6 * hidden).fill(0);
  const common = layer.bias(at, 3).map((bias, index) => (index < 2 * hidden || !after ? bias : (biases[index] ?? 0)));
  const inner = after ? lowering.floats(biases.slice(5 * hidden), [hidden], 'inner') : null;
  const one = lowering.float(1, 'one');
  return steps(lowering, layer, x, at, common, [layer.initial(5, at)], (input, states) => {
    const state = states[0] as MilValue;
    const both = lowering.binary(
      'add',
      sliceAxis(lowering, input, 1, 0, 2 * hidden),
      matmul(lowering, state, gates, false, true),
    );
    const [update, reset] = [0, 1].map((index) =>
      activate(lowering, gate, clipped(lowering, layer, gateOf(lowering, both, index, hidden))),
    ) as [MilValue, MilValue];
    let recalled: MilValue;
    if (inner !== null) {
      const product = lowering.binary('add', matmul(lowering, state, last, false, true), inner);
      recalled = lowering.binary('mul', reset, product);
    } else recalled = matmul(lowering, lowering.binary('mul', reset, state), last, false, true);
    const sum = lowering.binary('add', gateOf(lowering, input, 2, hidden), recalled);
    const fresh = activate(lowering, output, clipped(lowering, layer, sum));
    const kept = lowering.binary('mul', update, state);
    return [lowering.binary('add', lowering.binary('mul', lowering.binary('sub', one, update), fresh), kept)];
  });
}

/** Gates in the order input, output, forget, cell; peepholes input, output, forget. */
export function steppedLstm(lowering: Lowering, layer: Recurrent, x: MilValue, at: number, coupled: boolean): Run {
  const { hidden } = layer;
  const [gate, cellInput, cellOutput] = layer.activations.slice(3 * at) as [Activation, Activation, Activation];
  const recurrent = recurrentRows(lowering, layer, at, 0, 4);
  const holes = layer.rows(7, at);
  const peepholes = [0, 1, 2].map((index) =>
    holes === null ? null : lowering.floats(holes.slice(index * hidden, (index + 1) * hidden), [hidden], 'peephole'),
  );
  const looked = (sum: MilValue, cell: MilValue, index: number): MilValue => {
    const weights = peepholes[index] ?? null;
    const seen = weights === null ? sum : lowering.binary('add', sum, lowering.binary('mul', cell, weights));
    return activate(lowering, gate, clipped(lowering, layer, seen));
  };
  const initial = [layer.initial(5, at), layer.initial(6, at)];
  return steps(lowering, layer, x, at, layer.bias(at, 4), initial, (given, states) => {
    const [state, cell] = states as [MilValue, MilValue];
    const sums = lowering.binary('add', given, matmul(lowering, state, recurrent, false, true));
    const [input, output, forget, fresh] = [0, 1, 2, 3].map((index) => gateOf(lowering, sums, index, hidden)) as [
      MilValue,
      MilValue,
      MilValue,
      MilValue,
    ];
    const taken = looked(input, cell, 0);
    const kept = coupled ? lowering.binary('sub', lowering.float(1), taken) : looked(forget, cell, 2);
    const candidate = activate(lowering, cellInput, clipped(lowering, layer, fresh));
    const next = lowering.binary('add', lowering.binary('mul', kept, cell), lowering.binary('mul', taken, candidate));
    const shown = looked(output, next, 1);
    return [lowering.binary('mul', shown, activate(lowering, cellOutput, next)), next];
  });
}
