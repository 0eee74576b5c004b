import { describe, expect, it } from 'vitest';
import { median, quantile, studentQuantile } from '../../../native-workers/bench/distribution.ts';

describe('distribution', () => {
  it('interpolates quantiles as R does', () => {
    const sorted = Float64Array.of(1, 2, 4, 8);
    expect([0, 0.25, 0.5, 0.9, 1].map((share) => quantile(sorted, share))).toEqual([
      1,
      1.75,
      3,
      expect.closeTo(6.8),
      8,
    ]);
    expect(median([5, 1, 3])).toBe(3);
    expect(median([])).toBeNaN();
  });

  // Tables of Student's t: Abramowitz and Stegun, table 26.10.
  it.each([
    [1, 0.975, 12.706],
    [2, 0.975, 4.303],
    [3, 0.975, 3.182],
    [4, 0.975, 2.776],
    [9, 0.975, 2.262],
    [10, 0.975, 2.228],
    [120, 0.975, 1.98],
    [1, 0.9995, 636.619],
    [3, 0.9995, 12.924],
    [8, 0.9995, 5.041],
    [30, 0.9995, 3.646],
  ])('knows the quantile of Student’s t with %i degrees at %f', (degrees, share, expected) => {
    expect(studentQuantile(share, degrees)).toBeCloseTo(expected, 2);
  });
});
