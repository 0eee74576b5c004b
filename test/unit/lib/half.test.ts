import { describe, expect, it } from 'vitest';
import {
  addHalfLosses,
  bfloat16ToFloat,
  float16ToFloat32Bytes,
  float32ToFloat16Bytes,
  float32View,
  floatToBfloat16,
  floatToHalf,
  halfToFloat,
  noHalfLosses,
} from '../../../native-workers/lib/half.ts';

const bytesOf = (values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

describe('half floats', () => {
  it('round to nearest, ties to even', () => {
    const cases: [number, number][] = [
      [0, 0],
      [-0, 0x8000],
      [1, 0x3c00],
      [1 + 2 ** -11, 0x3c00],
      [1 + 3 * 2 ** -11, 0x3c02],
      [65504, 0x7bff],
      [65519.99, 0x7bff],
      [65520, 0x7c00],
      [2 ** -24, 1],
      [2 ** -25, 0],
      [1.5 * 2 ** -25, 1],
      [Number.NEGATIVE_INFINITY, 0xfc00],
    ];
    for (const [value, bits] of cases) expect([value, floatToHalf(value)]).toEqual([value, bits]);
    expect(halfToFloat(floatToHalf(Number.NaN))).toBeNaN();
  });

  it('come back from every one of their codes', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = halfToFloat(bits);
      if (!Number.isNaN(value)) expect(floatToHalf(value)).toBe(bits);
    }
  });

  it('are converted in pieces that lie at any offset', () => {
    const values = [1, -2, 0.1, 1e6, 3e-8];
    const shifted = new Uint8Array(values.length * 4 + 1);
    shifted.set(bytesOf(values), 1);
    // A Buffer, whose own `slice` would not copy.
    const halves = float32ToFloat16Bytes(Buffer.from(shifted.buffer, 1));
    expect([...new Uint16Array(halves.buffer)]).toEqual(values.map((value) => floatToHalf(Math.fround(value))));
    expect([...float32View(float16ToFloat32Bytes(halves))]).toEqual(
      values.map((value) => halfToFloat(floatToHalf(Math.fround(value)))),
    );
  });

  it('tell what float16 would lose', () => {
    const losses = noHalfLosses();
    addHalfLosses(losses, bytesOf([1, 0, 65519, 65520, 1e30, 2 ** -25, 1.01 * 2 ** -25, 2 ** -15, 2 ** -14]));
    addHalfLosses(losses, bytesOf([Number.NaN, Number.POSITIVE_INFINITY, -3e38]));
    expect(losses).toEqual({ overflow: 3, underflow: 1, subnormal: 2, notFinite: 2, largest: Math.fround(3e38) });
  });
});

describe('bfloat16', () => {
  it('rounds the upper half of a float32, ties to even, and keeps a NaN one', () => {
    expect(floatToBfloat16(1)).toBe(0x3f80);
    expect(floatToBfloat16(1 + 2 ** -8)).toBe(0x3f80);
    expect(floatToBfloat16(1 + 3 * 2 ** -8)).toBe(0x3f82);
    expect(bfloat16ToFloat(floatToBfloat16(Number.NaN))).toBeNaN();
    expect(bfloat16ToFloat(0xc000)).toBe(-2);
  });
});
