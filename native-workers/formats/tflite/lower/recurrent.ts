/**
 * LSTM, GRU and RNN, one step after another: LiteRT's own operators keep their state in variables, which its compiled models
 * refuse. The inputs of all steps are projected in one product. Long sequences are a WHILE over blocks of steps.
 */
import type { Node } from '../../../graph/node.ts';
import type { Value } from '../../../graph/value.ts';
import type { TflTensor } from '../ir.ts';
import { type Activation, activationOf } from './activation-functions.ts';
import type { Lowering } from './lowering.ts';
import {
  type CellOf,
  type Direction,
  dense,
  gruCell,
  lstmCell,
  rnnCell,
  type State,
  type Step,
} from './recurrent-cells.ts';
import type { Lower } from './registry.ts';

export const RECURRENT_LOWERINGS: Readonly<Record<string, Lower>> = {
  RNN: recurrent(1, ['Tanh'], rnnCell),
  GRU: recurrent(3, ['Sigmoid', 'Tanh'], gruCell),
  LSTM: recurrent(4, ['Sigmoid', 'Tanh', 'Tanh'], lstmCell),
};

/**
 * Each step is some fifteen operators, so that a sequence of more steps than this is a loop over blocks of `BLOCK`, which copies what
 * it carries each time around. Nothing in a loop is run by XNNPACK: 128 steps of an LSTM of 64 take 5 ms written out and 7 to 10 in
 * a loop, but 256 take a second to load and 1024 make a file of 2.4 MB where the weights have 0.4.
 */
const MOST_STEPS = 128;
const BLOCK = 32;

function recurrent(gates: number, usual: readonly string[], cellOf: CellOf): Lower {
  return (node, lowering) => {
    const isBatchFirst = node.int('layout', 0) === 1;
    const read = lowering.read(node, 0);
    const x = isBatchFirst ? lowering.transpose(read, [1, 0, 2]) : read;
    const [steps = 1, batch = 1] = x.shape;
    const hidden = lowering.shape(lowering.input(node, 2)).at(-1) ?? 1;
    const way = node.string('direction', 'forward');
    const lengths = lengthsOf(lowering.optional(node, 4), steps, lowering);
    const initial = (value: Value | null, index: number): TflTensor | null =>
      value === null ? null : initialState(lowering, lowering.tensor(value), index, isBatchFirst);
    const results = (way === 'bidirectional' ? [false, true] : [way === 'reverse']).map((isReverse, index) => {
      const direction = directionOf(node, lowering, index, gates, hidden, usual);
      const input = isReverse && lengths !== null ? reversed(lowering, x, lengths) : x;
      const weights = part(lowering, lowering.read(node, 1), index);
      const flat = lowering.reshape(input, [steps * batch, x.shape[2] ?? 1]);
      const product = dense(lowering, flat, weights, direction.bias?.input ?? null);
      const projected = lowering.reshape(product, [steps, batch, gates * hidden]);
      const state = { h: initial(lowering.optional(node, 5), index), c: initial(lowering.optional(node, 6), index) };
      const step = cellOf(node, lowering, direction);
      const run = { step, projected, state, lengths, hasCell: gates === 4, offset: null };
      const { outputs, last } = steppedThrough(lowering, run, isReverse && lengths === null, hidden);
      return {
        last,
        all: isReverse && lengths !== null ? reversed(lowering, outputs(), lengths) : outputs(),
      };
    });
    const stacked = (parts: readonly TflTensor[], axis: number, shape: readonly number[]): TflTensor =>
      lowering.concat(
        parts.map((each) => lowering.reshape(each, shape)),
        axis,
      );
    const [all, h, c] = node.outputs;
    if (all) {
      const whole = stacked(
        results.map((each) => each.all),
        1,
        [steps, 1, batch, hidden],
      );
      lowering.define(all, isBatchFirst ? lowering.transpose(whole, [2, 0, 1, 3]) : whole);
    }
    for (const [output, which] of [
      [h, 'h'],
      [c, 'c'],
    ] as const) {
      if (!output) continue;
      const lasts = results.flatMap(({ last }) => last[which] ?? []);
      const whole = stacked(lasts, 0, [1, batch, hidden]);
      lowering.define(output, isBatchFirst ? lowering.transpose(whole, [1, 0, 2]) : whole);
    }
  };
}

