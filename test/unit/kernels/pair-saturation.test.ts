import { describe, expect, it } from 'vitest';
import { pairSaturation, riskyPairs } from '../../../native-workers/kernels/pair-saturation.ts';
import { Random } from '../../../native-workers/lib/random.ts';

/** vpmaddubsw and vpmaddwd, written out. */
function saturatedSum(codes: Uint8Array, weights: Int8Array): number {
  let sum = 0;
  for (let index = 0; index < codes.length; index += 2) {
    const pair = (codes[index] ?? 0) * (weights[index] ?? 0) + (codes[index + 1] ?? 0) * (weights[index + 1] ?? 0);
    sum += Math.min(32767, Math.max(-32768, pair));
  }
  return sum;
}

const plainSum = (codes: Uint8Array, weights: Int8Array): number =>
  codes.reduce((sum, code, index) => sum + code * (weights[index] ?? 0), 0);

describe('pairSaturation', () => {
  it.each([2, 7, 64])('is the saturated sum less the true one, for rows of %i', (length) => {
    const random = new Random(length);
    const rows = 5;
    const weights = Int8Array.from({ length: rows * length }, () => Math.round((random.float() * 2 - 1) * 127));
    const codes = Uint8Array.from({ length }, () => 128 + Math.floor(random.float() * 128));
    const excess = new Float32Array(rows);
    pairSaturation(codes, riskyPairs(weights, length), 0, rows, excess, 0, 1);
    for (let row = 0; row < rows; row++) {
      const own = weights.subarray(row * length, (row + 1) * length);
      expect(excess[row]).toBe(saturatedSum(codes, own) - plainSum(codes, own));
    }
  });

  it('lists no pair that stays inside int16 for every code', () => {
    expect(riskyPairs(Int8Array.of(127, -127, 64, 64, -64, -64, 100, 28), 8).at.length).toBe(0);
    expect([...riskyPairs(Int8Array.of(1, 2, 127, 127, -127, -100), 6).at]).toEqual([2, 4]);
  });

  it('counts what saturates and starts at the row it is told', () => {
    const pairs = riskyPairs(Int8Array.of(1, 1, 127, 127), 2);
    const excess = new Float32Array(3);
    expect(pairSaturation(Uint8Array.of(255, 255), pairs, 1, 1, excess, 2, 1)).toBe(1);
    expect([...excess]).toEqual([0, 0, 32767 - 255 * 254]);
  });
});
