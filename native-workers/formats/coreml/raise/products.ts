/** Products of matrices. Source: coremltools, ops/defs/iOS15/linear.py. */
import type { Value } from '../../../graph/value.ts';
import { attention } from './attention.ts';
import type { Call, Raise } from './raising.ts';

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

export const PRODUCTS: Readonly<Record<string, Raise>> = {
  linear,
  matmul,
  scaled_dot_product_attention: attention,
};
