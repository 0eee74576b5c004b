import type { Value } from '../../../graph/value.ts';
import { attention } from './attention.ts';
import { DETECTION } from './detection.ts';
import { INDEXING } from './indexing.ts';
import { type Call, onnxDType, type Raise } from './raising.ts';
import { RECURRENT } from './recurrent.ts';
import { conv, convTranspose, ones, pool, resizeBilinear, upsampleNearest } from './windows.ts';

const same =
  (opType: string, ...names: string[]): Raise =>
  (call) =>
    call.raising.one(
      opType,
      (names.length > 0 ? names : ['x']).map((name) => call.x(name)),
    );

const two = (opType: string): Raise => same(opType, 'x', 'y');

const alpha =
  (opType: string): Raise =>
  (call) =>
    call.raising.one(opType, [call.x()], { alpha: { float: call.number('alpha') } });

const reduce =
  (opType: string): Raise =>
  (call) =>
    call.raising.one(opType, [call.x(), call.raising.int64s(call.numbers('axes'))], {
      keepdims: call.flag('keep_dims') ? 1 : 0,
    });

/** A scalar of the operand's own type. */
const like = (call: Call, value: number, name = 'x'): Value =>
  call.raising.scalar(onnxDType(call.type(name).dtype), value);

function batchNorm(call: Call): Value {
  const channels = call.type('mean').shape;
  const filled = (name: string, value: number): Value => call.optional(name) ?? fill(call, channels, value);
  return call.raising.one(
    'BatchNormalization',
    [call.x(), filled('gamma', 1), filled('beta', 0), call.x('mean'), call.x('variance')],
    {
      epsilon: { float: call.number('epsilon', 1e-5) },
    },
  );
}

function fill(call: Call, shape: readonly (number | null)[], value: number): Value {
  return call.raising.one('Expand', [like(call, value), call.raising.int64s(shape.map((dim) => dim ?? 1))]);
}

function layerNorm(call: Call): Value {
  const { raising } = call;
  const axes = raising.int64s(call.numbers('axes'));
  const x = call.x();
  const centred = raising.one('Sub', [x, raising.one('ReduceMean', [x, axes])]);
  const variance = raising.one('ReduceMean', [raising.one('Mul', [centred, centred]), axes]);
  const deviation = raising.one('Sqrt', [raising.one('Add', [variance, like(call, call.number('epsilon', 1e-5))])]);
  let result = raising.one('Div', [centred, deviation]);
  if (call.has('gamma')) result = raising.one('Mul', [result, call.x('gamma')]);
  if (call.has('beta')) result = raising.one('Add', [result, call.x('beta')]);
  return result;
}

function linear(call: Call): Value {
  const product = call.raising.one('MatMul', [
    call.x(),
    call.raising.one('Transpose', [call.x('weight')], { perm: [1, 0] }),
  ]);
  return call.has('bias') ? call.raising.one('Add', [product, call.x('bias')]) : product;
}

function matmul(call: Call): Value {
  const side = (name: string): Value => {
    if (!call.flag(`transpose_${name}`)) return call.x(name);
    const axes = Array.from({ length: call.rank(name) }, (_, axis) => axis);
    return call.raising.one('Transpose', [call.x(name)], { perm: [...axes.slice(0, -2), ...axes.slice(-2).reverse()] });
  };
  return call.raising.one('MatMul', [side('x'), side('y')]);
}

function gelu(call: Call): Value {
  const mode = call.text('mode', 'EXACT');
  const { raising } = call;
  const x = call.x();
  if (mode === 'SIGMOID_APPROXIMATION')
    return raising.one('Mul', [x, raising.one('Sigmoid', [raising.one('Mul', [x, like(call, 1.702)])])]);
  return raising.one('Gelu', [x], { approximate: mode === 'TANH_APPROXIMATION' ? 'tanh' : 'none' });
}

