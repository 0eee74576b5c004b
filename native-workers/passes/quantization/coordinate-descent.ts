/**
 * Rounds one row of a weight so that its products change least, not its elements: minimises |w x - s q x^|^2 over the data for
 * the integers q and the scale s, where x is the layer's input and x^ the same quantized. All it needs of the data is
 * H = sum x^ x^T and C = sum x^ x^T.
 *
 * Cyclic coordinate descent over the integers (QuantEase, Behdin et al. 2023), from the nearest ones on: each step takes the best
 * integer for one element while the others stay, so the error never grows, and no factorisation and no damping of a singular H
 * is needed, as GPTQ's closed form would (Frantar et al. 2022).
 */

/** Sums over the rows of the data, row-major, `size` x `size`. */
export interface Moments {
  readonly size: number;
  /** sum x^_i x^_j. */
  readonly quantized: Float32Array;
  /** sum x^_i x_j. */
  readonly mixed: Float32Array;
}

/** Sweeps over a row; the changes die out after two or three. */
const SWEEPS = 4;

/**
 * By how much the squared error of the products grows when the restored weights `before` become `after`: with d their difference,
 * d^T H (before + after) - 2 d^T C w.
 */
export function errorChange(
  weight: Float64Array,
  before: Float64Array,
  after: Float64Array,
  { size, quantized, mixed }: Moments,
): number {
  const both = before.map((value, index) => value + (after[index] as number));
  let change = 0;
  for (let i = 0; i < size; i++) {
    const difference = (after[i] as number) - (before[i] as number);
    if (difference === 0) continue;
    let sum = 0;
    for (let j = 0, at = i * size; j < size; j++, at++)
      sum += (quantized[at] as number) * (both[j] as number) - 2 * (mixed[at] as number) * (weight[j] as number);
    change += difference * sum;
  }
  return change;
}

/** Improves `codes` in place; returns the scale that fits them, or `scale` where `keepScale` or the fit would be below `minimum`. */
export function descend(
  weight: Float64Array,
  codes: Int8Array,
  scale: number,
  moments: Moments,
  minimum: number,
  keepScale: boolean,
): number {
  const { size, quantized, mixed } = moments;
  const target = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    let sum = 0;
    for (let j = 0, at = i * size; j < size; j++, at++) sum += (mixed[at] as number) * (weight[j] as number);
    target[i] = sum;
  }
  // The products of H and the codes, kept up as codes change.
  const reached = new Float64Array(size);
  for (let j = 0; j < size; j++) {
    const code = codes[j] as number;
    if (code === 0) continue;
    for (let i = 0, at = j * size; i < size; i++, at++)
      reached[i] = (reached[i] as number) + (quantized[at] as number) * code;
  }
  let fitted = scale;
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let changes = 0;
    for (let i = 0; i < size; i++) {
      const power = quantized[i * size + i] as number;
      if (!(power > 0)) continue;
      const before = codes[i] as number;
      const step = ((target[i] as number) / fitted - (reached[i] as number)) / power;
      const after = Math.max(-127, Math.min(127, before + Math.round(step)));
      if (after === before) continue;
      codes[i] = after;
      changes++;
      for (let j = 0, at = i * size; j < size; j++, at++)
        reached[j] = (reached[j] as number) + (quantized[at] as number) * (after - before);
    }
    if (!keepScale) {
      let cross = 0;
      let power = 0;
      for (let i = 0; i < size; i++) {
        cross += (codes[i] as number) * (target[i] as number);
        power += (codes[i] as number) * (reached[i] as number);
      }
      const best = Math.fround(cross / power);
      if (power > 0 && best >= minimum && best > 0 && Math.abs(best / scale - 1) < 0.5) fitted = best;
    }
    if (changes === 0) break;
  }
  return fitted;
}