/** The lengths of the sequences, [batch]; null when all are as long as the input. */
function lengthsOf(value: Value | null, steps: number, lowering: Lowering): TflTensor | null {
  if (value === null || lowering.numbers(value)?.every((length) => length === steps)) return null;
  return lowering.cast(lowering.tensor(value), 'int32');
}

/** Each sequence of [steps, batch, width] from its own end to its beginning; what stands behind its end stays. */
function reversed(lowering: Lowering, x: TflTensor, lengths: TflTensor): TflTensor {
  const options = { seq_dim: 0, batch_dim: 1 };
  return lowering.emit('REVERSE_SEQUENCE', [x, lengths], { shape: x.shape, dtype: x.dtype }, options);
}

interface Run {
  readonly step: Step;
  readonly projected: TflTensor;
  readonly state: State;
  readonly lengths: TflTensor | null;
  readonly hasCell: boolean;
  /** How many steps stand before those of `projected`, where it is a block in a loop. */
  readonly offset: TflTensor | null;
}

/** Takes all steps, those of whole blocks in a loop where there are many. Outputs are [steps, batch, hidden]. */
function steppedThrough(
  lowering: Lowering,
  run: Run,
  isBackward: boolean,
  hidden: number,
): { outputs: () => TflTensor; last: State } {
  const { projected, state } = run;
  const [steps = 1, batch = 1, width = 1] = projected.shape;
  if (steps <= MOST_STEPS) {
    const { outputs, last } = written(lowering, run, { from: 0, count: steps, isBackward });
    return { outputs: () => joined(lowering, outputs), last };
  }
  const blocks = Math.floor(steps / BLOCK);
  const whole = blocks * BLOCK;
  // What is left over stands behind the blocks.
  const rest = { from: whole, count: steps - whole, isBackward };
  const before = isBackward ? written(lowering, run, rest) : null;
  const begin = before?.last ?? state;
  const zeros = (shape: readonly number[]): TflTensor =>
    lowering.emit('FILL', [lowering.int32(shape), lowering.scalar(0)], { shape, dtype: 'float32' });
  const first = begin.h ?? zeros([batch, hidden]);
  const hasCell = run.hasCell;
  const cells = hasCell ? [begin.c ?? zeros([batch, hidden])] : [];
  const part = lowering.slice(projected, [0, 0, 0], [whole, batch, width]);
  const stacked = lowering.reshape(part, [blocks, BLOCK, batch, width]);
  const all = zeros([blocks, BLOCK, batch, hidden]);
  const [made, h, c = null] = lowering.loop(blocks, [all, first, ...cells], (index, [kept, h, c = null]) => {
    const at = isBackward ? lowering.sub(lowering.scalar(blocks - 1, 'int32'), index) : index;
    const block = lowering.gather(stacked, at, 0);
    const offset = lowering.mul(at, BLOCK);
    const inside = { ...run, projected: block, state: { h: h as TflTensor, c }, offset };
    const { outputs, last } = written(lowering, inside, { from: 0, count: BLOCK, isBackward });
    const rows = lowering.reshape(joined(lowering, outputs), [1, BLOCK, batch, hidden]);
    const place = lowering.concat([lowering.reshape(at, [1]), lowering.int32([0, 0, 0])], 0);
    const next = lowering.emit('DYNAMIC_UPDATE_SLICE', [kept as TflTensor, rows, place], kept as TflTensor);
    return [next, last.h as TflTensor, ...(last.c === null ? [] : [last.c])];
  });
  const looped = { h: h as TflTensor, c };
  const after = isBackward ? null : written(lowering, { ...run, state: looped }, rest);
  const flat = lowering.reshape(made as TflTensor, [whole, batch, hidden]);
  const others = (before ?? after)?.outputs ?? [];
  return {
    outputs: () => (others.length === 0 ? flat : lowering.concat([flat, joined(lowering, others)], 0)),
    last: after?.last ?? looped,
  };
}

