import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, digestOf } from '../../../native-workers/report/digest.ts';

describe('canonicalJson', () => {
  it('does not depend on the order of keys or on spaces', () => {
    expect(canonicalJson({ b: [1, { d: null, c: 'x' }], a: true })).toBe('{"a":true,"b":[1,{"c":"x","d":null}]}');
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonicalJson(JSON.parse(JSON.stringify(value, null, 3)))).toBe(canonicalJson(value));
      }),
    );
  });

  it('refuses what JSON does not have', () => {
    expect(() => canonicalJson([Number.NaN])).toThrow(RangeError);
    expect(() => canonicalJson(() => 1)).toThrow(TypeError);
  });
});

describe('digestOf', () => {
  it('is over all fields but itself', () => {
    expect(digestOf({ a: 1, digest: 'x' })).toBe(digestOf({ digest: 'y', a: 1 }));
    expect(digestOf({ a: 1 })).not.toBe(digestOf({ a: 1.0000000000000002 }));
  });
});
