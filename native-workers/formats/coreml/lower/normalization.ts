/** Normalisations. */
import type { Node } from '../../../graph/node.ts';
import type { MilValue } from '../program.ts';
import { compare, expandDims, plus, reduce, select, squeeze, take, times } from './builders.ts';
import type { Lower, Lowering } from './lowering.ts';
import { Refusal, staticDims } from './terms.ts';

function batchNormalization(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  if (node.int('training_mode', 0) !== 0) {
    trainingNormalization(node, lowering, x);
    return;
  }
  if (node.outputs.slice(1).some((output) => output !== null))
    throw new Refusal('it gives statistics for training; export the model for inference');
  const isFixed = [1, 2, 3, 4].every((index) => node.inputs[index]?.isConstant);
  if (x.type.shape.length < 3 || !isFixed) {
    affineNormalization(node, lowering, x);
    return;
  }
  lowering.out(node, 'batch_norm', {
    x,
    mean: lowering.get(node, 3),
    variance: lowering.get(node, 4),
    gamma: lowering.get(node, 1),
    beta: lowering.get(node, 2),
    epsilon: lowering.float(node.float('epsilon', 1e-5), 'epsilon'),
  });
}

/** A vector by channel, shaped to be broadcast over the dimension 1 of `rank`. */
function perChannel(lowering: Lowering, vector: MilValue, rank: number): MilValue {
  const axes = Array.from({ length: Math.max(0, rank - 2) }, (_, index) => index + 1);
  return expandDims(lowering, vector, axes);
}

function inverseDeviation(lowering: Lowering, variance: MilValue, epsilon: number): MilValue {
  return lowering.op('rsqrt', { x: variance, epsilon: lowering.float(epsilon, 'epsilon') }, variance.type);
}

/** With the statistics of the batch itself, which move the given ones. Source: onnx Operators.md, BatchNormalization. */
function trainingNormalization(node: Node, lowering: Lowering, x: MilValue): void {
  const rank = x.type.shape.length;
  const axes = x.type.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
  const mean = reduce(lowering, 'reduce_mean', x, axes);
  const centred = lowering.binary('sub', x, mean);
  const variance = reduce(lowering, 'reduce_mean', lowering.unary('square', centred), axes);
  const normal = lowering.binary('mul', centred, inverseDeviation(lowering, variance, node.float('epsilon', 1e-5)));
  const [gamma, beta] = [1, 2].map((index) => perChannel(lowering, lowering.get(node, index), rank)) as [
    MilValue,
    MilValue,
  ];
  const momentum = node.float('momentum', 0.9);
  [mean, variance].forEach((own, index) => {
    const output = node.outputs[1 + index];
    if (!output) return;
    const given = times(lowering, lowering.get(node, 3 + index), momentum);
    lowering.set(output, lowering.binary('add', given, times(lowering, squeeze(lowering, own, axes), 1 - momentum)));
  });
  lowering.result(node, lowering.binary('add', lowering.binary('mul', normal, gamma), beta));
}

/** MIL's batch_norm takes rank 3 and more and constants; anything else is normalised with plain operators. */
function affineNormalization(node: Node, lowering: Lowering, x: MilValue): void {
  const rank = x.type.shape.length;
  const [gamma, beta, mean, variance] = [1, 2, 3, 4].map((index) => lowering.get(node, index)) as [
    MilValue,
    MilValue,
    MilValue,
    MilValue,
  ];
  const scale = lowering.binary('mul', gamma, inverseDeviation(lowering, variance, node.float('epsilon', 1e-5)));
  const shift = lowering.binary('sub', beta, lowering.binary('mul', mean, scale));
  const scaled = lowering.binary('mul', x, perChannel(lowering, scale, rank));
  lowering.result(node, lowering.binary('add', scaled, perChannel(lowering, shift, rank)));
}

/** Mean 0 and variance 1 over some axes. */
function normalised(lowering: Lowering, x: MilValue, axes: readonly number[], epsilon: number): MilValue {
  return lowering.op(
    'layer_norm',
    { x, axes: lowering.ints(axes, 'axes'), epsilon: lowering.float(epsilon, 'epsilon') },
    x.type,
  );
}

function instanceNormalization(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const rank = x.type.shape.length;
  const epsilon = node.float('epsilon', 1e-5);
  const isFixed = [1, 2].every((index) => node.inputs[index]?.isConstant);
  if ((rank === 3 || rank === 4) && isFixed) {
    lowering.out(node, 'instance_norm', {
      x,
      gamma: lowering.get(node, 1),
      beta: lowering.get(node, 2),
      epsilon: lowering.float(epsilon, 'epsilon'),
    });
    return;
  }
  if (rank < 3) throw new Refusal('there are no instances to normalise');
  const axes = Array.from({ length: rank - 2 }, (_, index) => index + 2);
  const [gamma, beta] = [1, 2].map((index) => perChannel(lowering, lowering.get(node, index), rank)) as [
    MilValue,
    MilValue,
  ];
  const normal = normalised(lowering, x, axes, epsilon);
  lowering.result(node, lowering.binary('add', lowering.binary('mul', normal, gamma), beta));
}

