import { describe, expect, it } from 'vitest';
import { Histogram } from '../../../../native-workers/calibrate/histogram.ts';
import type { Observation } from '../../../../native-workers/calibrate/observation.ts';
import { Random } from '../../../../native-workers/lib/random.ts';
import { activationFacts } from '../../../../native-workers/passes/quantization/activation-facts.ts';

function observed(...batches: readonly Float32Array[]): Observation {
  const histogram = new Histogram();
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const values of batches) {
    const range = { min: Math.min(...values), max: Math.max(...values) };
    [min, max] = [Math.min(min, range.min), Math.max(max, range.max)];
    histogram.cover(range);
    histogram.add(values);
  }
  const range = { min, max };
  return { range, average: range, histogram, elements: 1, rows: 1, notFinite: 0, channels: null };
}

function shown(observation: Observation): readonly number[] {
  const parameters = { type: 'uint8', scale: 0.1, zeroPoint: 0 } as const;
  return activationFacts('x', observation, parameters, 'minmax').histogram ?? [];
}

const even = (min: number, max: number, count = 64_000): Float32Array =>
  Float32Array.from({ length: count }, (_, at) => min + ((at + 0.5) * (max - min)) / count);

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

describe('the histogram of a report', () => {
  it.each([
    [-1.3, 2.9],
    [0, 1.01],
    [-7.7, -0.4],
    [100, 101],
    [-1e-6, 3e-6],
  ])('is flat where numbers are spread evenly from %d to %d', (min, max) => {
    const counts = shown(observed(even(min, max)));
    expect(counts).toHaveLength(64);
    expect(total(counts)).toBe(64_000);
    // The first and the last bin of 32 KiB may reach beyond the numbers.
    expect(Math.max(...counts)).toBeLessThan(1015);
    expect(Math.min(...counts)).toBeGreaterThan(985);
  });

  it('stays smooth when bins were merged because numbers went further from batch to batch', () => {
    const random = new Random(1);
    const batches = [1, 2.5, 9, 33].map((scale) =>
      Float32Array.from({ length: 20_000 }, () => scale * (2 * random.float() - 1)),
    );
    const counts = shown(observed(...batches));
    expect(total(counts)).toBe(80_000);
    // Beyond the first scales only the last one is left: 20,000 numbers over 64 steps.
    for (const count of [...counts.slice(1, 20), ...counts.slice(44, 63)])
      expect(Math.abs(count - 312)).toBeLessThan(90);
  });

  it('puts all exact zeros into one step, wherever it lies', () => {
    for (const [min, max, place] of [
      [0, 6.3, 0],
      [-0.9, 3.1, 14],
      [-2, 0, 63],
    ] as const) {
      const values = Float32Array.from([...even(min, max), ...new Float32Array(10_000)]);
      const counts = shown(observed(values));
      expect(counts.indexOf(Math.max(...counts))).toBe(place);
      expect(counts[place]).toBeGreaterThan(10_900);
      expect(total(counts)).toBe(74_000);
    }
  });
});
