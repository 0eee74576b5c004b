import { describe, expect, it } from 'vitest';
import { Random } from '../../../../native-workers/lib/random.ts';
import {
  descend,
  errorChange,
  type InputMoments,
} from '../../../../native-workers/passes/quantization/coordinate-descent.ts';

const SIZE = 6;
const random = new Random(3);

/**
 * Moments of rows whose elements are much alike, as neighbouring pixels are, and the expected error with each given row when every
 * element is read with noise of that variance.
 */
function alikeRows(noise: number): {
  moments: InputMoments;
  errorOf(weight: Float64Array, restored: readonly number[]): number;
} {
  const rows = Array.from({ length: 200 }, () => {
    const common = random.normal();
    return Array.from({ length: SIZE }, () => common + 0.1 * random.normal());
  });
  const products = Float32Array.from({ length: SIZE * SIZE }, (_, at) =>
    rows.reduce((sum, row) => sum + ((row[Math.floor(at / SIZE)] ?? 0) * (row[at % SIZE] ?? 0)) / rows.length, 0),
  );
  const power = (values: readonly number[]): number => values.reduce((sum, value) => sum + value * value, 0);
  return {
    moments: { size: SIZE, products, noise },
    errorOf: (weight, restored) => {
      const sums = rows.map((row) => row.reduce((sum, x, i) => sum + x * ((restored[i] ?? 0) - (weight[i] ?? 0)), 0));
      return power(sums) / rows.length + noise * power(restored);
    },
  };
}

const weightOf = (): Float64Array => Float64Array.from({ length: SIZE }, () => random.normal());
const nearest = (weight: Float64Array, scale: number): Int8Array =>
  Int8Array.from(weight, (value) => Math.round(value / scale));
const restore = (codes: Int8Array, scale: number): number[] => Array.from(codes, (code) => code * scale);

describe('coordinate descent', () => {
  it('tells how the error of the products changes', () => {
    const { moments, errorOf } = alikeRows(0.05);
    const weight = weightOf();
    const before = { codes: nearest(weight, 0.3), scale: 0.3 };
    const after = { codes: nearest(weight, 0.4), scale: 0.4 };
    const [one, other] = [before, after].map(({ codes, scale }) => errorOf(weight, restore(codes, scale)));
    const change = errorChange(weight, before, after, moments);
    expect(change / ((other ?? 0) - (one ?? 0))).toBeCloseTo(1, 4);
  });

  it('finds codes that no single other code improves, at a fraction of the error', () => {
    const { moments, errorOf } = alikeRows(0.0001);
    let before = 0;
    let after = 0;
    for (let trial = 0; trial < 20; trial++) {
      const weight = weightOf();
      const codes = nearest(weight, 0.3);
      before += errorOf(weight, restore(codes, 0.3));
      const scale = descend(weight, codes, 0.3, moments, 0, true);
      expect(scale).toBe(0.3);
      const found = errorOf(weight, restore(codes, scale));
      after += found;
      for (let index = 0; index < SIZE; index++) {
        for (const step of [-1, 1]) {
          const other = Int8Array.from(codes);
          other[index] = (other[index] ?? 0) + step;
          expect(errorOf(weight, restore(other, scale))).toBeGreaterThan(found * (1 - 1e-4));
        }
      }
    }
    expect(after).toBeLessThan(before / 4);
  });

  it('fits the scale, but not below the least', () => {
    const { moments, errorOf } = alikeRows(0);
    const weight = weightOf();
    const fixed = nearest(weight, 0.3);
    descend(weight, fixed, 0.3, moments, 0, true);
    const free = nearest(weight, 0.3);
    const scale = descend(weight, free, 0.3, moments, 0, false);
    expect(scale).not.toBe(0.3);
    expect(errorOf(weight, restore(free, scale))).toBeLessThanOrEqual(errorOf(weight, restore(fixed, 0.3)));
    expect(descend(weight, nearest(weight, 0.3), 0.3, moments, 0.3, false)).toBeGreaterThanOrEqual(0.3);
  });

  it('leaves elements alone that the data never shows', () => {
    const moments = { size: 2, products: Float32Array.of(4, 0, 0, 0), noise: 0 };
    const codes = Int8Array.of(3, 7);
    expect(descend(Float64Array.of(3.2, 7.1), codes, 1, moments, 0, true)).toBe(1);
    expect([...codes]).toEqual([3, 7]);
  });
});
