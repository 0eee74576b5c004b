import { describe, expect, it } from 'vitest';
import type { Feeds, HostTensor } from '../../../native-workers/lib/engine.ts';
import { floatToHalf } from '../../../native-workers/lib/half.ts';
import { Fidelity } from '../../../native-workers/metrics/fidelity.ts';

const floats = (shape: readonly number[], ...values: number[]): HostTensor => ({
  dtype: 'float32',
  shape,
  data: Float32Array.from(values),
});

function compare(...batches: [Feeds, Feeds, number?][]): Fidelity {
  const fidelity = new Fidelity();
  for (const [a, b, samples] of batches) {
    const count = Object.values(a)[0]?.shape[0] ?? 1;
    fidelity.add(a, b, samples ?? count, count);
  }
  return fidelity;
}

describe('Fidelity', () => {
  it('gives the values of the formulae, over all batches', () => {
    const fidelity = compare(
      [{ y: floats([2, 2], 1, 2, 3, 4) }, { y: floats([2, 2], 1.5, 2, 3, 4) }],
      [{ y: floats([1, 2], -6, 0) }, { y: floats([1, 2], -6, 0.5) }],
    );
    const [output] = fidelity.outputs();
    const [aa, bb, ab, ee] = [66, 67.5, 66.5, 0.5];
    expect(output).toMatchObject({ name: 'y', maxAbs: 0.5, reference: 6, notFinite: 0, top1Agreement: 1 });
    expect(output?.cosine).toBeCloseTo(ab / Math.sqrt(aa * bb), 12);
    expect(output?.sqnrDb).toBeCloseTo(10 * Math.log10(aa / ee), 10);
  });

  it('has no SQNR where nothing differs', () => {
    const [output] = compare([{ y: floats([1, 2], 1, 2) }, { y: floats([1, 2], 1, 2) }]).outputs();
    expect(output).toMatchObject({ cosine: 1, sqnrDb: null, maxAbs: 0, kl: 0, top1Agreement: 1 });
  });

  it('gives the divergence of the softmax of logits, and of shares as they are', () => {
    const expected = 0.75 * Math.log(0.75 / 0.5) + 0.25 * Math.log(0.25 / 0.5);
    const logits = compare([{ y: floats([1, 2], Math.log(3) + 5, 5) }, { y: floats([1, 2], 9, 9) }]).outputs();
    expect(logits[0]?.kl).toBeCloseTo(expected, 5);
    const shares = compare([{ y: floats([1, 2], 0.75, 0.25) }, { y: floats([1, 2], 0.5, 0.5) }]).outputs();
    expect(shares[0]?.kl).toBeCloseTo(expected, 6);
  });

  it('counts rows whose answer changed, of samples and of tokens, but not of features', () => {
    const a = {
      logits: floats([1, 2, 2], 1, 0, 0, 1),
      embedding: floats([1, 2], 1, 0),
      map: floats([1, 2, 2, 2], 1, 2, 3, 4, 5, 6, 7, 8),
    };
    const b = {
      logits: floats([1, 2, 2], 0, 1, 0, 1),
      embedding: floats([1, 2], 0, 1),
      map: floats([1, 2, 2, 2], 1, 2, 3, 4, 5, 6, 7, 8),
    };
    expect(
      compare([a, b])
        .outputs()
        .map(({ top1Agreement }) => top1Agreement),
    ).toEqual([0.5, null, null]);
  });

  it('leaves the fill of the last batch out', () => {
    const [output] = compare([{ y: floats([2, 2], 1, 0, 5, 5) }, { y: floats([2, 2], 1, 0, 9, 9) }, 1]).outputs();
    expect(output).toMatchObject({ maxAbs: 0, reference: 1 });
  });

  it('counts numbers that only the variant lost, and tells of a reference without any', () => {
    const nan = Number.NaN;
    const some = compare([
      { y: floats([2, 2], 1, nan, 3, 4) },
      { y: floats([2, 2], 1, nan, Number.POSITIVE_INFINITY, 4) },
    ]);
    expect(some.outputs()[0]).toMatchObject({ notFinite: 1, cosine: 1, maxAbs: 0 });
    expect(some.referenceNotFinite).toEqual([{ name: 'y', count: 1 }]);
    expect(some.referenceIsNotFinite).toBe(false);
    const none = compare([{ y: floats([1, 2], nan, nan) }, { y: floats([1, 2], 1, 2) }]);
    expect(none.referenceIsNotFinite).toBe(true);
    expect(none.outputs()[0]).toMatchObject({ cosine: null, maxAbs: null });
  });

  it('does not compare outputs of other shapes, or words', () => {
    const words: HostTensor = { dtype: 'string', shape: [1], data: ['a'] };
    const fidelity = compare([
      { y: floats([1, 2], 1, 2), w: words, gone: floats([1, 1], 1) },
      { y: floats([1, 3], 1, 2, 3), w: words },
    ]);
    expect(fidelity.incomparable).toEqual(['y', 'w', 'gone']);
    expect(fidelity.outputs()[0]).toMatchObject({ cosine: null, sqnrDb: null, maxAbs: null });
  });

  it('reads half floats and whole numbers', () => {
    const half = (...values: number[]): HostTensor => ({
      dtype: 'float16',
      shape: [1, values.length],
      data: Uint16Array.from(values, floatToHalf),
    });
    const whole = (...values: bigint[]): HostTensor => ({
      dtype: 'int64',
      shape: [1, values.length],
      data: BigInt64Array.from(values),
    });
    const outputs = compare([
      { h: half(1, 2), w: whole(3n, 4n) },
      { h: half(1, 2.5), w: whole(3n, 6n) },
    ]).outputs();
    expect(outputs.map(({ maxAbs }) => maxAbs)).toEqual([0.5, 2]);
  });
});
