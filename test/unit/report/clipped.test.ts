import { describe, expect, it } from 'vitest';
import { formatClipped } from '../../../native-workers/report/clipped.ts';

const LAYER = {
  clipped: 0,
  histogram: [150_000, 50_000],
  input: { min: 0, max: 6, scale: 0.02, zeroPoint: 0 },
  kept: { min: 0, max: 5.1 },
};

describe('what is clipped', () => {
  it('is no zero where it is little', () => {
    expect(formatClipped({ ...LAYER, clipped: 3 / 208_172 })).toBe('14.4 in a million');
    expect(formatClipped({ ...LAYER, clipped: 0.015 })).toBe('1.5 %');
  });

  it('is bounded where the range reaches beyond the codes and none of the counted elements does', () => {
    expect(formatClipped(LAYER)).toBe('under 5.00 in a million');
    // Half a step beyond the last code rounds to it like any other number.
    expect(formatClipped({ ...LAYER, kept: { min: 0, max: 5.995 } })).toBe('0.0 %');
  });

  it('is not told where it was not taken', () => {
    expect(formatClipped({ ...LAYER, clipped: null })).toBeNull();
    expect(formatClipped({ ...LAYER, histogram: null })).toBe('0.0 %');
  });
});
