/** Activations of recurrent layers: by name where MIL's layers have them, as operations where a layer is written step by step. */
import type { Node } from '../../../graph/node.ts';
import type { MilValue } from '../program.ts';
import { compare, plus, select, times } from './builders.ts';
import type { Lowering } from './lowering.ts';
import { Refusal } from './terms.ts';

export interface Activation {
  /** In lower case. */
  readonly name: string;
  readonly alpha: number;
  readonly beta: number;
}

/** Parameters where none are given; a name without any takes none from the lists. Source: onnx Operators.md, LSTM, and its operators. */
const DEFAULTS: Readonly<Record<string, readonly number[]>> = {
  relu: [],
  tanh: [],
  sigmoid: [],
  softsign: [],
  softplus: [],
  affine: [1, 0],
  leakyrelu: [0.01],
  thresholdedrelu: [1],
  scaledtanh: [1, 1],
  hardsigmoid: [0.2, 0.5],
  elu: [1],
};

/** In the order of the node; `names` where it says none. The lists of parameters go on where an activation has one. */
export function activationsOf(node: Node, names: readonly string[]): Activation[] {
  const given = node.attributes.get('activations');
  const named = given?.type === 'strings' ? given.value.map((text) => new TextDecoder().decode(text)) : names;
  const alphas = [...(node.floats('activation_alpha') ?? [])];
  const betas = [...(node.floats('activation_beta') ?? [])];
  return named.map((text) => {
    const name = text.toLowerCase();
    const parameters = DEFAULTS[name];
    if (parameters === undefined) throw new Refusal(`there is no activation ${text} of a recurrent layer`);
    const [alpha = 0, beta = 0] = parameters;
    return {
      name,
      alpha: parameters.length > 0 ? (alphas.shift() ?? alpha) : 0,
      beta: parameters.length > 1 ? (betas.shift() ?? beta) : 0,
    };
  });
}

/**
 * What a layer of MIL calls it; null when it has none. The layers compute hard sigmoids as 0.2 x + 0.5, LSTM and RNN under
 * different names, and GRU says nothing of it. Source: coremltools, ops/defs/iOS15/recurrent.py and its tests.
 */
export function layerName({ name, alpha, beta }: Activation, layer: 'lstm' | 'gru' | 'rnn'): string | null {
  if (name === 'sigmoid' || name === 'tanh' || name === 'relu') return name;
  const isUsual = Math.abs(alpha - 0.2) < 1e-6 && beta === 0.5;
  if (name !== 'hardsigmoid' || !isUsual || layer === 'gru') return null;
  return layer === 'lstm' ? 'hard_sigmoid' : 'sigmoid_hard';
}

export function activate(lowering: Lowering, { name, alpha, beta }: Activation, x: MilValue): MilValue {
  const parameters = (count: number): Record<string, MilValue> => ({
    x,
    alpha: lowering.float(alpha, 'alpha'),
    ...(count > 1 ? { beta: lowering.float(beta, 'beta') } : {}),
  });
  switch (name) {
    case 'affine':
      return plus(lowering, times(lowering, x, alpha), beta);
    case 'scaledtanh':
      return times(lowering, lowering.unary('tanh', times(lowering, x, beta)), alpha);
    case 'thresholdedrelu': {
      const above = compare(lowering, 'greater', x, lowering.float(alpha));
      return select(lowering, above, x, lowering.float(0));
    }
    case 'hardsigmoid':
      return lowering.op('sigmoid_hard', parameters(2), x.type);
    case 'leakyrelu':
      return lowering.op('leaky_relu', parameters(1), x.type);
    case 'elu':
      return lowering.op('elu', parameters(1), x.type);
    default:
      return lowering.unary(name, x);
  }
}
