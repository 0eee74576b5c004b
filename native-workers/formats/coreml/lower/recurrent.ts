/**
 * LSTM, GRU and RNN as MIL's layers, and step by step where its GRU is another one. Source: onnx Operators.md; coremltools,
 * ops/defs/iOS15/recurrent.py and its Torch front end on what Core ML's GRU computes.
 */
import type { Node } from '../../../graph/node.ts';
import type { MilValue } from '../program.ts';
import { concat, expandDims, matmul, reverse, sliceAxis, squeeze } from './builders.ts';
import type { Lower, Lowering } from './lowering.ts';
import { Refusal, staticDims } from './terms.ts';

const MOST_STEPS = 128;
const ACTIVATIONS: Readonly<Record<string, string>> = {
  sigmoid: 'sigmoid',
  tanh: 'tanh',
  relu: 'relu',
  hardsigmoid: 'sigmoid_hard',
};
/** ONNX's order of the gates, and MIL's as places in it. */
const LSTM_GATES = [0, 2, 1, 3];
const GRU_GATES = [1, 2, 0];

interface Recurrent {
  /** [steps, batch, width]. */
  readonly x: MilValue;
  readonly directions: readonly ('forward' | 'reverse')[];
  readonly hidden: number;
  readonly activations: readonly string[];
  /** Of the operands W, R, B and P, by direction, rows of gates of `hidden` each. */
  rows(operand: number, direction: number): number[] | null;
  /** [batch, hidden], zeros when it is not given. */
  initial(operand: number, direction: number): MilValue;
}

function recurrentOf(node: Node, lowering: Lowering, defaults: readonly string[]): Recurrent {
  const given = lowering.get(node, 0);
  const batchFirst = node.int('layout', 0) !== 0;
  const x = batchFirst ? lowering.transpose(given, [1, 0, 2]) : given;
  const direction = node.string('direction', 'forward');
  const directions: ('forward' | 'reverse')[] =
    direction === 'bidirectional' ? ['forward', 'reverse'] : direction === 'reverse' ? ['reverse'] : ['forward'];
  if (node.attributes.has('clip')) throw new Refusal('Core ML clips the cell and not what goes into the gates');
  if (node.int('input_forget', 0) !== 0) throw new Refusal('Core ML does not couple input and forget gates');
  if (node.attributes.has('activation_alpha') || node.attributes.has('activation_beta'))
    throw new Refusal('activations of a recurrent layer have no parameters in Core ML');
  const [steps = null, batch = null] = x.type.shape;
  if (node.inputs[4]) {
    const lengths = lowering.fixed(node, 4, 'the length of each sequence');
    if (lengths.some((length) => length !== steps)) throw new Refusal('sequences of several lengths in one batch');
  }
  const named = node.attributes.get('activations');
  const names =
    named?.type === 'strings'
      ? named.value.map((name) => new TextDecoder().decode(name))
      : directions.flatMap(() => defaults);
  const activations = names.map((name) => {
    const found = ACTIVATIONS[name.toLowerCase()];
    if (found === undefined) throw new Refusal(`a recurrent layer of Core ML has no activation ${name}`);
    return found;
  });
  const hidden = node.int('hidden_size', lowering.shape(lowering.input(node, 2)).at(-1) ?? 1);
  return {
    x,
    directions,
    hidden,
    activations,
    rows(operand, at) {
      if (!node.inputs[operand]) return null;
      const values = lowering.fixed(node, operand, 'weights of a recurrent layer');
      const size = values.length / directions.length;
      return values.slice(at * size, (at + 1) * size);
    },
    initial(operand, at) {
      if (!node.inputs[operand]) {
        const [count = 1] = staticDims([batch], 'the batch of a recurrent layer');
        return lowering.floats(new Float32Array(count * hidden), [count, hidden], 'initial');
      }
      const states = lowering.get(node, operand);
      const first = batchFirst ? lowering.transpose(states, [1, 0, 2]) : states;
      return squeeze(lowering, sliceAxis(lowering, first, 0, at, at + 1), [0]);
    },
  };
}