/** Outputs of steps, [batch, hidden] each, as [steps, batch, hidden]. */
function joined(lowering: Lowering, outputs: readonly TflTensor[]): TflTensor {
  const rows = outputs.map((output) => lowering.reshape(output, [1, ...output.shape]));
  return lowering.concat(rows, 0);
}

/** Which steps of `projected`, and whether the last is taken first. */
interface Range {
  readonly from: number;
  readonly count: number;
  readonly isBackward: boolean;
}

/** Steps one after another. A sequence that has ended keeps its state and gives zeros. */
function written(
  lowering: Lowering,
  { step, projected, state, lengths, offset }: Run,
  { from, count, isBackward }: Range,
): { outputs: TflTensor[]; last: State } {
  const [, batch = 1, width = 1] = projected.shape;
  const zero = lowering.scalar(0);
  const outputs = new Array<TflTensor>(count);
  let last = state;
  for (let taken = 0; taken < count; taken++) {
    const place = isBackward ? count - 1 - taken : taken;
    const at = from + place;
    const row = lowering.reshape(lowering.slice(projected, [at, 0, 0], [1, batch, width]), [batch, width]);
    const next = step(row, last);
    if (lengths === null) {
      last = next;
      outputs[place] = next.h;
      continue;
    }
    const number = offset === null ? at : lowering.add(offset, at);
    const isOn = lowering.binary('GREATER', lowering.reshape(lengths, [batch, 1]), number, 'bool');
    const { h, c } = last;
    outputs[place] = lowering.select(isOn, next.h, zero);
    last = {
      h: h === null ? outputs[place] : lowering.select(isOn, next.h, h),
      c: next.c === null ? null : lowering.select(isOn, next.c, c ?? zero),
    };
  }
  return { outputs, last };
}

function directionOf(
  node: Node,
  lowering: Lowering,
  index: number,
  gates: number,
  hidden: number,
  usual: readonly string[],
): Direction {
  const both = lowering.optional(node, 3) === null ? null : part(lowering, lowering.read(node, 3), index);
  const size = gates * hidden;
  const peepholes = lowering.optional(node, 7) === null ? null : part(lowering, lowering.read(node, 7), index);
  const limit = node.float('clip', 0);
  return {
    hidden,
    recurrence: part(lowering, lowering.read(node, 2), index),
    bias: both && {
      input: lowering.slice(both, [0], [size]),
      recurrent: lowering.slice(both, [size], [size]),
    },
    peepholes,
    activations: activationsOf(node, index, usual),
    clip: (x) => (limit === 0 ? x : lowering.clamp(x, -limit, limit)),
  };
}

/** Those that the node names for this direction. Its lists of alphas and betas hold values for the functions that take some. */
function activationsOf(node: Node, direction: number, usual: readonly string[]): Activation[] {
  const names = node.strings('activations') ?? [];
  const [alphas, betas] = [node.floats('activation_alpha') ?? [], node.floats('activation_beta') ?? []];
  const all = (names.length > 0 ? names : [...usual, ...usual]).map((name) => activationOf(name, alphas, betas));
  return all.slice(direction * usual.length, (direction + 1) * usual.length);
}

/** What belongs to one direction: [directions, ...] -> [...]. */
function part(lowering: Lowering, x: TflTensor, index: number): TflTensor {
  const shape = x.shape.slice(1);
  const begin = [index, ...shape.map(() => 0)];
  return lowering.reshape(lowering.slice(x, begin, [1, ...shape]), shape);
}

/** [directions, batch, hidden], or [batch, directions, hidden] with the batch first, as [batch, hidden]. */
function initialState(lowering: Lowering, x: TflTensor, index: number, isBatchFirst: boolean): TflTensor {
  return part(lowering, isBatchFirst ? lowering.transpose(x, [1, 0, 2]) : x, index);
}
