import { describe, expect, it } from 'vitest';
import { BINS, Histogram } from '../../../native-workers/calibrate/histogram.ts';
import { Random } from '../../../native-workers/lib/random.ts';

function histogramOf(...batches: readonly (readonly number[])[]): Histogram {
  const histogram = new Histogram();
  for (const batch of batches) {
    const finite = batch.filter((value) => !Number.isNaN(value));
    histogram.cover({ min: Math.min(...finite), max: Math.max(...finite) });
    histogram.add(Float32Array.from(batch));
  }
  return histogram;
}

describe('Histogram', () => {
  it('counts every element once, NaN left out', () => {
    const histogram = histogramOf([-1, 0, 0.5, 1, Number.NaN]);
    expect(histogram.total).toBe(4);
    expect(histogram.zeros).toBe(1);
    expect(histogram.counts.reduce((sum, count) => sum + count, 0)).toBe(4);
    expect(histogram.counts[histogram.binOf(0.5)]).toBe(1);
    expect(histogram.start(histogram.binOf(0.5))).toBe(0.5);
  });

  it('puts what it does not cover into the outer bins', () => {
    const histogram = histogramOf([-1, 1]);
    histogram.add(Float32Array.of(-9, 9));
    expect(histogram.counts[0]).toBeGreaterThan(0);
    expect(histogram.counts[BINS - 1]).toBe(1);
    expect(histogram.total).toBe(4);
  });

  it.each([
    ['small numbers first', [1e-20, 3, -0.2, 700]],
    ['large numbers first', [700, -0.2, 3, 1e-20]],
    ['zeros first', [0, 700, -0.2, 3, 1e-20, 0]],
  ])('is the same however the numbers come: %s', (_, order) => {
    const random = new Random(5);
    const batchOf = (scale: number): number[] =>
      Array.from({ length: 50 }, () => scale * Math.fround(0.5 + 0.5 * random.float()));
    const batches = new Map([0, 1e-20, 3, -0.2, 700].map((scale) => [scale, batchOf(scale)]));
    const expected = histogramOf(order.flatMap((scale) => batches.get(scale) ?? []));
    const found = histogramOf(...order.map((scale) => batches.get(scale) ?? []));
    expect(found).toEqual(expected);
    expect(found.zeros).toBe(order.filter((scale) => scale === 0).length * 50);
  });

  it.each([
    [-1, 1],
    [0, 6],
    [-0.17, 5.3],
    [5, 6],
    [1e-42, 1e-40],
    [-3.4e38, 3.4e38],
  ])('has at least half of its bins between the ends of %d to %d and zero', (min, max) => {
    const histogram = histogramOf([min, max]);
    const width = Math.max(max, 0) - Math.min(min, 0);
    expect(width / histogram.binWidth).toBeLessThanOrEqual(BINS);
    expect(width / histogram.binWidth).toBeGreaterThanOrEqual(BINS / 2 - 2);
    expect(Number.isInteger(Math.log2(histogram.binWidth))).toBe(true);
  });
});
