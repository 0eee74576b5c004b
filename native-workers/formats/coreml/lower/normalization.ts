/** Normalisations. */
import type { Node } from '../../../graph/node.ts';
import type { MilValue } from '../program.ts';
import { type Lower, type Lowering, Refusal, staticDims } from './lowering.ts';

/** The operand as a constant, which MIL's own normalisations need. */
function fixed(node: Node, lowering: Lowering, index: number, what: string): MilValue {
  return lowering.fixedValue(lowering.input(node, index), what);
}

function batchNormalization(node: Node, lowering: Lowering): void {
  if (node.int('training_mode', 0) !== 0 || node.outputs[1]) throw new Refusal('training outputs are not for devices');
  const x = lowering.get(node, 0);
  if (x.type.shape.length < 3) {
    affineNormalization(node, lowering, x);
    return;
  }
  lowering.out(node, 'batch_norm', {
    x,
    mean: fixed(node, lowering, 3, 'the mean'),
    variance: fixed(node, lowering, 4, 'the variance'),
    gamma: fixed(node, lowering, 1, 'the scale'),
    beta: fixed(node, lowering, 2, 'the bias'),
    epsilon: lowering.float(node.float('epsilon', 1e-5), 'epsilon'),
  });
}

/** MIL's batch_norm takes rank 3 and more; a matrix is normalised with plain operators. */
function affineNormalization(node: Node, lowering: Lowering, x: MilValue): void {
  const numbers = [1, 2, 3, 4].map((index) => lowering.fixed(node, index, 'the statistics'));
  const [gamma = [], beta = [], mean = [], variance = []] = numbers;
  const epsilon = node.float('epsilon', 1e-5);
  const scale = gamma.map((value, index) => value / Math.sqrt((variance[index] ?? 0) + epsilon));
  const shift = beta.map((value, index) => value - (mean[index] ?? 0) * (scale[index] ?? 0));
  const scaled = lowering.binary('mul', x, lowering.floats(scale, [scale.length]));
  lowering.out(node, 'add', { x: scaled, y: lowering.floats(shift, [shift.length]) });
}

function instanceNormalization(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  if (x.type.shape.length < 3 || x.type.shape.length > 4)
    throw new Refusal('Core ML normalises instances of rank 3 and 4');
  lowering.out(node, 'instance_norm', {
    x,
    gamma: fixed(node, lowering, 1, 'the scale'),
    beta: fixed(node, lowering, 2, 'the bias'),
    epsilon: lowering.float(node.float('epsilon', 1e-5), 'epsilon'),
  });
}

function layerNormalization(node: Node, lowering: Lowering): void {
  if (node.outputs[1] || node.outputs[2]) throw new Refusal('Core ML gives no mean and deviation of a normalisation');
  const x = lowering.get(node, 0);
  const rank = x.type.shape.length;
  const axis = lowering.axis(node.int('axis', -1), rank);
  const axes = Array.from({ length: rank - axis }, (_, index) => axis + index);
  const normalised = x.type.shape.slice(axis);
  const fits = (index: number): boolean => {
    const value = node.inputs[index];
    return !value || (value.tensor !== null && value.tensor.shape.join() === normalised.join());
  };
  const epsilon = lowering.float(node.float('epsilon', 1e-5), 'epsilon');
  const parameters = { x, axes: lowering.ints(axes, 'axes'), epsilon };
  if (fits(1) && fits(2)) {
    const value = (index: number): MilValue | null => (node.inputs[index] ? lowering.get(node, index) : null);
    lowering.out(node, 'layer_norm', { ...parameters, gamma: value(1), beta: value(2) });
    return;
  }
  // Scale and bias that are computed or broadcast stand outside.
  let result = lowering.op('layer_norm', parameters, x.type);
  if (node.inputs[1]) result = lowering.binary('mul', result, lowering.get(node, 1));
  if (node.inputs[2]) result = lowering.binary('add', result, lowering.get(node, 2));
  lowering.out(node, 'identity', { x: result });
}

/** x / sqrt(mean(x^2) + epsilon) * scale. Source: onnx Operators.md, RMSNormalization. */
function rmsNormalization(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const rank = x.type.shape.length;
  const axis = lowering.axis(node.int('axis', -1), rank);
  const axes = Array.from({ length: rank - axis }, (_, index) => axis + index);
  const shape = x.type.shape.map((dim, index) => (index >= axis ? 1 : dim));
  const mean = lowering.op(
    'reduce_mean',
    { x: lowering.unary('square', x), axes: lowering.ints(axes, 'axes'), keep_dims: lowering.bool(true, 'keep') },
    { dtype: 'fp32', shape },
  );
  const inverse = lowering.op(
    'rsqrt',
    { x: mean, epsilon: lowering.float(node.float('epsilon', 1e-5), 'epsilon') },
    mean.type,
  );
  lowering.out(node, 'mul', { x: lowering.binary('mul', x, inverse), y: lowering.get(node, 1) });
}

/** Each group is normalised as a row. Scale and bias are per channel since operator set 21, per group before. */
function groupNormalization(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const shape = staticDims(x.type.shape, 'the groups');
  const groups = node.int('num_groups', 1);
  const [batch = 1, channels = 1, ...spatial] = shape;
  const inner = (channels / groups) * spatial.reduce((product, dim) => product * dim, 1);
  const rows = lowering.reshape(x, [batch, groups, inner]);
  const parameters = {
    x: rows,
    axes: lowering.ints([2], 'axes'),
    epsilon: lowering.float(node.float('epsilon', 1e-5), 'epsilon'),
  };
  const normal = lowering.reshape(lowering.op('layer_norm', parameters, rows.type), shape);
  const perChannel = [1, 2].map((index) => {
    let values = lowering.fixed(node, index, 'scale and bias');
    if (values.length === groups && groups !== channels)
      values = values.flatMap((value) => Array(channels / groups).fill(value));
    return lowering.floats(values, [channels, ...spatial.map(() => 1)]);
  });
  lowering.out(node, 'add', { x: lowering.binary('mul', normal, perChannel[0] as MilValue), y: perChannel[1] });
}

function lrn(node: Node, lowering: Lowering): void {
  lowering.out(node, 'local_response_norm', {
    x: lowering.get(node, 0),
    size: lowering.int(node.int('size', 1), 'size'),
    alpha: lowering.float(node.float('alpha', 1e-4), 'alpha'),
    beta: lowering.float(node.float('beta', 0.75), 'beta'),
    k: lowering.float(node.float('bias', 1), 'k'),
  });
}

export const NORMALIZATION: Readonly<Record<string, Lower>> = {
  BatchNormalization: batchNormalization,
  InstanceNormalization: instanceNormalization,
  LayerNormalization: layerNormalization,
  RMSNormalization: rmsNormalization,
  GroupNormalization: groupNormalization,
  LRN: lrn,
};
