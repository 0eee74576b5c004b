import { describe, expect, it } from 'vitest';
import { median } from '../../../native-workers/bench/distribution.ts';
import { compareBlocks, isSettled, noiseOf, statsOf } from '../../../native-workers/bench/statistics.ts';
import { Random } from '../../../native-workers/lib/random.ts';
import { MACHINES, simulateRun } from '../../helpers/noisy-machine.ts';

const SEEDS = Array.from({ length: 300 }, (_, seed) => seed + 1);

describe('statsOf', () => {
  it('gives the moments, percentiles and throughput', () => {
    const samples = Array.from({ length: 101 }, (_, index) => 101 - index);
    expect(statsOf(samples, 7)).toEqual({
      mean: 51,
      std: Math.sqrt((101 * 102) / 12),
      min: 1,
      p50: 51,
      p90: 91,
      p95: 96,
      p99: 100,
      max: 101,
      count: 101,
      warmup: 7,
      throughput: 1000 / 51,
    });
  });

  it('takes one sample, and refuses none', () => {
    expect(statsOf([4], 0)).toMatchObject({ mean: 4, std: 0, min: 4, p99: 4, max: 4, throughput: 250 });
    expect(() => statsOf([], 0)).toThrow('no samples');
  });
});

describe('compareBlocks', () => {
  const blocks = (...times: number[]): number[][] => times.map((time) => [time, time, time * 5]);

  it('gives after/before of the medians, and the same again for the same seed', () => {
    const before = blocks(10, 10.1, 9.9, 10, 10.05, 10);
    const after = blocks(5, 5.1, 4.9, 5, 5.02, 5);
    const verdict = compareBlocks(before, after, 1);
    expect(verdict.value).toBeCloseTo(0.5, 2);
    expect(verdict).toMatchObject({ verdict: 'faster', confidence: 0.95 });
    expect(verdict.moreRuns).toBeUndefined();
    expect(compareBlocks(before, after, 1)).toEqual(verdict);
    expect(compareBlocks(after, before, 1)).toMatchObject({ verdict: 'slower' });
  });

  it('is not moved by a drift that both variants meet', () => {
    const drift = Array.from({ length: 24 }, (_, index) => 10 * 1.05 ** index);
    const jitter = (index: number): number => 1 + 0.002 * Math.sin(7 * index);
    const verdict = compareBlocks(
      drift.map((time, index) => [time * jitter(index)]),
      drift.map((time, index) => [time * 0.8 * jitter(index + 40)]),
      1,
    );
    expect(verdict.value).toBeCloseTo(0.8, 2);
    expect(verdict.verdict).toBe('faster');
  });

  it('is not moved by a burst that hits one block', () => {
    const epochs = Array.from({ length: 24 }, (_, block) => Math.floor(block / 4));
    const steady = epochs.map((_, block) => [1 + 0.001 * Math.cos(block)]);
    const hit = steady.map((times, block) => (block === 5 ? times.map((time) => time * 30) : times));
    const verdict = compareBlocks(steady, hit, 1, epochs);
    expect(verdict.value).toBeCloseTo(1, 2);
    expect(verdict.verdict).toBe('inconclusive');
  });

  it('calls no difference below one percent one, and advises no more runs for it', () => {
    const epochs = Array.from({ length: 20 }, (_, block) => block >> 1);
    const before = epochs.map((_, block) => [1 + 1e-4 * Math.sin(block)]);
    const verdict = compareBlocks(
      before,
      before.map(([time = 1]) => [time * 1.005]),
      1,
      epochs,
    );
    expect(verdict.low).toBeGreaterThan(1);
    expect(verdict).toMatchObject({ verdict: 'inconclusive' });
    expect(verdict.moreRuns).toBeUndefined();
  });

  it('says how many more runs would settle it', () => {
    const noise = MACHINES.noisy;
    const short = simulateRun(noise, 1.05, 4, 2, 11);
    const verdict = compareBlocks(short.before, short.after, 1, short.epochs);
    expect(verdict.verdict).toBe('inconclusive');
    expect(verdict.moreRuns).toBeGreaterThan(0);
    const runs = short.before.flat().length + (verdict.moreRuns ?? 0);
    const epochs = Math.ceil((2 * runs) / short.before.flat().length) * 4;
    const long = simulateRun(noise, 1.05, epochs, 2, 11);
    expect(compareBlocks(long.before, long.after, 1, long.epochs).verdict).toBe('slower');
  });

  it('claims nothing from a single pair of blocks, and nothing from none', () => {
    expect(compareBlocks([[1]], [[3]], 1)).toMatchObject({ verdict: 'inconclusive', value: expect.closeTo(3) });
    expect(compareBlocks([[1], []], [[3], [3]], 1).low).toBeLessThan(0.1);
    expect(() => compareBlocks([[]], [[1]], 1)).toThrow('neighbour');
    expect(() => compareBlocks([], [], 1)).toThrow('neighbour');
  });
});

