/** The activations that recurrent layers name by word. Formulas and defaults are those of ONNX's LSTM page. */
import type { TflTensor } from '../ir.ts';
import { elu, softplus } from './activation.ts';
import type { Lowering } from './lowering.ts';
import { Refusal } from './terms.ts';

export type Activation = (lowering: Lowering, x: TflTensor) => TflTensor;

interface Kind {
  /** Defaults of the parameters that it takes. */
  readonly alpha?: number;
  readonly beta?: number;
  make(lowering: Lowering, x: TflTensor, alpha: number, beta: number): TflTensor;
}

const KINDS: Readonly<Record<string, Kind>> = {
  relu: { make: (lowering, x) => lowering.unary('RELU', x) },
  tanh: { make: (lowering, x) => lowering.unary('TANH', x) },
  sigmoid: { make: (lowering, x) => lowering.unary('LOGISTIC', x) },
  softsign: { make: (lowering, x) => lowering.div(x, lowering.add(lowering.unary('ABS', x), 1)) },
  softplus: { make: (lowering, x) => softplus(lowering, x) },
  affine: { alpha: 1, beta: 0, make: (lowering, x, alpha, beta) => lowering.add(lowering.mul(x, alpha), beta) },
  leakyrelu: { alpha: 0.01, make: (lowering, x, alpha) => lowering.unary('LEAKY_RELU', x, { alpha }) },
  thresholdedrelu: {
    alpha: 1,
    make: (lowering, x, alpha) =>
      lowering.mul(x, lowering.cast(lowering.binary('GREATER', x, alpha, 'bool'), 'float32')),
  },
  scaledtanh: {
    alpha: 1,
    beta: 1,
    make: (lowering, x, alpha, beta) => lowering.mul(lowering.unary('TANH', lowering.mul(x, beta)), alpha),
  },
  hardsigmoid: {
    alpha: 0.2,
    beta: 0.5,
    make: (lowering, x, alpha, beta) => lowering.clamp(lowering.add(lowering.mul(x, alpha), beta), 0, 1),
  },
  elu: { alpha: 1, make: (lowering, x, alpha) => elu(lowering, x, alpha) },
};

/** Takes its parameters from the front of the lists; the defaults where these are empty. Throws `Refusal` for other names. */
export function activationOf(name: string, alphas: number[], betas: number[]): Activation {
  const kind = KINDS[name.toLowerCase()];
  if (kind === undefined) throw new Refusal(`the activation ${name}`);
  const alpha = kind.alpha === undefined ? 0 : (alphas.shift() ?? kind.alpha);
  const beta = kind.beta === undefined ? 0 : (betas.shift() ?? kind.beta);
  return (lowering, x) => kind.make(lowering, x, alpha, beta);
}
