/** MIL operations that normalise. Source: coremltools, ops/defs/iOS15/normalization.py. */
import type { Value } from '../../../graph/value.ts';
import { type Call, like, type Raise } from './raising.ts';

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

export const NORMALIZATION: Readonly<Record<string, Raise>> = {
  batch_norm: batchNorm,
  instance_norm: (call) =>
    call.raising.one('InstanceNormalization', [call.x(), call.x('gamma'), call.x('beta')], {
      epsilon: { float: call.number('epsilon', 1e-5) },
    }),
  layer_norm: layerNorm,
  local_response_norm: (call) =>
    call.raising.one('LRN', [call.x()], {
      size: call.number('size'),
      alpha: { float: call.number('alpha') },
      beta: { float: call.number('beta') },
      bias: { float: call.number('k') },
    }),
  softmax: (call) => call.raising.one('Softmax', [call.x()], { axis: call.number('axis', -1) }),
};