describe('on simulated machines', () => {
  it.each(['quiet', 'noisy', 'hostile'] as const)('an A/A comparison on a %s one is inconclusive', (machine) => {
    for (const epochs of [3, 5, 10]) {
      const wrong = SEEDS.filter((seed) => {
        const { before, after, epochs: of } = simulateRun(MACHINES[machine], 1, epochs, 3, seed);
        return compareBlocks(before, after, seed, of).verdict !== 'inconclusive';
      });
      expect(wrong.length / SEEDS.length, `${epochs} epochs`).toBeLessThanOrEqual(0.05);
    }
  });

  it.each(['quiet', 'noisy', 'hostile'] as const)('the interval holds the true ratio on a %s one', (machine) => {
    for (const epochs of [4, 10, 25]) {
      const held = SEEDS.filter((seed) => {
        const { before, after, epochs: of } = simulateRun(MACHINES[machine], 0.7, epochs, 3, seed);
        const { low, high } = compareBlocks(before, after, seed, of);
        return low <= 0.7 && 0.7 <= high;
      });
      // 95 % of 300 give or take two standard errors of that share.
      expect(held.length / SEEDS.length, `${epochs} epochs`).toBeGreaterThanOrEqual(0.925);
    }
  });

  it('finds five percent on a noisy one within a minute of epochs of two seconds and a half', () => {
    const found = SEEDS.filter((seed) => {
      const { before, after, epochs } = simulateRun(MACHINES.noisy, 1.05, 24, 3, seed);
      return compareBlocks(before, after, seed, epochs).verdict === 'slower';
    });
    expect(found.length / SEEDS.length).toBeGreaterThanOrEqual(0.95);
  });

  it('a look after every epoch does not find what is not there', () => {
    const wrong = SEEDS.filter((seed) => {
      const run = simulateRun(MACHINES.noisy, 1, 12, 3, seed);
      for (let epochs = 1; epochs <= 12; epochs++) {
        const blocks = epochs * 6;
        const part = [run.before.slice(0, blocks), run.after.slice(0, blocks)] as const;
        const last = epochs === 12 || isSettled(...part, seed, run.epochs);
        if (last) return compareBlocks(...part, seed, run.epochs).verdict !== 'inconclusive';
      }
      return false;
    });
    expect(wrong.length / SEEDS.length).toBeLessThanOrEqual(0.05);
  });

  it('a large difference is settled early', () => {
    const { before, after, epochs } = simulateRun(MACHINES.quiet, 0.5, 5, 3, 3);
    expect(isSettled(before, after, 1, epochs)).toBe(true);
    const few = 3 * 6;
    expect(isSettled(before.slice(0, few), after.slice(0, few), 1, epochs)).toBe(false);
  });

  it('needs its epochs: a bootstrap of pooled runs finds differences between equal models', () => {
    const seeds = SEEDS.slice(0, 60);
    const wrong = seeds.filter((seed) => {
      const { before, after } = simulateRun(MACHINES.noisy, 1, 10, 3, seed);
      const random = new Random(seed);
      // A block of a fast model holds many runs, all alike.
      const pools = [before, after].map((blocks) => blocks.flat().flatMap((time) => new Array<number>(10).fill(time)));
      const ratios = Array.from({ length: 100 }, () => {
        const [a, b] = pools.map((pool) => median(pool.map(() => pool[random.below(pool.length)] ?? 0)));
        return (b ?? 0) / (a ?? 1);
      }).sort((a, b) => a - b);
      return (ratios[2] ?? 0) > 1 || (ratios[97] ?? 0) < 1;
    });
    expect(wrong.length / seeds.length).toBeGreaterThan(0.3);
  });
});

describe('noiseOf', () => {
  it('tells drift and outliers', () => {
    const blocks = Array.from({ length: 9 }, (_, block) =>
      Array.from({ length: 20 }, (__, run) => 1 + block / 10 + run / 1000),
    );
    blocks[4]?.push(50, 60);
    expect(noiseOf(blocks)).toEqual({ drift: expect.closeTo(1.7 / 1.1, 1), outliers: 2, count: 182 });
  });

  it('calls a steady machine steady', () => {
    expect(noiseOf([[1, 1], [], [1, 1]])).toEqual({ drift: 1, outliers: 0, count: 4 });
  });
});