/** begin, end and stride of each dimension, with masks that stand for the whole of it. */
function sliceByIndex(call: Call): Value {
  const { raising } = call;
  const rank = call.rank('x');
  const none = Array<number>(rank).fill(0);
  const strides = call.numbers('stride', ones(rank));
  const bounds = (name: string): Value => {
    const mask = call.numbers(`${name}_mask`, none);
    const whole = strides.map((step) =>
      (name === 'begin') === step > 0 ? (step > 0 ? 0 : 2 ** 31 - 1) : step > 0 ? 2 ** 31 - 1 : -(2 ** 31),
    );
    const constant = call.constant(name);
    if (constant !== null) {
      return raising.int64s(call.numbers(name).map((value, axis) => (mask[axis] ? (whole[axis] ?? 0) : value)));
    }
    const computed = raising.cast(call.x(name), 'int64');
    const masked = raising.one('Cast', [raising.int64s(mask)], { to: 9 });
    return raising.one('Where', [masked, raising.int64s(whole), computed]);
  };
  const axes = raising.int64s(strides.map((_, axis) => axis));
  const result = raising.one('Slice', [call.x(), bounds('begin'), bounds('end'), axes, raising.int64s(strides)]);
  const squeezed = call.numbers('squeeze_mask', none).flatMap((flag, axis) => (flag ? [axis] : []));
  return squeezed.length === 0 ? result : raising.one('Squeeze', [result, raising.int64s(squeezed)]);
}

function pad(call: Call): Value {
  const mode = call.text('mode', 'constant');
  const pairs = call.numbers('pad');
  // The pairs are those of the last dimensions.
  const rank = call.rank('x');
  const all = [...Array<number>(rank * 2 - pairs.length).fill(0), ...pairs];
  const amounts = [...all.filter((_, index) => index % 2 === 0), ...all.filter((_, index) => index % 2 === 1)];
  const names: Readonly<Record<string, string>> = { constant: 'constant', reflect: 'reflect', replicate: 'edge' };
  return call.raising.one('Pad', [call.x(), call.raising.int64s(amounts), like(call, call.number('constant_val', 0))], {
    mode: names[mode] ?? mode,
  });
}

function cast(call: Call): Value {
  const to = call.output().dtype;
  return call.raising.cast(call.x(), onnxDType(to));
}

function topk(call: Call): Value[] {
  const [values, indices] = call.raising.node(
    'TopK',
    [call.x(), call.raising.int64s([call.number('k', 1)])],
    { axis: call.number('axis', -1), largest: call.flag('ascending') ? 0 : 1, sorted: 1 },
    2,
  );
  return [values as Value, call.raising.cast(indices as Value, 'int32')];
}

const argReduce =
  (opType: string): Raise =>
  (call) =>
    call.raising.cast(
      call.raising.one(opType, [call.x()], { axis: call.number('axis', -1), keepdims: call.flag('keep_dims') ? 1 : 0 }),
      'int32',
    );

const scatter =
  (opType: string): Raise =>
  (call) => {
    const modes: Readonly<Record<string, string>> = { update: 'none', add: 'add', mul: 'mul', max: 'max', min: 'min' };
    const indices = opType === 'ScatterND' ? call.raising.cast(call.x('indices'), 'int64') : call.x('indices');
    return call.raising.one(opType, [call.x('data'), indices, call.x('updates')], {
      reduction: modes[call.text('mode', 'add')] ?? 'none',
      ...(opType === 'ScatterND' ? {} : { axis: call.number('axis', 0) }),
    });
  };

/** Scale and zero point: scalars, or a vector along the axis. */
const quantization =
  (opType: string): Raise =>
  (call) => {
    const dtype = opType === 'QuantizeLinear' ? call.output().dtype : call.type('input').dtype;
    const zero = call.optional('zero_point') ?? fillZero(call, dtype);
    // ONNX's result is of the scale's type, and so is MIL's.
    return call.raising.one(
      opType,
      [call.x('input'), call.x('scale'), zero],
      call.has('axis') ? { axis: call.number('axis') } : {},
    );
  };

