/** One step of an LSTM, a GRU and an RNN. Formulas and the order of gates are those of ONNX's pages. */
import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
import type { Activation } from './activation-functions.ts';
import type { Lowering } from './lowering.ts';
import { fullyConnected } from './matmul.ts';

/** Hidden and cell state, [batch, hidden]; null for zeros, which need no operators. */
export interface State {
  readonly h: TflTensor | null;
  readonly c: TflTensor | null;
}

/** One direction of a layer: its weights [gates * hidden, ...], its activations, and how it takes a step. */
export interface Direction {
  readonly hidden: number;
  readonly recurrence: TflTensor;
  /** Both of [gates * hidden]; null where the layer has none. */
  readonly bias: { readonly input: TflTensor; readonly recurrent: TflTensor } | null;
  readonly peepholes: TflTensor | null;
  readonly activations: readonly Activation[];
  /** Limits what goes into the activations. */
  readonly clip: (x: TflTensor) => TflTensor;
}

/** `projected`: the step's input times its weights, with its bias, [batch, gates * hidden]. */
export type Step = (projected: TflTensor, state: State) => { h: TflTensor; c: TflTensor | null };
export type CellOf = (node: Node, lowering: Lowering, direction: Direction) => Step;

/** x [rows, in] times weights [out, in], plus a bias of [out]. */
export function dense(lowering: Lowering, x: TflTensor, weights: TflTensor, bias: TflTensor | null): TflTensor {
  const columns = weights.shape[0] ?? 1;
  const zero = (): TflTensor => lowering.constant('float32', new Float32Array(columns), [columns]);
  const output = { shape: [x.shape[0] ?? 1, columns], dtype: 'float32' as const };
  if (bias === null || bias.constant !== null) return fullyConnected(lowering, x, weights, bias ?? zero(), output);
  return lowering.add(fullyConnected(lowering, x, weights, zero(), output), bias);
}

/** The state times its weights, with its bias; null when both are nothing. */
function fromState(
  lowering: Lowering,
  h: TflTensor | null,
  weights: TflTensor,
  bias: TflTensor | null,
): TflTensor | null {
  return h === null ? bias : dense(lowering, h, weights, bias);
}

const sum = (lowering: Lowering, a: TflTensor, b: TflTensor | null): TflTensor => (b === null ? a : lowering.add(a, b));

/** Equal parts of the columns. */
function columns(lowering: Lowering, x: TflTensor, count: number): TflTensor[] {
  const [rows = 1, width = 1] = x.shape;
  if (count === 1) return [x];
  const type = { shape: [rows, width / count], dtype: x.dtype };
  const types = new Array<typeof type>(count).fill(type);
  return lowering.emitAll('SPLIT', [lowering.scalar(1, 'int32'), x], types, { num_splits: count });
}

/** Ht = f(Xt Wi' + Ht-1 Ri' + Wbi + Rbi). */
export function rnnCell(_node: Node, lowering: Lowering, { recurrence, bias, activations, clip }: Direction): Step {
  const [f] = activations;
  return (projected, { h }) => {
    const all = sum(lowering, projected, fromState(lowering, h, recurrence, bias?.recurrent ?? null));
    return { h: (f as Activation)(lowering, clip(all)), c: null };
  };
}

/** Gates z, r, h. Ht = (1 - zt) ht + zt Ht-1. */
export function gruCell(node: Node, lowering: Lowering, direction: Direction): Step {
  const { hidden, recurrence, bias, activations, clip } = direction;
  const [f, g] = activations as [Activation, Activation];
  const isLinear = node.int('linear_before_reset', 0) === 1;
  const rows = (x: TflTensor, from: number, count: number): TflTensor =>
    lowering.slice(
      x,
      x.shape.map((_, axis) => (axis === 0 ? from * hidden : 0)),
      [count * hidden, ...x.shape.slice(1)],
    );
  const [gateWeights, newWeights] = [rows(recurrence, 0, 2), rows(recurrence, 2, 1)];
  const gateBias = bias && rows(bias.recurrent, 0, 2);
  const newBias = bias && rows(bias.recurrent, 2, 1);
  return (projected, { h }) => {
    const [batch = 1] = projected.shape;
    const gateInput = lowering.slice(projected, [0, 0], [batch, 2 * hidden]);
    const newInput = lowering.slice(projected, [0, 2 * hidden], [batch, hidden]);
    const gates = f(lowering, clip(sum(lowering, gateInput, fromState(lowering, h, gateWeights, gateBias))));
    const [z, r] = columns(lowering, gates, 2) as [TflTensor, TflTensor];
    const kept = isLinear
      ? fromState(lowering, h, newWeights, newBias)
      : fromState(lowering, h && lowering.mul(r, h), newWeights, newBias);
    const reset = isLinear && kept !== null ? lowering.mul(r, kept) : kept;
    const fresh = g(lowering, clip(sum(lowering, newInput, reset)));
    const taken = lowering.mul(lowering.sub(lowering.scalar(1), z), fresh);
    return { h: h === null ? taken : lowering.add(taken, lowering.mul(z, h)), c: null };
  };
}

/** Gates i, o, f, c; peepholes i, o, f. Ct = ft Ct-1 + it ct, Ht = ot h(Ct). */
export function lstmCell(node: Node, lowering: Lowering, direction: Direction): Step {
  const { hidden, recurrence, bias, peepholes, activations, clip } = direction;
  const [f, g, h] = activations as [Activation, Activation, Activation];
  const isCoupled = node.int('input_forget', 0) === 1;
  const peeps = [0, 1, 2].map((gate) => peepholes && lowering.slice(peepholes, [gate * hidden], [hidden]));
  const seen = (gate: number, cell: TflTensor | null): TflTensor | null => {
    const weights = peeps[gate] ?? null;
    return weights === null || cell === null ? null : lowering.mul(weights, cell);
  };
  return (projected, state) => {
    const all = sum(lowering, projected, fromState(lowering, state.h, recurrence, bias?.recurrent ?? null));
    const [i, o, forget, fresh] = columns(lowering, all, 4) as [TflTensor, TflTensor, TflTensor, TflTensor];
    const gate = (x: TflTensor, index: number, cell: TflTensor | null): TflTensor =>
      f(lowering, clip(sum(lowering, x, seen(index, cell))));
    const opened = gate(i, 0, state.c);
    const added = lowering.mul(opened, g(lowering, clip(fresh)));
    const held = (): TflTensor => (isCoupled ? lowering.sub(lowering.scalar(1), opened) : gate(forget, 2, state.c));
    const c = state.c === null ? added : lowering.add(lowering.mul(held(), state.c), added);
    return { h: lowering.mul(gate(o, 1, c), h(lowering, c)), c };
  };
}
