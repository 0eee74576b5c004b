/** MIL operations that work element by element. Source: coremltools, ops/defs/iOS15, activation.py and elementwise_*.py. */
import type { Value } from '../../../graph/value.ts';
import { type Call, like, onnxDType, type Raise, same, two } from './raising.ts';

const alpha =
  (opType: string): Raise =>
  (call) =>
    call.raising.one(opType, [call.x()], { alpha: { float: call.number('alpha') } });

function gelu(call: Call): Value {
  const mode = call.text('mode', 'EXACT');
  const { raising } = call;
  const x = call.x();
  if (mode === 'SIGMOID_APPROXIMATION')
    return raising.one('Mul', [x, raising.one('Sigmoid', [raising.one('Mul', [x, like(call, 1.702)])])]);
  return raising.one('Gelu', [x], { approximate: mode === 'TANH_APPROXIMATION' ? 'tanh' : 'none' });
}

function cast(call: Call): Value {
  const to = call.output().dtype;
  return call.raising.cast(call.x(), onnxDType(to));
}

export const ELEMENTWISE: Readonly<Record<string, Raise>> = {
  abs: same('Abs'),
  acos: same('Acos'),
  add: two('Add'),
  asin: same('Asin'),
  atan: same('Atan'),
  atanh: same('Atanh'),
  cast,
  ceil: same('Ceil'),
  clip: (call) =>
    call.raising.one('Clip', [call.x(), like(call, call.number('alpha')), like(call, call.number('beta'))]),
  cos: same('Cos'),
  cosh: same('Cosh'),
  elu: alpha('Elu'),
  equal: two('Equal'),
  erf: same('Erf'),
  exp: same('Exp'),
  floor: same('Floor'),
  /** Rounds to minus infinity; the quotient is taken in double precision. */
  floor_div: (call) => {
    const double = (name: string): Value => call.raising.one('Cast', [call.x(name)], { to: 11 });
    const quotient = call.raising.one('Floor', [call.raising.one('Div', [double('x'), double('y')])]);
    return call.raising.cast(quotient, onnxDType(call.output().dtype));
  },
  gelu,
  greater: two('Greater'),
  greater_equal: two('GreaterOrEqual'),
  identity: same('Identity'),
  leaky_relu: alpha('LeakyRelu'),
  less: two('Less'),
  less_equal: two('LessOrEqual'),
  log: (call) =>
    call.raising.one('Log', [call.raising.one('Add', [call.x(), like(call, call.number('epsilon', 1e-45))])]),
  logical_and: two('And'),
  logical_not: same('Not'),
  logical_or: two('Or'),
  logical_xor: two('Xor'),
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
  pow: two('Pow'),
  real_div: two('Div'),
  relu: same('Relu'),
  relu6: (call) => call.raising.one('Clip', [call.x(), like(call, 0), like(call, 6)]),
  round: same('Round'),
  rsqrt: (call) =>
    call.raising.one('Reciprocal', [
      call.raising.one('Sqrt', [call.raising.one('Add', [call.x(), like(call, call.number('epsilon', 1e-12))])]),
    ]),
  select: same('Where', 'cond', 'a', 'b'),
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
  softplus: same('Softplus'),
  softsign: same('Softsign'),
  sqrt: same('Sqrt'),
  square: (call) => call.raising.one('Mul', [call.x(), call.x()]),
  sub: two('Sub'),
  tan: same('Tan'),
  tanh: same('Tanh'),
  thresholded_relu: alpha('ThresholdedRelu'),
};
