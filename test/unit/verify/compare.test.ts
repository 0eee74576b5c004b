import { describe, expect, it } from 'vitest';
import type { HostTensor } from '../../../native-workers/lib/engine.ts';
import { Comparison, type Difference } from '../../../native-workers/verify/compare.ts';
import { differences } from '../../../native-workers/verify/verify-artifact.ts';

const floats = (...values: number[]): HostTensor => ({
  dtype: 'float32',
  shape: [values.length],
  data: Float32Array.from(values),
});
const bytes = (...values: number[]): HostTensor => ({
  dtype: 'int8',
  shape: [values.length],
  data: Int8Array.from(values),
});
const rows = (shape: number[], ...values: number[]): HostTensor => ({ ...floats(...values), shape });

function compared(expected: Record<string, HostTensor>, actual: Record<string, HostTensor>): Difference {
  const comparison = new Comparison();
  comparison.add(expected, actual);
  return comparison.result();
}

const TOLERANCE = { float: 1e-4, steps: 3 };

describe('Comparison', () => {
  it('measures the largest difference against the largest reference value', () => {
    const found = compared({ y: floats(1, -4, 2) }, { y: floats(1, -4.5, 2) });
    expect(found).toMatchObject({ samples: 1, maxAbs: 0.5, maxAbsFloat: 0.5, reference: 4, steps: null, missing: [] });
    expect(found.cosine).toBeGreaterThan(0.99);
    expect(differences(found, TOLERANCE)).toEqual(['the largest difference is 0.500; 0.000400 is allowed']);
  });

  it('takes NaN for NaN and an infinity for itself as equal, and any other pair with one as infinitely far', () => {
    const same = floats(Number.NaN, Number.POSITIVE_INFINITY, 3);
    expect(compared({ y: same }, { y: same })).toMatchObject({ maxAbs: 0, reference: 3, cosine: 1 });
    for (const other of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      expect(compared({ y: floats(1, 2) }, { y: floats(1, other) }).maxAbs).toBe(Number.POSITIVE_INFINITY);
      expect(compared({ y: floats(1, other) }, { y: floats(1, 2) }).maxAbs).toBe(Number.POSITIVE_INFINITY);
    }
    const opposite = compared({ y: floats(Number.POSITIVE_INFINITY) }, { y: floats(Number.NEGATIVE_INFINITY) });
    expect(differences(opposite, TOLERANCE)).toHaveLength(1);
  });

  it('counts integers in steps: 99 % within one, none beyond the limit', () => {
    const zeros = Array.from({ length: 200 }, () => 0);
    const off = (...values: number[]): HostTensor => bytes(...values, ...zeros.slice(values.length));
    expect(compared({ y: bytes(...zeros) }, { y: bytes(...zeros) }).steps).toEqual({ max: 0, withinOne: 1 });
    const near = compared({ y: bytes(...zeros) }, { y: off(1, -1, 3, -2) });
    expect(near.steps).toEqual({ max: 3, withinOne: 0.99 });
    expect(differences(near, TOLERANCE)).toEqual([]);
    expect(differences(compared({ y: bytes(...zeros) }, { y: off(4) }), TOLERANCE)).toEqual([
      'integer outputs differ by up to 4 steps, 99.5 % within one',
    ]);
    expect(differences(compared({ y: bytes(...zeros) }, { y: off(2, 2, 2) }), TOLERANCE)).toHaveLength(1);
  });

  it('judges floats beside integers by themselves', () => {
    const found = compared({ y: floats(1), k: bytes(7) }, { y: floats(1.5), k: bytes(7) });
    expect(found.steps).toEqual({ max: 0, withinOne: 1 });
    expect(differences(found, TOLERANCE)).toHaveLength(1);
    const large = compared({ y: floats(1), k: bytes(100) }, { y: floats(1.001), k: bytes(101) });
    expect(large.reference).toBe(1);
    expect(differences(large, TOLERANCE)).toHaveLength(1);
  });

  it('names outputs that are missing or of another size', () => {
    const found = compared({ a: floats(1), b: floats(1, 2), c: floats(3) }, { b: floats(1), c: floats(3) });
    expect(found.missing).toEqual(['a', 'b']);
    expect(differences(found, TOLERANCE)[0]).toBe('outputs missing or of another size: a, b');
  });

  it('agrees on the best class of each row of scores, and on none where there are no rows', () => {
    const found = compared({ y: rows([2, 3], 1, 5, 2, 9, 0, 0) }, { y: rows([2, 3], 1, 5, 2, 0, 9, 0) });
    expect(found.top1Agreement).toBe(0.5);
    expect(compared({ y: floats(1, 2) }, { y: floats(1, 2) }).top1Agreement).toBeNull();
    expect(compared({ y: rows([2, 1], 1, 2) }, { y: rows([2, 1], 1, 2) }).top1Agreement).toBeNull();
  });

  it('compares no texts, and takes two all-zero outputs as alike', () => {
    const words: HostTensor = { dtype: 'string', shape: [1], data: ['a'] };
    expect(compared({ y: words }, { y: { ...words, data: ['b'] } })).toMatchObject({ maxAbs: 0, missing: [] });
    expect(compared({ y: floats(0) }, { y: floats(0) }).cosine).toBe(1);
    expect(compared({ y: floats(0) }, { y: floats(1) }).cosine).toBe(0);
  });
});
