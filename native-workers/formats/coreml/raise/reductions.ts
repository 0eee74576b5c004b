/** MIL operations that reduce dimensions. Source: coremltools, ops/defs/iOS15/reduction.py. */
import type { Value } from '../../../graph/value.ts';
import type { Call, Raise } from './raising.ts';

const reduce =
  (opType: string): Raise =>
  (call) =>
    call.raising.one(opType, [call.x(), call.raising.int64s(call.numbers('axes'))], {
      keepdims: call.flag('keep_dims') ? 1 : 0,
    });

const argReduce =
  (opType: string): Raise =>
  (call) =>
    call.raising.cast(
      call.raising.one(opType, [call.x()], { axis: call.number('axis', -1), keepdims: call.flag('keep_dims') ? 1 : 0 }),
      'int32',
    );

/**
 * The mean over a whole picture is a pool: ONNX Runtime adds it up in the same order for every channel, which its ReduceMean
 * does not, so that equal channels stay equal.
 */
function reduceMean(call: Call): Value {
  const axes = call.numbers('axes');
  const rank = call.rank('x');
  const isPicture = rank > 2 && call.flag('keep_dims') && axes.length === rank - 2 && !axes.some((axis) => axis < 2);
  return isPicture ? call.raising.one('GlobalAveragePool', [call.x()]) : (reduce('ReduceMean')(call) as Value);
}

export const REDUCTIONS: Readonly<Record<string, Raise>> = {
  reduce_argmax: argReduce('ArgMax'),
  reduce_argmin: argReduce('ArgMin'),
  reduce_l1_norm: reduce('ReduceL1'),
  reduce_l2_norm: reduce('ReduceL2'),
  reduce_log_sum: reduce('ReduceLogSum'),
  reduce_log_sum_exp: reduce('ReduceLogSumExp'),
  reduce_max: reduce('ReduceMax'),
  reduce_mean: reduceMean,
  reduce_min: reduce('ReduceMin'),
  reduce_prod: reduce('ReduceProd'),
  reduce_sum: reduce('ReduceSum'),
  reduce_sum_square: reduce('ReduceSumSquare'),
};