/** Rows of gates in another order. */
function reordered(rows: readonly number[], gates: readonly number[]): number[] {
  const size = rows.length / gates.length;
  return gates.flatMap((gate) => rows.slice(gate * size, (gate + 1) * size));
}

/** The two biases of ONNX, which stand one after the other, added up. */
function summed(biases: readonly number[] | null, count: number): number[] {
  return Array.from({ length: count }, (_, index) => (biases?.[index] ?? 0) + (biases?.[index + count] ?? 0));
}

/** Sequences [steps, batch, hidden] and last states [batch, hidden] of each direction as the outputs of the node. */
function finish(
  node: Node,
  lowering: Lowering,
  sequences: readonly MilValue[],
  states: readonly (readonly MilValue[])[],
): void {
  const batchFirst = node.int('layout', 0) !== 0;
  const joined = concat(
    lowering,
    sequences.map((each) => expandDims(lowering, each, [1])),
    1,
  );
  if (node.outputs[0]) lowering.result(node, batchFirst ? lowering.transpose(joined, [2, 0, 1, 3]) : joined);
  states.forEach((each, index) => {
    if (!node.outputs[index + 1]) return;
    const all = concat(
      lowering,
      each.map((state) => expandDims(lowering, state, [0])),
      0,
    );
    lowering.result(node, batchFirst ? lowering.transpose(all, [1, 0, 2]) : all, index + 1);
  });
}

function lstm(node: Node, lowering: Lowering): void {
  const layer = recurrentOf(node, lowering, ['Sigmoid', 'Tanh', 'Tanh']);
  const { x, hidden, directions, activations } = layer;
  const width = x.type.shape[2] ?? 1;
  const weights = directions.map((_, at) => {
    const peephole = layer.rows(7, at);
    return {
      weight_ih: lowering.floats(reordered(layer.rows(1, at) ?? [], LSTM_GATES), [4 * hidden, width], 'weight_ih'),
      weight_hh: lowering.floats(reordered(layer.rows(2, at) ?? [], LSTM_GATES), [4 * hidden, hidden], 'weight_hh'),
      bias: lowering.floats(reordered(summed(layer.rows(3, at), 4 * hidden), LSTM_GATES), [4 * hidden], 'bias'),
      // ONNX: input, output, forget; MIL: input, forget, output.
      peephole: peephole === null ? null : lowering.floats(reordered(peephole, [0, 2, 1]), [3 * hidden], 'peephole'),
    };
  });
  const [first, second] = weights;
  const isDouble = second !== undefined;
  if (isDouble && activations.slice(0, 3).join() !== activations.slice(3).join())
    throw new Refusal('both directions must have the same activations in Core ML');
  const initial = (operand: number): MilValue =>
    concat(
      lowering,
      directions.map((_, at) => layer.initial(operand, at)),
      1,
    );
  const isReverse = directions[0] === 'reverse';
  const [steps = null, batch = null] = x.type.shape;
  const size = hidden * directions.length;
  const types = [
    [steps, batch, size],
    [batch, size],
    [batch, size],
  ];
  const [sequence, state, cell] = types.map((shape) => lowering.spare({ dtype: 'fp32', shape })) as [
    MilValue,
    MilValue,
    MilValue,
  ];
  lowering.operation(
    'lstm',
    {
      x: isReverse ? reverse(lowering, x, [0]) : x,
      initial_h: initial(5),
      initial_c: initial(6),
      ...first,
      weight_ih_back: second?.weight_ih,
      weight_hh_back: second?.weight_hh,
      bias_back: second?.bias,
      peephole_back: second?.peephole,
      direction: lowering.text(isDouble ? 'bidirectional' : 'forward', 'direction'),
      output_sequence: lowering.bool(true, 'output_sequence'),
      recurrent_activation: lowering.text(activations[0] ?? 'sigmoid', 'recurrent_activation'),
      cell_activation: lowering.text(activations[1] ?? 'tanh', 'cell_activation'),
      activation: lowering.text(activations[2] ?? 'tanh', 'activation'),
    },
    [sequence, state, cell],
  );
  const parts = (value: MilValue, axis: number): MilValue[] =>
    directions.map((_, at) => (isDouble ? sliceAxis(lowering, value, axis, at * hidden, (at + 1) * hidden) : value));
  const aligned = isReverse ? reverse(lowering, sequence, [0]) : sequence;
  finish(node, lowering, parts(aligned, 2), [parts(state, 1), parts(cell, 1)]);
}

