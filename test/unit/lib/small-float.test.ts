import { describe, expect, it } from 'vitest';
import { SMALL_FLOATS } from '../../../native-workers/lib/small-float.ts';

describe('small floats', () => {
  it('have the ranges of their definitions', () => {
    const largest = Object.fromEntries(
      Object.entries(SMALL_FLOATS).map(([name, { values }]) => [
        name,
        Math.max(...[...values].filter(Number.isFinite)),
      ]),
    );
    expect(largest).toEqual({
      float8e4m3fn: 448,
      float8e4m3fnuz: 240,
      float8e5m2: 57344,
      float8e5m2fnuz: 57344,
      float8e8m0: 2 ** 127,
      float4e2m1: 6,
    });
    expect([...SMALL_FLOATS.float4e2m1.values]).toEqual([
      0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6,
    ]);
  });

  it('come back from every code', () => {
    for (const { values, encode } of Object.values(SMALL_FLOATS)) {
      values.forEach((value, code) => {
        if (Number.isFinite(value)) expect(encode(value)).toBe(code);
      });
    }
  });

  it('round to nearest, ties to even, and saturate', () => {
    const { encode, values } = SMALL_FLOATS.float8e4m3fn;
    expect(values[encode(1e9)]).toBe(448);
    expect(values[encode(-1e9)]).toBe(-448);
    expect(values[encode(1.0625)]).toBe(1);
    expect(values[encode(1.1875)]).toBe(1.25);
    expect(values[encode(Number.NaN)]).toBeNaN();
    expect(SMALL_FLOATS.float8e5m2.values[0x7c]).toBe(Number.POSITIVE_INFINITY);
    expect(SMALL_FLOATS.float8e4m3fnuz.encode(-0)).toBe(0);
  });
});
