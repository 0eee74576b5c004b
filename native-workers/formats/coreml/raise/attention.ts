/** Attention of iOS 18. Source: coremltools, ops/defs/iOS18/transformers.py. */
import type { Value } from '../../../graph/value.ts';
import { type Call, onnxDType } from './raising.ts';

/** softmax(query * key^T / sqrt(size of a head) + mask) * value; of flags, true is looked at. */
export function attention(call: Call): Value {
  const { raising } = call;
  const dtype = onnxDType(call.type('query').dtype);
  const size = call.type('query').shape.at(-1) ?? 1;
  const rank = call.rank('key');
  const perm = Array.from({ length: rank }, (_, axis) => axis);
  [perm[rank - 2], perm[rank - 1]] = [rank - 1, rank - 2];
  const scaled = raising.one('Div', [call.x('query'), raising.scalar(dtype, Math.sqrt(size))]);
  let scores = raising.one('MatMul', [scaled, raising.one('Transpose', [call.x('key')], { perm })]);
  if (call.has('attn_mask')) {
    const mask = call.x('attn_mask');
    const isFlag = call.type('attn_mask').dtype === 'bool';
    const [zero, least] = [raising.scalar(dtype, 0), raising.scalar(dtype, -Infinity)];
    scores = raising.one('Add', [scores, isFlag ? raising.one('Where', [mask, zero, least]) : mask]);
  }
  return raising.one('MatMul', [raising.one('Softmax', [scores], { axis: -1 }), call.x('value')]);
}