/** A layer of one direction runs forward in MIL; the other runs on the reversed sequence. */
function bothWays(
  node: Node,
  lowering: Lowering,
  layer: Recurrent,
  run: (x: MilValue, at: number) => readonly [MilValue, MilValue],
): void {
  const results = layer.directions.map((direction, at) => {
    if (direction === 'forward') return run(layer.x, at);
    const [sequence, state] = run(reverse(lowering, layer.x, [0]), at);
    return [reverse(lowering, sequence, [0]), state] as const;
  });
  finish(
    node,
    lowering,
    results.map(([sequence]) => sequence),
    [results.map(([, state]) => state)],
  );
}

function rnn(node: Node, lowering: Lowering): void {
  const layer = recurrentOf(node, lowering, ['Tanh']);
  const { x, hidden } = layer;
  const [steps = null, batch = null, width = 1] = x.type.shape;
  bothWays(node, lowering, layer, (input, at) => {
    const sequence = lowering.spare({ dtype: 'fp32', shape: [steps, batch, hidden] });
    const state = lowering.spare({ dtype: 'fp32', shape: [batch, hidden] });
    lowering.operation(
      'rnn',
      {
        x: input,
        initial_h: layer.initial(5, at),
        weight_ih: lowering.floats(layer.rows(1, at) ?? [], [hidden, width ?? 1], 'weight_ih'),
        weight_hh: lowering.floats(layer.rows(2, at) ?? [], [hidden, hidden], 'weight_hh'),
        bias: lowering.floats(summed(layer.rows(3, at), hidden), [hidden], 'bias'),
        direction: lowering.text('forward', 'direction'),
        output_sequence: lowering.bool(true, 'output_sequence'),
        activation: lowering.text(layer.activations[at] ?? 'tanh', 'activation'),
      },
      [sequence, state],
    );
    return [sequence, state];
  });
}

/**
 * Core ML's GRU resets after the product and adds no bias before it; with ONNX's `linear_before_reset` and no such bias that is
 * the same. Any other is written step by step.
 */
function gru(node: Node, lowering: Lowering): void {
  const layer = recurrentOf(node, lowering, ['Sigmoid', 'Tanh']);
  const { hidden } = layer;
  bothWays(node, lowering, layer, (x, at) => {
    const biases = layer.rows(3, at);
    const inner = biases?.slice(5 * hidden) ?? [];
    const isOwn = node.int('linear_before_reset', 0) !== 0 && inner.every((value) => value === 0);
    return isOwn ? ownGru(lowering, layer, x, at) : steppedGru(node, lowering, layer, x, at);
  });
}

function ownGru(lowering: Lowering, layer: Recurrent, x: MilValue, at: number): readonly [MilValue, MilValue] {
  const { hidden, activations } = layer;
  const [steps = null, batch = null, width = 1] = x.type.shape;
  const sequence = lowering.spare({ dtype: 'fp32', shape: [steps, batch, hidden] });
  const state = lowering.spare({ dtype: 'fp32', shape: [batch, hidden] });
  const rows = (operand: number): number[] => reordered(layer.rows(operand, at) ?? [], GRU_GATES);
  lowering.operation(
    'gru',
    {
      x,
      initial_h: layer.initial(5, at),
      weight_ih: lowering.floats(rows(1), [3 * hidden, width ?? 1], 'weight_ih'),
      weight_hh: lowering.floats(rows(2), [3 * hidden, hidden], 'weight_hh'),
      bias: lowering.floats(reordered(summed(layer.rows(3, at), 3 * hidden), GRU_GATES), [3 * hidden], 'bias'),
      direction: lowering.text('forward', 'direction'),
      output_sequence: lowering.bool(true, 'output_sequence'),
      recurrent_activation: lowering.text(activations[2 * at] ?? 'sigmoid', 'recurrent_activation'),
      activation: lowering.text(activations[2 * at + 1] ?? 'tanh', 'activation'),
    },
    [sequence, state],
  );
  return [sequence, state];
}

