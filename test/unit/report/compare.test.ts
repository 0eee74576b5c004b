import { describe, expect, it } from 'vitest';
import { differences } from '../../../native-workers/report/compare.ts';

describe('differences', () => {
  it('are none for equal values and for the last digits of a number', () => {
    expect(differences({ a: [1, { b: 'x' }] }, { a: [1, { b: 'x' }] })).toEqual([]);
    expect(differences(0.1 + 0.2, 0.3)).toEqual([]);
  });

  it('name the place and both values', () => {
    expect(differences({ a: [1, { b: 2 }] }, { a: [1, { b: 3 }] })).toEqual(['a.1.b: 3 instead of 2']);
    expect(differences({ a: 1 }, {})).toEqual(['a: nothing instead of 1']);
    expect(differences([1], { 0: 1 })).toHaveLength(1);
    expect(differences({ a: null }, { a: 0 })).toEqual(['a: 0 instead of null']);
  });

  it('are at most as many as asked for', () => {
    const zeros = Array.from({ length: 50 }, () => 0);
    expect(
      differences(
        zeros,
        zeros.map(() => 1),
        '',
        3,
      ),
    ).toHaveLength(3);
  });
});
