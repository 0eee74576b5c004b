/** Normalizations from means and inverse roots; LRN is TFLite's own. Formulas are those of ONNX's operator pages. */
import type { Node } from '../../../graph/node.ts';
import type { Value } from '../../../graph/value.ts';
import type { TflTensor } from '../ir.ts';
import type { Lowering } from './lowering.ts';
import type { Lower } from './registry.ts';
import { positive, Refusal } from './terms.ts';
import { channelsFirst, channelsLast } from './window.ts';

export const NORMALIZATION_LOWERINGS: Readonly<Record<string, Lower>> = {
  BatchNormalization: batchNormalization,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
  LayerNormalization: layerNormalization,
  SimplifiedLayerNormalization: rmsNormalization,
  RMSNormalization: rmsNormalization,
  MeanVarianceNormalization: meanVarianceNormalization,
  LpNormalization: lpNormalization,
  LRN: localResponse,
};

/** A vector of channels, shaped to stand at axis 1. */
function perChannel(lowering: Lowering, value: Value, rank: number): TflTensor {
  const vector = lowering.tensor(value);
  return lowering.reshape(vector, [1, vector.shape[0] ?? 1, ...new Array<number>(Math.max(rank - 2, 0)).fill(1)]);
}

function batchNormalization(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const rank = x.shape.length;
  const [scale, bias, mean, variance] = [1, 2, 3, 4].map((index) =>
    perChannel(lowering, lowering.input(node, index), rank),
  );
  if (!scale || !bias || !mean || !variance) throw new Refusal('its parameters are missing');
  if (node.int('training_mode', 0) === 1) {
    const axes = x.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
    const batch = normalized(lowering, x, axes, node.float('epsilon', 1e-5));
    lowering.result(node, lowering.add(lowering.mul(batch.y, scale), bias));
    // What is kept for inference moves towards what this batch has.
    const momentum = node.float('momentum', 0.9);
    [batch.mean, batch.variance].forEach((own, index) => {
      const output = node.outputs[index + 1];
      if (!output) return;
      const kept = lowering.mul(index === 0 ? mean : variance, momentum);
      const moved = lowering.add(kept, lowering.mul(own, 1 - momentum));
      lowering.define(output, lowering.reshape(moved, lowering.shape(output)));
    });
    return;
  }
  const factor = lowering.mul(scale, lowering.unary('RSQRT', lowering.add(variance, node.float('epsilon', 1e-5))));
  lowering.result(node, lowering.add(lowering.mul(lowering.sub(x, mean), factor), bias));
}

/** (x - mean) / sqrt(variance + epsilon) over axes, with what else of it is asked for. */
function normalized(
  lowering: Lowering,
  x: TflTensor,
  axes: readonly number[],
  epsilon: number,
): { y: TflTensor; mean: TflTensor; variance: TflTensor; inverse: TflTensor } {
  const mean = lowering.reduce('MEAN', x, axes);
  const centred = lowering.sub(x, mean);
  const variance = lowering.reduce('MEAN', lowering.mul(centred, centred), axes);
  const inverse = lowering.unary('RSQRT', lowering.add(variance, epsilon));
  return { y: lowering.mul(centred, inverse), mean, variance, inverse };
}

function spaceAxes(rank: number): number[] {
  return Array.from({ length: rank - 2 }, (_, axis) => axis + 2);
}

function instanceNormalization(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const rank = x.shape.length;
  const { y } = normalized(lowering, x, spaceAxes(rank), node.float('epsilon', 1e-5));
  const scale = perChannel(lowering, lowering.input(node, 1), rank);
  const bias = perChannel(lowering, lowering.input(node, 2), rank);
  lowering.result(node, lowering.add(lowering.mul(y, scale), bias));
}

