import { describe, expect, it } from 'vitest';
import { Random } from '../../../native-workers/lib/random.ts';
import {
  mcnemarExact,
  pairedBootstrap,
  pairedShareInterval,
  wilsonInterval,
} from '../../../native-workers/metrics/statistics.ts';

describe('wilsonInterval', () => {
  it('gives the known values', () => {
    // R: prop.test(8, 10, correct = FALSE)$conf.int
    expect(wilsonInterval(8, 10).low).toBeCloseTo(0.4901625, 6);
    expect(wilsonInterval(8, 10).high).toBeCloseTo(0.9433178, 6);
    expect(wilsonInterval(0, 10)).toEqual({ low: 0, high: expect.closeTo(0.2775328, 6) });
    expect(wilsonInterval(10, 10)).toEqual({ low: expect.closeTo(0.7224672, 6), high: 1 });
    expect(wilsonInterval(1, 1)).toEqual({ low: expect.closeTo(0.2065493, 6), high: 1 });
  });
});

describe('mcnemarExact', () => {
  it('is the two-sided binomial test', () => {
    // R: binom.test(1, 9)$p.value and so on
    expect(mcnemarExact(1, 8)).toBeCloseTo(0.0390625, 10);
    expect(mcnemarExact(8, 1)).toBeCloseTo(0.0390625, 10);
    expect(mcnemarExact(0, 5)).toBeCloseTo(0.0625, 10);
    expect(mcnemarExact(12, 30)).toBeCloseTo(0.007915897334896727, 10);
    expect(mcnemarExact(3, 3)).toBe(1);
    expect(mcnemarExact(0, 0)).toBe(1);
  });

  it('does not underflow for many disagreements', () => {
    expect(mcnemarExact(5000, 5000)).toBe(1);
    const p = mcnemarExact(4900, 5100);
    // The normal approximation: z = 200 / 100, with continuity 1.99.
    expect(p).toBeGreaterThan(0.04);
    expect(p).toBeLessThan(0.05);
  });
});

describe('pairedShareInterval', () => {
  it('covers the true difference in about 95 of 100 samples, also for small ones', () => {
    const random = new Random(5);
    for (const samples of [30, 400]) {
      let covered = 0;
      const trials = 2000;
      for (let trial = 0; trial < trials; trial++) {
        let [lost, gained] = [0, 0];
        for (let index = 0; index < samples; index++) {
          const draw = random.float();
          if (draw < 0.06) lost++;
          else if (draw < 0.1) gained++;
        }
        const { low, high } = pairedShareInterval(lost, gained, samples);
        if (low <= -0.02 && high >= -0.02) covered++;
      }
      expect(covered / trials).toBeGreaterThan(0.935);
      expect(covered / trials).toBeLessThan(0.995);
    }
  });

  it('does not claim certainty where nothing changed', () => {
    const { low, high } = pairedShareInterval(0, 0, 100);
    expect(low).toBeLessThan(0);
    expect(high).toBeGreaterThan(0);
    expect(high).toBeLessThan(0.03);
  });
});

describe('pairedBootstrap', () => {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

  it('agrees with the normal interval of a mean, and is tighter for the difference of pairs', () => {
    const random = new Random(3);
    const before = Array.from({ length: 500 }, () => random.normal());
    const after = before.map((value) => value + 0.05 + 0.01 * random.normal());
    const found = pairedBootstrap(before, after, mean, { seed: 1, rounds: 1000 });
    const half = 1.96 / Math.sqrt(500);
    expect((found?.before.high ?? 0) - (found?.before.low ?? 0)).toBeCloseTo(2 * half, 1);
    expect(found?.difference.low).toBeGreaterThan(0.048);
    expect(found?.difference.high).toBeLessThan(0.052);
    // Two-sided, of 1000 rounds and the data itself: zero would claim more than they can show.
    expect(found?.p).toBeCloseTo(2 / 1001, 10);
    expect(pairedBootstrap(before, after, mean, { seed: 1, rounds: 1000 })).toEqual(found);
    expect(pairedBootstrap(before, after, mean, { seed: 2, rounds: 1000 })).not.toEqual(found);
  });

  it('finds nothing in equal samples and gives up on a value that is hardly ever defined', () => {
    expect(pairedBootstrap([1, 2, 3], [1, 2, 3], mean, { seed: 1, rounds: 100 })).toMatchObject({
      difference: { low: 0, high: 0 },
      p: 1,
    });
    expect(pairedBootstrap([1, 2], [1, 2], () => Number.NaN, { seed: 1, rounds: 100 })).toBeNull();
  });
});
