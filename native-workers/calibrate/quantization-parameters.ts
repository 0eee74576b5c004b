/**
 * Affine quantization: real = scale * (code - zeroPoint). The rules are ONNX's and ONNX Runtime's (quant_utils.py):
 * a range always contains 0, so that padding and ReLU zeros are exact, and codes round half to even.
 */

/** A closed interval of real values. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

export type QuantizedType = 'uint8' | 'int8' | 'uint16' | 'int16';

/** Lowest and highest code. Symmetric int8 and int16 leave out the lowest, so that the codes are symmetric around 0. */
export const CODES: Record<QuantizedType, { readonly low: number; readonly high: number }> = {
  uint8: { low: 0, high: 255 },
  int8: { low: -128, high: 127 },
  uint16: { low: 0, high: 65535 },
  int16: { low: -32768, high: 32767 },
};

export interface QuantizationParameters {
  readonly type: QuantizedType;
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Parameters that cover `range`. A range of nothing but zero gets scale 1. */
export function parametersFor(range: Range, type: QuantizedType, symmetric: boolean): QuantizationParameters {
  const { low, high } = CODES[type];
  const min = Math.min(range.min, 0);
  const max = Math.max(range.max, 0);
  if (symmetric) {
    const bound = Math.max(-min, max);
    const zeroPoint = type.startsWith('u') ? (high + 1) / 2 : 0;
    return { type, scale: positive(bound / Math.min(high - zeroPoint, zeroPoint - low || high)), zeroPoint };
  }
  const scale = positive((max - min) / (high - low));
  return { type, scale, zeroPoint: clamp(roundHalfEven(low - min / scale), low, high) };
}

/** The interval that the codes of `parameters` stand for. */
export function rangeOf(parameters: QuantizationParameters): Range {
  const { low, high } = CODES[parameters.type];
  return {
    min: (low - parameters.zeroPoint) * parameters.scale,
    max: (high - parameters.zeroPoint) * parameters.scale,
  };
}

/** Scales are stored as float32; one that would underflow there is as good as no range at all. */
function positive(scale: number): number {
  const stored = Math.fround(scale);
  return stored > 1.2e-38 && Number.isFinite(stored) ? stored : 1;
}

export function clamp(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}

/** At this size a double has no fraction left, and adding rounds it away by its own rule: to nearest, halves to even. */
const NO_FRACTION = 1.5 * 2 ** 52;

/** Rounds to the nearest integer, halves to the even one, as QuantizeLinear does. Exact below 2^51; larger values may be off by one. */
export function roundHalfEven(value: number): number {
  return value + NO_FRACTION - NO_FRACTION;
}