/** Scale and bias are one per group before opset 21 and one per channel since. */
function groupNormalization(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const groups = node.int('num_groups', 1);
  const [n = 1, channels = 1] = x.shape;
  const rest = x.shape.slice(2).reduce((all, dim) => all * dim, 1);
  const apart = lowering.reshape(x, [n, groups, channels / groups, rest]);
  const { y } = normalized(lowering, apart, [2, 3], node.float('epsilon', 1e-5));
  const affine = (index: number): TflTensor => {
    const vector = lowering.tensor(lowering.input(node, index));
    const isPerGroup = (vector.shape[0] ?? 1) === groups && lowering.opset < 21;
    return lowering.reshape(vector, isPerGroup ? [1, groups, 1, 1] : [1, groups, channels / groups, 1]);
  };
  lowering.result(node, lowering.reshape(lowering.add(lowering.mul(y, affine(1)), affine(2)), x.shape));
}

function trailingAxes(node: Node, rank: number): number[] {
  const first = positive(node.int('axis', -1), rank);
  return Array.from({ length: rank - first }, (_, index) => first + index);
}

function affine(node: Node, lowering: Lowering, y: TflTensor, scale: number, bias: number): TflTensor {
  const scaleValue = lowering.optional(node, scale);
  const biasValue = lowering.optional(node, bias);
  const scaled = scaleValue === null ? y : lowering.mul(y, lowering.tensor(scaleValue));
  return biasValue === null ? scaled : lowering.add(scaled, lowering.tensor(biasValue));
}

function layerNormalization(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const axes = trailingAxes(node, x.shape.length);
  const { y, mean, inverse } = normalized(lowering, x, axes, node.float('epsilon', 1e-5));
  lowering.result(node, affine(node, lowering, y, 1, 2));
  if (node.outputs[1]) lowering.define(node.outputs[1], mean);
  if (node.outputs[2]) lowering.define(node.outputs[2], inverse);
}

function rms(
  lowering: Lowering,
  x: TflTensor,
  axes: readonly number[],
  epsilon: number,
): { y: TflTensor; inverse: TflTensor } {
  const square = lowering.reduce('MEAN', lowering.mul(x, x), axes);
  const inverse = lowering.unary('RSQRT', lowering.add(square, epsilon));
  return { y: lowering.mul(x, inverse), inverse };
}

function rmsNormalization(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const { y, inverse } = rms(lowering, x, trailingAxes(node, x.shape.length), node.float('epsilon', 1e-5));
  lowering.result(node, affine(node, lowering, y, 1, -1));
  if (node.outputs[1]) lowering.define(node.outputs[1], inverse);
}

/** The mean of squares less the square of the mean is what ONNX says; the centred form loses fewer digits. */
function meanVarianceNormalization(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const axes = (node.ints('axes') ?? [0, 2, 3]).map((axis) => positive(axis, x.shape.length));
  lowering.result(node, normalized(lowering, x, axes, 1e-9).y);
}

function lpNormalization(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const axis = positive(node.int('axis', -1), x.shape.length);
  const norm =
    node.int('p', 2) === 1
      ? lowering.reduce('SUM', lowering.unary('ABS', x), [axis])
      : lowering.unary('SQRT', lowering.reduce('SUM', lowering.mul(x, x), [axis]));
  // Where the norm is zero, so is everything that it divides.
  const safe = lowering.binary('MAXIMUM', norm, 1e-30);
  lowering.result(node, lowering.div(x, safe));
}

function localResponse(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const size = node.int('size', 1);
  if (x.shape.length !== 4 || size % 2 === 0) throw new Refusal('a window of an even size, or not over pictures');
  const last = lowering.transpose(x, channelsLast(4));
  const y = lowering.emit(
    'LOCAL_RESPONSE_NORMALIZATION',
    [last],
    { shape: last.shape, dtype: 'float32' },
    {
      radius: (size - 1) / 2,
      bias: node.float('bias', 1),
      alpha: node.float('alpha', 1e-4) / size,
      beta: node.float('beta', 0.75),
    },
  );
  lowering.result(node, lowering.transpose(y, channelsFirst(4)));
}