function fillZero(call: Call, dtype: Parameters<typeof onnxDType>[0]): Value {
  const shape = call.type('scale').shape.map((dim) => dim ?? 1);
  const zero = call.raising.scalar(onnxDType(dtype), 0);
  return shape.length === 0 ? zero : call.raising.one('Expand', [zero, call.raising.int64s(shape)]);
}

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

export const OPERATORS: Readonly<Record<string, Raise>> = {
  ...INDEXING,
  ...DETECTION,
  ...RECURRENT,
  abs: same('Abs'),
  acos: same('Acos'),
  add: two('Add'),
  asin: same('Asin'),
  atan: same('Atan'),
  atanh: same('Atanh'),
  avg_pool: pool('AveragePool'),
  batch_norm: batchNorm,
  cast,
  ceil: same('Ceil'),
  clip: (call) =>
    call.raising.one('Clip', [call.x(), like(call, call.number('alpha')), like(call, call.number('beta'))]),
  concat: (call) => call.raising.one('Concat', call.all('values'), { axis: call.number('axis') }),
  conv,
  conv_transpose: convTranspose,
  cos: same('Cos'),
  cosh: same('Cosh'),
  cumsum: (call) =>
    call.raising.one('CumSum', [call.x(), call.raising.scalar('int64', call.number('axis', 0))], {
      exclusive: call.flag('exclusive') ? 1 : 0,
      reverse: call.flag('reverse') ? 1 : 0,
    }),
  depth_to_space: (call) =>
    call.raising.one('DepthToSpace', [call.x()], { blocksize: call.number('block_size'), mode: 'DCR' }),
  dequantize: quantization('DequantizeLinear'),
  elu: alpha('Elu'),
  equal: two('Equal'),
  erf: same('Erf'),
  exp: same('Exp'),
  expand_dims: (call) => call.raising.one('Unsqueeze', [call.x(), call.raising.int64s(call.numbers('axes'))]),
  fill: (call) => call.raising.one('Expand', [call.x('value'), call.shape('shape')]),
  floor: same('Floor'),
  /** Rounds to minus infinity; the quotient is taken in double precision. */
  floor_div: (call) => {
    const double = (name: string): Value => call.raising.one('Cast', [call.x(name)], { to: 11 });
    const quotient = call.raising.one('Floor', [call.raising.one('Div', [double('x'), double('y')])]);
    return call.raising.cast(quotient, onnxDType(call.output().dtype));
  },
  gather: (call) => call.raising.one('Gather', [call.x(), call.x('indices')], { axis: call.number('axis', 0) }),
  gather_along_axis: (call) =>
    call.raising.one('GatherElements', [call.x(), call.x('indices')], { axis: call.number('axis', 0) }),
  gather_nd: (call) =>
    call.raising.one('GatherND', [call.x(), call.raising.cast(call.x('indices'), 'int64')], {
      batch_dims: call.number('batch_dims', 0),
    }),
  gelu,
  greater: two('Greater'),
  greater_equal: two('GreaterOrEqual'),
  identity: same('Identity'),
  instance_norm: (call) =>
    call.raising.one('InstanceNormalization', [call.x(), call.x('gamma'), call.x('beta')], {
      epsilon: { float: call.number('epsilon', 1e-5) },
    }),
  layer_norm: layerNorm,
  leaky_relu: alpha('LeakyRelu'),
  less: two('Less'),
  less_equal: two('LessOrEqual'),
  linear,
  local_response_norm: (call) =>
    call.raising.one('LRN', [call.x()], {
      size: call.number('size'),
      alpha: { float: call.number('alpha') },
      beta: { float: call.number('beta') },
      bias: { float: call.number('k') },
    }),
  log: (call) =>
    call.raising.one('Log', [call.raising.one('Add', [call.x(), like(call, call.number('epsilon', 1e-45))])]),
  logical_and: two('And'),
  logical_not: same('Not'),
  logical_or: two('Or'),
  logical_xor: two('Xor'),
  matmul,
  max_pool: pool('MaxPool'),
  maximum: two('Max'),
  minimum: two('Min'),
  /** The remainder has the sign of the divisor. */
  mod: (call) => {
    const { raising } = call;
    if (call.type('x').dtype === 'int32') return raising.one('Mod', [call.x(), call.x('y')]);
    const quotient = raising.one('Floor', [raising.one('Div', [call.x(), call.x('y')])]);
    return raising.one('Sub', [call.x(), raising.one('Mul', [quotient, call.x('y')])]);
  },
  mul: two('Mul'),
  not_equal: (call) => call.raising.one('Not', [call.raising.one('Equal', [call.x(), call.x('y')])]),
  pad,
  pixel_shuffle: (call) =>
    call.raising.one('DepthToSpace', [call.x()], { blocksize: call.number('upscale_factor'), mode: 'CRD' }),
  pow: two('Pow'),
  quantize: quantization('QuantizeLinear'),
  range_1d: same('Range', 'start', 'end', 'step'),
  real_div: two('Div'),
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
  relu: same('Relu'),
  relu6: (call) => call.raising.one('Clip', [call.x(), like(call, 0), like(call, 6)]),
  reshape: (call) => call.raising.one('Reshape', [call.x(), call.shape('shape')]),
  resize_bilinear: resizeBilinear,
  round: same('Round'),
  rsqrt: (call) =>
    call.raising.one('Reciprocal', [
      call.raising.one('Sqrt', [call.raising.one('Add', [call.x(), like(call, call.number('epsilon', 1e-12))])]),
    ]),
  scaled_dot_product_attention: attention,
  scatter_along_axis: scatter('ScatterElements'),
  scatter_nd: scatter('ScatterND'),
  select: same('Where', 'cond', 'a', 'b'),
  shape: (call) => call.raising.cast(call.raising.one('Shape', [call.x()]), 'int32'),
  sigmoid: same('Sigmoid'),
  sigmoid_hard: (call) =>
    call.raising.one('HardSigmoid', [call.x()], {
      alpha: { float: call.number('alpha') },
      beta: { float: call.number('beta') },
    }),
  sign: same('Sign'),
  silu: (call) => call.raising.one('Mul', [call.x(), call.raising.one('Sigmoid', [call.x()])]),
  sin: same('Sin'),
  sinh: same('Sinh'),
  slice_by_index: sliceByIndex,
  softmax: (call) => call.raising.one('Softmax', [call.x()], { axis: call.number('axis', -1) }),
  softplus: same('Softplus'),
  softsign: same('Softsign'),
  space_to_depth: (call) => call.raising.one('SpaceToDepth', [call.x()], { blocksize: call.number('block_size') }),
  split: (call) => {
    const parts = call.numbers('split_sizes');
    return call.raising.node(
      'Split',
      [call.x(), call.raising.int64s(parts)],
      { axis: call.number('axis') },
      parts.length,
    );
  },
  sqrt: same('Sqrt'),
  square: (call) => call.raising.one('Mul', [call.x(), call.x()]),
  squeeze: (call) => call.raising.one('Squeeze', [call.x(), call.raising.int64s(call.numbers('axes'))]),
  sub: two('Sub'),
  tan: same('Tan'),
  tanh: same('Tanh'),
  thresholded_relu: alpha('ThresholdedRelu'),
  tile: (call) => call.raising.one('Tile', [call.x(), call.shape('reps')]),
  topk,
  transpose: (call) => call.raising.one('Transpose', [call.x()], { perm: call.numbers('perm') }),
  upsample_nearest_neighbor: upsampleNearest,
};