function activate(lowering: Lowering, type: string, x: MilValue): MilValue {
  if (type !== 'sigmoid_hard') return lowering.unary(type, x);
  return lowering.op(type, { x, alpha: lowering.float(0.2, 'alpha'), beta: lowering.float(0.5, 'beta') }, x.type);
}

function steppedGru(
  node: Node,
  lowering: Lowering,
  layer: Recurrent,
  x: MilValue,
  at: number,
): readonly [MilValue, MilValue] {
  const { hidden, activations } = layer;
  const [gate = 'sigmoid', output = 'tanh'] = activations.slice(2 * at);
  const [steps = 1] = staticDims(x.type.shape.slice(0, 1), 'the number of steps of this kind of GRU');
  if (steps > MOST_STEPS)
    throw new Refusal(`a GRU that Core ML computes otherwise is written step by step, and ${steps} steps are too many`);
  const after = node.int('linear_before_reset', 0) !== 0;
  const biases = layer.rows(3, at) ?? Array<number>(6 * hidden).fill(0);
  const weights = lowering.floats(layer.rows(1, at) ?? [], [3 * hidden, x.type.shape[2] ?? 1], 'weights');
  const recurrent = layer.rows(2, at) ?? [];
  const part = (from: number, to: number): MilValue =>
    lowering.floats(
      recurrent.slice(from * hidden * hidden, to * hidden * hidden),
      [(to - from) * hidden, hidden],
      'recurrent',
    );
  const [gates, last] = [part(0, 2), part(2, 3)];
  // The biases of the gates and of the input are the same in every step.
  const common = biases
    .slice(0, 3 * hidden)
    .map((bias, index) => (index < 2 * hidden || !after ? bias + (biases[index + 3 * hidden] ?? 0) : bias));
  const inner = after ? lowering.floats(biases.slice(5 * hidden), [hidden], 'inner') : null;
  const inputs = lowering.binary(
    'add',
    matmul(lowering, x, weights, false, true),
    lowering.floats(common, [3 * hidden], 'bias'),
  );
  const one = lowering.float(1, 'one');
  let state = layer.initial(5, at);
  const sequence: MilValue[] = [];
  for (let step = 0; step < steps; step++) {
    const input = squeeze(lowering, sliceAxis(lowering, inputs, 0, step, step + 1), [0]);
    const both = lowering.binary(
      'add',
      sliceAxis(lowering, input, 1, 0, 2 * hidden),
      matmul(lowering, state, gates, false, true),
    );
    const [update, reset] = [0, 1].map((index) =>
      activate(lowering, gate, sliceAxis(lowering, both, 1, index * hidden, (index + 1) * hidden)),
    ) as [MilValue, MilValue];
    let recalled: MilValue;
    if (inner !== null) {
      const product = lowering.binary('add', matmul(lowering, state, last, false, true), inner);
      recalled = lowering.binary('mul', reset, product);
    } else recalled = matmul(lowering, lowering.binary('mul', reset, state), last, false, true);
    const fresh = activate(
      lowering,
      output,
      lowering.binary('add', sliceAxis(lowering, input, 1, 2 * hidden, 3 * hidden), recalled),
    );
    const kept = lowering.binary('mul', update, state);
    state = lowering.binary('add', lowering.binary('mul', lowering.binary('sub', one, update), fresh), kept);
    sequence.push(expandDims(lowering, state, [0]));
  }
  return [concat(lowering, sequence, 0), state];
}

export const RECURRENT: Readonly<Record<string, Lower>> = { LSTM: lstm, GRU: gru, RNN: rnn };
