/**
 * LSTM, GRU and RNN as MIL's layers, and step by step where those are others. Source: onnx Operators.md; coremltools,
 * ops/defs/iOS15/recurrent.py and its Torch front end on what Core ML's GRU computes.
 */
import type { Node } from '../../../graph/node.ts';
import type { MilValue } from '../program.ts';
import { concat, expandDims, reverse, sliceAxis } from './builders.ts';
import type { Lower, Lowering } from './lowering.ts';
import { layerName } from './recurrent-activations.ts';
import { type Recurrent, recurrentOf } from './recurrent-layer.ts';
import { type Run, steppedGru, steppedLstm, steppedRnn } from './recurrent-steps.ts';

/** ONNX's order of the gates, and MIL's as places in it. */
const LSTM_GATES = [0, 2, 1, 3];
const GRU_GATES = [1, 2, 0];

/** Rows of gates in another order. */
function reordered(rows: readonly number[], gates: readonly number[]): number[] {
  const size = rows.length / gates.length;
  return gates.flatMap((gate) => rows.slice(gate * size, (gate + 1) * size));
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

/** What a layer of MIL calls the activations; null when it does not have all of them, or clips. */
function layerNames({ activations, clip }: Recurrent, layer: 'lstm' | 'gru' | 'rnn'): readonly string[] | null {
  const names = activations.map((activation) => layerName(activation, layer));
  return clip !== null || names.includes(null) ? null : (names as string[]);
}

function lstm(node: Node, lowering: Lowering): void {
  const layer = recurrentOf(node, lowering, ['Sigmoid', 'Tanh', 'Tanh']);
  const names = layerNames(layer, 'lstm');
  const isCoupled = node.int('input_forget', 0) !== 0;
  // MIL's layer has the same activations in both directions.
  if (names === null || isCoupled || (names.length > 3 && names.slice(0, 3).join() !== names.slice(3).join()))
    bothWays(node, lowering, layer, (x, at) => steppedLstm(lowering, layer, x, at, isCoupled));
  else ownLstm(node, lowering, layer, names);
}

function ownLstm(node: Node, lowering: Lowering, layer: Recurrent, activations: readonly string[]): void {
  const { x, hidden, directions } = layer;
  const width = x.type.shape[2] ?? 1;
  const weights = directions.map((_, at) => {
    const peephole = layer.rows(7, at);
    return {
      weight_ih: lowering.floats(reordered(layer.rows(1, at) ?? [], LSTM_GATES), [4 * hidden, width], 'weight_ih'),
      weight_hh: lowering.floats(reordered(layer.rows(2, at) ?? [], LSTM_GATES), [4 * hidden, hidden], 'weight_hh'),
      bias: lowering.floats(reordered(layer.bias(at, 4), LSTM_GATES), [4 * hidden], 'bias'),
      // ONNX: input, output, forget; MIL: input, forget, output.
      peephole: peephole === null ? null : lowering.floats(reordered(peephole, [0, 2, 1]), [3 * hidden], 'peephole'),
    };
  });
  const [first, second] = weights;
  const isDouble = second !== undefined;
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
function bothWays(node: Node, lowering: Lowering, layer: Recurrent, run: (x: MilValue, at: number) => Run): void {
  const results = layer.directions.map((direction, at) => {
    if (direction === 'forward') return run(layer.x, at);
    const [sequence, ...states] = run(reverse(lowering, layer.x, [0]), at);
    return [reverse(lowering, sequence, [0]), ...states] as const;
  });
  const [first = []] = results.map(([, ...states]) => states);
  finish(
    node,
    lowering,
    results.map(([sequence]) => sequence),
    first.map((_, index) => results.map(([, ...states]) => states[index] as MilValue)),
  );
}

function rnn(node: Node, lowering: Lowering): void {
  const layer = recurrentOf(node, lowering, ['Tanh']);
  const { x, hidden } = layer;
  const [steps = null, batch = null, width = 1] = x.type.shape;
  const names = layerNames(layer, 'rnn');
  bothWays(node, lowering, layer, (input, at) => {
    if (names === null) return steppedRnn(lowering, layer, input, at);
    const sequence = lowering.spare({ dtype: 'fp32', shape: [steps, batch, hidden] });
    const state = lowering.spare({ dtype: 'fp32', shape: [batch, hidden] });
    lowering.operation(
      'rnn',
      {
        x: input,
        initial_h: layer.initial(5, at),
        weight_ih: lowering.floats(layer.rows(1, at) ?? [], [hidden, width ?? 1], 'weight_ih'),
        weight_hh: lowering.floats(layer.rows(2, at) ?? [], [hidden, hidden], 'weight_hh'),
        bias: lowering.floats(layer.bias(at, 1), [hidden], 'bias'),
        direction: lowering.text('forward', 'direction'),
        output_sequence: lowering.bool(true, 'output_sequence'),
        activation: lowering.text(names[at] ?? 'tanh', 'activation'),
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
  const names = layerNames(layer, 'gru');
  const isAfter = node.int('linear_before_reset', 0) !== 0;
  bothWays(node, lowering, layer, (x, at) => {
    const inner = layer.rows(3, at)?.slice(5 * hidden) ?? [];
    const isOwn = names !== null && isAfter && inner.every((value) => value === 0);
    const own = names?.slice(2 * at) ?? [];
    return isOwn ? ownGru(lowering, layer, x, at, own) : steppedGru(lowering, layer, x, at, isAfter);
  });
}

function ownGru(lowering: Lowering, layer: Recurrent, x: MilValue, at: number, activations: readonly string[]): Run {
  const { hidden } = layer;
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
      bias: lowering.floats(reordered(layer.bias(at, 3), GRU_GATES), [3 * hidden], 'bias'),
      direction: lowering.text('forward', 'direction'),
      output_sequence: lowering.bool(true, 'output_sequence'),
      recurrent_activation: lowering.text(activations[0] ?? 'sigmoid', 'recurrent_activation'),
      activation: lowering.text(activations[1] ?? 'tanh', 'activation'),
    },
    [sequence, state],
  );
  return [sequence, state];
}

export const RECURRENT: Readonly<Record<string, Lower>> = { LSTM: lstm, GRU: gru, RNN: rnn };
