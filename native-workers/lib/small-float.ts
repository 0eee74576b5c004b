/**
 * Floats of 8 and 4 bits. Each has so few values that decoding is a table and encoding a search in it. Sources: ONNX's
 * docs/technical/float8.md (Micikevicius et al. 2022, arXiv:2209.05433; Noune et al. 2022, arXiv:2206.02915 for the "uz"
 * forms) and float4.md (Open Compute Project, Microscaling Formats 1.0, also for e8m0).
 */

export interface SmallFloat {
  /** The value of each code. */
  readonly values: Float32Array;
  /** The code of the nearest value, ties to the even code; what is too large becomes the largest finite value. */
  encode(value: number): number;
}

/** Magnitudes of codes without their sign: `2^(exponent - bias) * 1.mantissa`, and subnormal ones below. */
function magnitude(code: number, mantissaBits: number, bias: number): number {
  const exponent = code >> mantissaBits;
  const fraction = (code & ((1 << mantissaBits) - 1)) / (1 << mantissaBits);
  return exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias);
}

/**
 * `finite`: how many codes from 0 on are finite magnitudes. `nan`: code of the not-a-number without sign, or with it for the
 * "uz" forms, which have no negative zero and use its code.
 */
function signed(
  bits: number,
  mantissaBits: number,
  bias: number,
  finite: number,
  special: 'fn' | 'uz' | 'ieee' | 'none',
): SmallFloat {
  const half = 1 << (bits - 1);
  const values = new Float32Array(2 * half);
  for (let code = 0; code < half; code++) {
    const infinite = special === 'ieee' && code === finite ? Number.POSITIVE_INFINITY : Number.NaN;
    const value = code < finite ? magnitude(code, mantissaBits, bias) : infinite;
    values[code] = value;
    values[half + code] = -value;
  }
  if (special === 'uz') values[half] = Number.NaN;
  const nan = special === 'uz' ? half : special === 'none' ? 0 : half - 1;
  const magnitudes = values.subarray(0, finite);
  return {
    values,
    encode(value): number {
      if (Number.isNaN(value)) return nan;
      const code = nearest(magnitudes, Math.abs(value));
      const negative = value < 0 || Object.is(value, -0);
      return negative && !(special === 'uz' && code === 0) ? half + code : code;
    },
  };
}

/** Index of the nearest of ascending values; ties go to the even index. */
function nearest(values: Float32Array, wanted: number): number {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((values[middle] ?? 0) <= wanted) low = middle;
    else high = middle - 1;
  }
  const below = values[low] ?? 0;
  const above = values[low + 1];
  if (above === undefined) return low;
  const middle = (below + above) / 2;
  return wanted > middle || (wanted === middle && low % 2 === 1) ? low + 1 : low;
}

/** A power of two for each code, no sign, no zero; 255 is no number. */
function powers(): SmallFloat {
  const values = new Float32Array(256);
  for (let code = 0; code < 255; code++) values[code] = 2 ** (code - 127);
  values[255] = Number.NaN;
  const finite = values.subarray(0, 255);
  return { values, encode: (value) => (Number.isNaN(value) || value < 0 ? 255 : nearest(finite, value)) };
}

export const SMALL_FLOATS = {
  float8e4m3fn: signed(8, 3, 7, 127, 'fn'),
  float8e4m3fnuz: signed(8, 3, 8, 128, 'uz'),
  float8e5m2: signed(8, 2, 15, 124, 'ieee'),
  float8e5m2fnuz: signed(8, 2, 16, 128, 'uz'),
  float8e8m0: powers(),
  float4e2m1: signed(4, 1, 1, 8, 'none'),
} as const;
