/** Reductions. */
import type { MilValue } from '../program.ts';
import { reduce } from './builders.ts';
import type { Lower, Lowering } from './lowering.ts';

const REDUCTIONS: Readonly<Record<string, string>> = {
  ReduceL1: 'reduce_l1_norm',
  ReduceL2: 'reduce_l2_norm',
  ReduceLogSum: 'reduce_log_sum',
  ReduceLogSumExp: 'reduce_log_sum_exp',
  ReduceMax: 'reduce_max',
  ReduceMean: 'reduce_mean',
  ReduceMin: 'reduce_min',
  ReduceProd: 'reduce_prod',
  ReduceSum: 'reduce_sum',
  ReduceSumSquare: 'reduce_sum_square',
};

/** What a reduction over no axes does to each element. */
const OF_ONE: Readonly<Record<string, string>> = {
  reduce_l1_norm: 'abs',
  reduce_l2_norm: 'abs',
  reduce_sum_square: 'square',
};

const reduction =
  (type: string): Lower =>
  (node, lowering) => {
    const given = lowering.get(node, 0);
    // The largest and least of flags are those of 0 and 1.
    const x = given.type.dtype === 'bool' ? lowering.cast(given, 'int32') : given;
    const rank = x.type.shape.length;
    const axes = node.ints('axes') ?? (node.inputs[1] ? lowering.fixed(node, 1, 'the axes') : []);
    if ((axes.length === 0 && node.int('noop_with_empty_axes', 0) !== 0) || rank === 0) {
      lowering.result(node, ofOne(lowering, type, x));
      return;
    }
    const over =
      axes.length === 0 ? x.type.shape.map((_, axis) => axis) : axes.map((axis) => lowering.axis(axis, rank));
    lowering.result(node, reduce(lowering, type, x, over, node.int('keepdims', 1) !== 0));
  };

function ofOne(lowering: Lowering, type: string, x: MilValue): MilValue {
  if (type === 'reduce_log_sum') {
    return lowering.op('log', { x, epsilon: lowering.float(1e-45, 'epsilon') }, x.type);
  }
  const name = OF_ONE[type];
  return name === undefined ? x : lowering.unary(name, x);
}

export const REDUCING: Readonly<Record<string, Lower>> = Object.fromEntries(
  Object.entries(REDUCTIONS).map(([name, type]) => [name, reduction(type)]),
);
