/**
 * Rounds one row of a weight so that its products change least, not its elements: minimises |w x - s q x^|^2 over the data for
 * the integers q and the scale s, where x is the layer's input and x^ = x + e the same rounded. All it needs of the data is
 * E[x x^T]: as the noise e is independent of x, E[x^ x^T] is the same and E[x^ x^^T] = H has its variance on the diagonal.
 *
 * Cyclic coordinate descent over the integers (QuantEase, Behdin et al. 2023), from the nearest ones on: each step takes the best
 * integer for one element while the others stay, so the error never grows, and no factorisation and no damping of a singular H
 * is needed, as GPTQ's closed form would (Frantar et al. 2022).
 */
import type { Moments } from '../../calibrate/layer-moments.ts';

/** What the data has of the layer's input. */
export interface InputMoments extends Moments {
  /** Variance that rounding adds to each element of the input: step^2/12. */
  readonly noise: number;
}

/** Sweeps over a row; the changes die out after two or three. */
const SWEEPS = 4;

/** Codes of a row with their scale. */
export interface ScaledCodes {
  readonly codes: Int8Array;
  readonly scale: number;
}

/**
 * By how much the squared error of the products grows when the weights restored from `before` become those from `after`: with d
 * their difference, d^T H (before + after) - 2 d^T E[x x^T] w.
 */
export function errorChange(
  weight: Float64Array,
  before: ScaledCodes,
  after: ScaledCodes,
  { size, products, noise }: InputMoments,
): number {
  const both = new Float64Array(size);
  const excess = new Float64Array(size);
  const difference = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    const [one, other] = [(before.codes[i] as number) * before.scale, (after.codes[i] as number) * after.scale];
    both[i] = one + other;
    difference[i] = other - one;
    excess[i] = one + other - 2 * (weight[i] as number);
  }
  let change = 0;
  for (let i = 0; i < size; i++) {
    if (difference[i] === 0) continue;
    let sum = noise * (both[i] as number);
    for (let j = 0, at = i * size; j < size; j++, at++) sum += (products[at] as number) * (excess[j] as number);
    change += (difference[i] as number) * sum;
  }
  return change;
}

/** Improves `codes` in place; returns the scale that fits them, or `scale` where `keepScale` or the fit would be below `minimum`. */
export function descend(
  weight: Float64Array,
  codes: Int8Array,
  scale: number,
  moments: InputMoments,
  minimum: number,
  keepScale: boolean,
): number {
  const { size, products, noise } = moments;
  const target = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    let sum = 0;
    for (let j = 0, at = i * size; j < size; j++, at++) sum += (products[at] as number) * (weight[j] as number);
    target[i] = sum;
  }
  // The products of H and the codes, kept up as codes change.
  const reached = new Float64Array(size);
  const add = (into: Float64Array, column: number, change: number): void => {
    for (let i = 0, at = column * size; i < size; i++, at++)
      into[i] = (into[i] as number) + (products[at] as number) * change;
    into[column] = (into[column] as number) + noise * change;
  };
  for (let j = 0; j < size; j++) {
    const code = codes[j] as number;
    if (code === 0) continue;
    add(reached, j, code);
  }
  let fitted = scale;
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let changes = 0;
    for (let i = 0; i < size; i++) {
      const power = (products[i * size + i] as number) + noise;
      if (!(power > 0)) continue;
      const before = codes[i] as number;
      const step = ((target[i] as number) / fitted - (reached[i] as number)) / power;
      const after = Math.max(-127, Math.min(127, before + Math.round(step)));
      if (after === before) continue;
      codes[i] = after;
      changes++;
      add(reached, i, after - before);
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
