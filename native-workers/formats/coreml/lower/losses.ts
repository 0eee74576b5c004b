/** Losses of training, which some exported models still carry. */
import type { Node } from '../../../graph/node.ts';
import type { MilValue } from '../program.ts';
import {
  compare,
  expandDims,
  gather,
  gatherAlongAxis,
  logSoftmax,
  reduce,
  select,
  squeeze,
  times,
} from './builders.ts';
import type { Lower, Lowering } from './lowering.ts';
import { staticDims } from './terms.ts';

/** -weight[target] * log probability of the target, reduced. Source: onnx Operators.md, NegativeLogLikelihoodLoss. */
function likelihoodLoss(node: Node, lowering: Lowering, logs: MilValue): void {
  const target = lowering.get(node, 1);
  const { shape } = target.type;
  if (shape.length <= 3) {
    reducedLoss(node, lowering, logs, target);
    return;
  }
  // Further dimensions are one, so that there is room to look the classes up.
  const [batch = 1, classes = 1] = staticDims(logs.type.shape, 'a loss of several dimensions');
  const flat = [lowering.reshape(logs, [batch, classes, -1]), lowering.reshape(target, [batch, -1])] as const;
  reducedLoss(node, lowering, ...flat, (loss) => lowering.reshape(loss, staticDims(shape, 'the classes')));
}

/** logs: [batch, classes, ...], given: [batch, ...]; `whole` gives a loss that is not reduced its shape. */
function reducedLoss(
  node: Node,
  lowering: Lowering,
  logs: MilValue,
  given: MilValue,
  whole: (loss: MilValue) => MilValue = (loss) => loss,
): void {
  const ignored = node.attributes.has('ignore_index') ? node.int('ignore_index', 0) : null;
  const isKept =
    ignored === null ? null : lowering.cast(compare(lowering, 'not_equal', given, lowering.int(ignored)), 'int32');
  // An ignored class may be no class at all: 0 is looked up instead.
  const target = isKept === null ? given : lowering.binary('mul', given, isKept);
  const picked = squeeze(lowering, gatherAlongAxis(lowering, logs, expandDims(lowering, target, [1]), 1), [1]);
  let weight = node.inputs[2] ? gather(lowering, lowering.get(node, 2), target, 0) : null;
  if (isKept !== null) {
    const kept = lowering.cast(isKept, 'fp32');
    weight = weight === null ? kept : lowering.binary('mul', weight, kept);
  }
  let loss = times(lowering, picked, -1);
  if (weight !== null) {
    // An infinite loss of what is ignored must not become a NaN.
    const zero = compare(lowering, 'equal', weight, lowering.float(0));
    loss = select(lowering, zero, lowering.float(0), lowering.binary('mul', loss, weight));
  }
  const reduction = node.string('reduction', 'mean');
  const all = loss.type.shape.map((_, axis) => axis);
  if (reduction === 'none') lowering.result(node, whole(loss));
  else if (reduction === 'sum') lowering.result(node, reduce(lowering, 'reduce_sum', loss, all, false));
  else if (weight === null) lowering.result(node, reduce(lowering, 'reduce_mean', loss, all, false));
  else {
    const sum = reduce(lowering, 'reduce_sum', loss, all, false);
    lowering.result(node, lowering.binary('real_div', sum, reduce(lowering, 'reduce_sum', weight, all, false)));
  }
}

/** The classes are the second dimension. */
function negativeLogLikelihood(node: Node, lowering: Lowering): void {
  likelihoodLoss(node, lowering, lowering.get(node, 0));
}

function softmaxCrossEntropy(node: Node, lowering: Lowering): void {
  const logs = logSoftmax(lowering, lowering.get(node, 0), 1);
  likelihoodLoss(node, lowering, logs);
  if (node.outputs[1]) lowering.set(node.outputs[1], lowering.op('identity', { x: logs }, logs.type));
}

export const LOSSES: Readonly<Record<string, Lower>> = {
  NegativeLogLikelihoodLoss: negativeLogLikelihood,
  SoftmaxCrossEntropyLoss: softmaxCrossEntropy,
};
