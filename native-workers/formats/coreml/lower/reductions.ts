/** Reductions, and operators that search or pick elements. */
import type { Node } from '../../../graph/node.ts';
import type { MilValue } from '../program.ts';
import { type Lower, type Lowering, Refusal } from './lowering.ts';

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

const reduce =
  (type: string): Lower =>
  (node, lowering) => {
    const x = lowering.get(node, 0);
    const rank = x.type.shape.length;
    if (x.type.dtype === 'bool') throw new Refusal('Core ML reduces numbers only');
    const given = node.ints('axes') ?? (node.inputs[1] ? lowering.fixed(node, 1, 'the axes') : []);
    if (given.length === 0 && node.int('noop_with_empty_axes', 0) !== 0) {
      throw new Refusal('a reduction over no axes is not a reduction in Core ML');
    }
    const axes =
      given.length === 0 ? x.type.shape.map((_, axis) => axis) : given.map((axis) => lowering.axis(axis, rank));
    if (rank === 0) throw new Refusal('a scalar cannot be reduced');
    lowering.out(node, type, {
      x,
      axes: lowering.ints(axes, 'axes'),
      keep_dims: lowering.bool(node.int('keepdims', 1) !== 0, 'keep_dims'),
    });
  };

const arg =
  (type: string): Lower =>
  (node, lowering) => {
    if (node.int('select_last_index', 0) !== 0) throw new Refusal('Core ML gives the first of equal elements');
    const x = lowering.get(node, 0);
    lowering.out(node, type, {
      x,
      axis: lowering.int(lowering.axis(node.int('axis', 0), x.type.shape.length), 'axis'),
      keep_dims: lowering.bool(node.int('keepdims', 1) !== 0, 'keep_dims'),
    });
  };

/** Constant indices are counted from the front, since negative ones are not taken on every device. */
function indices(node: Node, lowering: Lowering, index: number, dim: number | null): MilValue {
  const numbers = lowering.numbers(node, index);
  if (numbers === null || !numbers.some((at) => at < 0)) return lowering.get(node, index);
  if (dim === null) throw new Refusal('indices from the end of a size that is not known');
  const shape = lowering.shape(lowering.input(node, index)) as number[];
  const positive = numbers.map((at) => (at < 0 ? at + dim : at));
  return shape.length === 0 ? lowering.int(positive[0] ?? 0, 'index') : lowering.reshapedInts(positive, shape);
}

/** MIL gathers numbers: bool goes through int32. */
function numberOf(lowering: Lowering, x: MilValue): MilValue {
  return x.type.dtype === 'bool' ? lowering.cast(x, 'int32') : x;
}

function finish(
  node: Node,
  lowering: Lowering,
  type: string,
  inputs: Parameters<Lowering['out']>[2],
  isBool: boolean,
): void {
  if (!isBool) {
    lowering.out(node, type, inputs);
    return;
  }
  const whole = lowering.op(type, inputs, { dtype: 'int32', shape: lowering.shape(lowering.output(node)) });
  lowering.out(node, 'not_equal', { x: whole, y: lowering.scalarLike(whole, 0) });
}

const gather =
  (type: string): Lower =>
  (node, lowering) => {
    const x = lowering.get(node, 0);
    const axis = lowering.axis(node.int('axis', 0), x.type.shape.length);
    const inputs = {
      x: numberOf(lowering, x),
      indices: indices(node, lowering, 1, x.type.shape[axis] ?? null),
      axis: lowering.int(axis, 'axis'),
      batch_dims: type === 'gather' && lowering.target >= 16 ? lowering.int(0, 'batch_dims') : null,
      validate_indices: lowering.target >= 17 ? lowering.bool(false, 'validate') : null,
    };
    finish(node, lowering, type, inputs, x.type.dtype === 'bool');
  };

function gatherNd(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const batch = node.int('batch_dims', 0);
  if (batch > 0) lowering.require(16, 'a gather in batches');
  const inputs = {
    x: numberOf(lowering, x),
    indices: lowering.get(node, 1),
    batch_dims: lowering.target >= 16 ? lowering.int(batch, 'batch_dims') : null,
    validate_indices: lowering.target >= 17 ? lowering.bool(false, 'validate') : null,
  };
  finish(node, lowering, 'gather_nd', inputs, x.type.dtype === 'bool');
}

const MODES: Readonly<Record<string, string>> = { none: 'update', add: 'add', mul: 'mul', max: 'max', min: 'min' };

function scatter(node: Node, lowering: Lowering): void {
  const data = lowering.get(node, 0);
  if (data.type.dtype === 'bool') throw new Refusal('Core ML scatters numbers only');
  const mode = MODES[node.string('reduction', 'none')];
  if (mode === undefined) throw new Refusal('Core ML has no such reduction');
  const nd = node.opType === 'ScatterND';
  const axis = lowering.axis(node.int('axis', 0), data.type.shape.length);
  lowering.out(node, nd ? 'scatter_nd' : 'scatter_along_axis', {
    data,
    indices: nd ? lowering.get(node, 1) : indices(node, lowering, 1, data.type.shape[axis] ?? null),
    updates: lowering.get(node, 2),
    axis: nd ? null : lowering.int(axis, 'axis'),
    mode: lowering.text(mode),
    validate_indices: lowering.target >= 17 ? lowering.bool(false, 'validate') : null,
  });
}

function topK(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const k = lowering.fixed(node, 1, 'the number of elements')[0] ?? 1;
  const outputs = [0, 1].map((index) => {
    const value = node.outputs[index];
    return value ? lowering.declare(value) : null;
  });
  const shape = x.type.shape.map((dim, axis) =>
    axis === lowering.axis(node.int('axis', -1), x.type.shape.length) ? k : dim,
  );
  const filled = outputs.map(
    (output, index) => output ?? lowering.spare({ dtype: index === 0 ? x.type.dtype : 'int32', shape }),
  );
  lowering.operation(
    'topk',
    {
      x,
      k: lowering.int(k, 'k'),
      axis: lowering.int(lowering.axis(node.int('axis', -1), x.type.shape.length), 'axis'),
      ascending: lowering.bool(node.int('largest', 1) === 0, 'ascending'),
      sort: lowering.target >= 16 ? lowering.bool(true, 'sort') : null,
      return_indices: lowering.target >= 16 ? lowering.bool(true, 'return_indices') : null,
      output_indices_dtype: lowering.target >= 17 ? lowering.text('int32', 'indices_dtype') : null,
    },
    filled,
  );
}

function cumSum(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const axis = lowering.fixed(node, 1, 'the axis')[0] ?? 0;
  lowering.out(node, 'cumsum', {
    x,
    axis: lowering.int(lowering.axis(axis, x.type.shape.length), 'axis'),
    exclusive: lowering.bool(node.int('exclusive', 0) !== 0, 'exclusive'),
    reverse: lowering.bool(node.int('reverse', 0) !== 0, 'reverse'),
  });
}

export const REDUCING: Readonly<Record<string, Lower>> = {
  ...Object.fromEntries(Object.entries(REDUCTIONS).map(([name, type]) => [name, reduce(type)])),
  ArgMax: arg('reduce_argmax'),
  ArgMin: arg('reduce_argmin'),
  Gather: gather('gather'),
  GatherElements: gather('gather_along_axis'),
  GatherND: gatherNd,
  ScatterND: scatter,
  ScatterElements: scatter,
  TopK: topK,
  CumSum: cumSum,
};
