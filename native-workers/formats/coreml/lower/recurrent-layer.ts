/** What LSTM, GRU and RNN have in common: their operands by direction, in ONNX's order of gates. Source: onnx Operators.md. */
import type { Node } from '../../../graph/node.ts';
import type { MilValue } from '../program.ts';
import { sliceAxis, squeeze } from './builders.ts';
import type { Lowering } from './lowering.ts';
import { type Activation, activationsOf } from './recurrent-activations.ts';
import { Refusal, staticDims } from './terms.ts';

export interface Recurrent {
  /** [steps, batch, width]. */
  readonly x: MilValue;
  readonly directions: readonly ('forward' | 'reverse')[];
  readonly hidden: number;
  readonly activations: readonly Activation[];
  /** Bound of what goes into the activations; null for none. */
  readonly clip: number | null;
  /** Of the operands W, R, B and P, by direction, rows of gates of `hidden` each. */
  rows(operand: number, direction: number): number[] | null;
  /** Both biases of each gate added up. */
  bias(direction: number, gates: number): number[];
  /** [batch, hidden], zeros when it is not given. */
  initial(operand: number, direction: number): MilValue;
}

export function recurrentOf(node: Node, lowering: Lowering, defaults: readonly string[]): Recurrent {
  const given = lowering.get(node, 0);
  const batchFirst = node.int('layout', 0) !== 0;
  const x = batchFirst ? lowering.transpose(given, [1, 0, 2]) : given;
  const direction = node.string('direction', 'forward');
  const directions: ('forward' | 'reverse')[] =
    direction === 'bidirectional' ? ['forward', 'reverse'] : direction === 'reverse' ? ['reverse'] : ['forward'];
  const [steps = null, batch = null] = x.type.shape;
  if (node.inputs[4]) {
    const lengths = lowering.fixed(node, 4, 'the length of each sequence');
    if (lengths.some((length) => length !== steps)) throw new Refusal('sequences of several lengths in one batch');
  }
  const activations = activationsOf(
    node,
    directions.flatMap(() => defaults),
  );
  const hidden = node.int('hidden_size', lowering.shape(lowering.input(node, 2)).at(-1) ?? 1);
  const rows = (operand: number, at: number): number[] | null => {
    if (!node.inputs[operand]) return null;
    const values = lowering.fixed(node, operand, 'weights of a recurrent layer');
    const size = values.length / directions.length;
    return values.slice(at * size, (at + 1) * size);
  };
  return {
    x,
    directions,
    hidden,
    activations,
    clip: node.attributes.has('clip') ? node.float('clip', 0) : null,
    rows,
    bias(at, gates) {
      const both = rows(3, at);
      const count = gates * hidden;
      return Array.from({ length: count }, (_, index) => (both?.[index] ?? 0) + (both?.[index + count] ?? 0));
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