/** Mean and deviation are computed apart where something reads them. */
function layerNormalization(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const rank = x.type.shape.length;
  const axis = lowering.axis(node.int('axis', -1), rank);
  const axes = Array.from({ length: rank - axis }, (_, index) => axis + index);
  const epsilon = node.float('epsilon', 1e-5);
  if (node.outputs[1] || node.outputs[2]) statistics(node, lowering, x, axes, epsilon);
  const gamma = node.inputs[1] ? lowering.get(node, 1) : null;
  const beta = node.inputs[2] ? lowering.get(node, 2) : null;
  lowering.result(node, layerNorm(lowering, x, axes, gamma, beta, epsilon));
}

export function layerNorm(
  lowering: Lowering,
  x: MilValue,
  axes: readonly number[],
  gamma: MilValue | null,
  beta: MilValue | null,
  epsilon: number,
): MilValue {
  const shape = axes.map((axis) => x.type.shape[axis] ?? null).join();
  const fits = (value: MilValue | null): boolean =>
    value === null || (value.constant !== null && value.type.shape.join() === shape);
  if (fits(gamma) && fits(beta)) {
    return lowering.op(
      'layer_norm',
      { x, axes: lowering.ints(axes, 'axes'), gamma, beta, epsilon: lowering.float(epsilon, 'epsilon') },
      x.type,
    );
  }
  // Scale and bias that are computed or broadcast stand outside.
  let result = normalised(lowering, x, axes, epsilon);
  if (gamma !== null) result = lowering.binary('mul', result, gamma);
  return beta === null ? result : lowering.binary('add', result, beta);
}

function statistics(node: Node, lowering: Lowering, x: MilValue, axes: readonly number[], epsilon: number): void {
  const mean = reduce(lowering, 'reduce_mean', x, axes);
  const centred = lowering.binary('sub', x, mean);
  const variance = reduce(lowering, 'reduce_mean', lowering.unary('square', centred), axes);
  if (node.outputs[1]) lowering.set(node.outputs[1], mean);
  if (node.outputs[2]) lowering.set(node.outputs[2], inverseDeviation(lowering, variance, epsilon));
}

/** x / sqrt(mean(x^2) + epsilon) * scale. Source: onnx Operators.md, RMSNormalization. */
export function rmsNorm(
  lowering: Lowering,
  x: MilValue,
  axes: readonly number[],
  scale: MilValue | null,
  epsilon: number,
): MilValue {
  const mean = reduce(lowering, 'reduce_mean', lowering.unary('square', x), axes);
  const normal = lowering.binary('mul', x, inverseDeviation(lowering, mean, epsilon));
  return scale === null ? normal : lowering.binary('mul', normal, scale);
}

function rmsNormalization(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const rank = x.type.shape.length;
  const axis = lowering.axis(node.int('axis', -1), rank);
  const axes = Array.from({ length: rank - axis }, (_, index) => axis + index);
  lowering.result(node, rmsNorm(lowering, x, axes, lowering.get(node, 1), node.float('epsilon', 1e-5)));
}

/** Each group is normalised as a row. Scale and bias are per channel since operator set 21, per group before. */
function groupNormalization(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const shape = staticDims(x.type.shape, 'the groups');
  const groups = node.int('num_groups', 1);
  const [batch = 1, channels = 1, ...spatial] = shape;
  const inner = (channels / groups) * spatial.reduce((product, dim) => product * dim, 1);
  const rows = normalised(lowering, lowering.reshape(x, [batch, groups, inner]), [2], node.float('epsilon', 1e-5));
  const byChannel = (index: number): MilValue => {
    const vector = lowering.get(node, index);
    const isByGroup = vector.type.shape[0] === groups && groups !== channels;
    const repeated = Array.from({ length: channels }, (_, channel) => Math.floor((channel * groups) / channels));
    return perChannel(lowering, isByGroup ? take(lowering, vector, repeated, 0) : vector, shape.length);
  };
  const scaled = lowering.binary('mul', lowering.reshape(rows, shape), byChannel(1));
  lowering.result(node, lowering.binary('add', scaled, byChannel(2)));
}

/** Over the axes of one picture unless others are given. Source: onnx Operators.md, MeanVarianceNormalization. */
function meanVariance(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const rank = x.type.shape.length;
  const axes = (node.ints('axes') ?? [0, 2, 3]).map((axis) => lowering.axis(axis, rank));
  const centred = lowering.binary('sub', x, reduce(lowering, 'reduce_mean', x, axes));
  const variance = reduce(lowering, 'reduce_mean', lowering.unary('square', centred), axes);
  // The smallest deviation of ONNX's own definition.
  const deviation = plus(lowering, lowering.unary('sqrt', variance), 1e-9);
  lowering.result(node, lowering.binary('real_div', centred, deviation));
}

/** Divided by the sum of magnitudes, or by the root of the sum of squares. */
function lpNormalization(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const axis = lowering.axis(node.int('axis', -1), x.type.shape.length);
  const norm = reduce(lowering, node.int('p', 2) === 1 ? 'reduce_l1_norm' : 'reduce_l2_norm', x, [axis]);
  // Of a vector of zeros the result is zeros.
  const isZero = compare(lowering, 'equal', norm, lowering.float(0));
  lowering.result(node, lowering.binary('real_div', x, select(lowering, isZero, lowering.float(1), norm)));
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
  MeanVarianceNormalization: meanVariance,
  LpNormalization: lpNormalization,
  SimplifiedLayerNormalization: rmsNormalization,
};
