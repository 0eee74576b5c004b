/** Losses: the share that the target picks. Formulas are those of ONNX's operator pages. */
import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
import type { Lowering } from './lowering.ts';
import type { Lower } from './registry.ts';

export const LOSS_LOWERINGS: Readonly<Record<string, Lower>> = {
  NegativeLogLikelihoodLoss: (node, lowering) => {
    lowering.result(node, negativeLogLikelihood(node, lowering, byClass(lowering, lowering.read(node, 0))));
  },
  SoftmaxCrossEntropyLoss: softmaxCrossEntropy,
};

/** [N, C, ...] as [N, C, D]. */
function byClass(lowering: Lowering, x: TflTensor): TflTensor {
  const [batch = 1, classes = 1, ...rest] = x.shape;
  return lowering.reshape(x, [batch, classes, rest.reduce((all, dim) => all * dim, 1)]);
}

function softmaxCrossEntropy(node: Node, lowering: Lowering): void {
  const scores = lowering.read(node, 0);
  const x = lowering.transpose(byClass(lowering, scores), [0, 2, 1]);
  const logs = lowering.transpose(lowering.unary('LOG_SOFTMAX', x), [0, 2, 1]);
  lowering.result(node, negativeLogLikelihood(node, lowering, logs));
  if (node.outputs[1]) lowering.define(node.outputs[1], lowering.reshape(logs, scores.shape));
}

/** -x at the target's class times the class's weight; the mean is that over the sum of the weights. `x`: [N, C, D]. */
function negativeLogLikelihood(node: Node, lowering: Lowering, x: TflTensor): TflTensor {
  const [batch = 1, classes = 1, places = 1] = x.shape;
  const target = lowering.reshape(lowering.cast(lowering.read(node, 1), 'int32'), [batch, places]);
  const values = [target, lowering.scalar(classes, 'int32'), lowering.scalar(1), lowering.scalar(0)];
  const picked = lowering.emit('ONE_HOT', values, { shape: x.shape, dtype: 'float32' }, { axis: 1 });
  const ignored = node.attributes.has('ignore_index') ? node.int('ignore_index', 0) : null;
  const weights = lowering.optional(node, 2) === null ? null : lowering.read(node, 2);
  let share = weights === null ? picked : lowering.mul(picked, lowering.reshape(weights, [classes, 1]));
  if (ignored !== null && ignored >= 0 && ignored < classes) {
    const isCounted = lowering.cast(lowering.binary('NOT_EQUAL', target, ignored, 'bool'), 'float32');
    share = lowering.mul(share, lowering.reshape(isCounted, [batch, 1, places]));
  }
  // A selection first: the logarithm of a class that is not picked may be infinite.
  const isPicked = lowering.binary('GREATER', picked, 0, 'bool');
  const chosen = lowering.mul(lowering.select(isPicked, x, lowering.scalar(0)), share);
  const loss = lowering.mul(lowering.reduce('SUM', chosen, [1]), -1);
  const { shape } = lowering.resultType(node);
  const reduction = node.string('reduction', 'mean');
  if (reduction === 'none') return lowering.reshape(loss, shape);
  const total = lowering.reshape(lowering.reduce('SUM', loss, [0, 1, 2]), shape);
  if (reduction === 'sum') return total;
  if (weights === null && ignored === null) return lowering.mul(total, 1 / (batch * places));
  return lowering.div(total, lowering.reshape(lowering.reduce('SUM', share, [0, 1, 2]), shape));
}
