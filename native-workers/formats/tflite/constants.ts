/** Quantized constants as real numbers. */
import { toNumbers } from '../../graph/tensor-values.ts';
import type { TflTensor } from './ir.ts';

/** The real values of quantized constants. */
export function realConstant(tensor: TflTensor): number[] {
  const codes = tensor.constant === null ? [] : toNumbers(tensor.constant);
  const { scales, zeroPoints, axis } = tensor.quantization ?? { scales: [1], zeroPoints: [0], axis: 0 };
  const inner = tensor.shape.slice(axis + 1).reduce((all, dim) => all * dim, 1);
  return codes.map((code, at) => {
    const channel = scales.length === 1 ? 0 : Math.floor(at / inner) % scales.length;
    return (code - (zeroPoints[channel] ?? 0)) * (scales[channel] ?? 1);
  });
}
