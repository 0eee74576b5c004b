import { describe, expect, it } from 'vitest';
import { comparedPairs, epochTime, planBlock, planVariants, totalTime } from '../../../native-workers/bench/plan.ts';

const model = (name: string) => ({ name, path: `/models/${name}`, label: name });
const [a, b] = [model('a.onnx'), model('b.onnx')];

describe('plan', () => {
  it('runs every model under every setting and compares within a setting', () => {
    const variants = planVariants([a, b], { provider: ['cpu', 'wasm'], threads: [1, 2], batch: [1, 8] });
    expect(variants).toHaveLength(16);
    expect(new Set(variants.map(({ id }) => id)).size).toBe(16);
    expect(variants[3]).toMatchObject({ model: b, provider: 'cpu', threads: 1, batch: 8 });
    expect(variants[3]?.label).toBe('b.onnx (cpu, 1 thread, batch 8)');
    expect(comparedPairs(variants)).toEqual([0, 2, 4, 6, 8, 10, 12, 14].map((first) => [first, first + 1]));
  });

  it('compares the settings of a single model', () => {
    const variants = planVariants([a], { threads: [1, 2, 4] });
    expect(comparedPairs(variants)).toEqual([
      [0, 1],
      [0, 2],
    ]);
  });

  it('compares a model with itself when it is given twice', () => {
    expect(comparedPairs(planVariants([a, { ...a }], {}))).toEqual([[0, 1]]);
  });

  it('makes blocks of a tenth of a second, and re-warms fast models', () => {
    expect(planBlock(1)).toEqual({ runs: 100, rewarm: 10 });
    expect(planBlock(40)).toEqual({ runs: 3, rewarm: 1 });
    expect(planBlock(3000)).toEqual({ runs: 1, rewarm: 0 });
    expect(planBlock(0).runs).toBeLessThanOrEqual(100_000);
  });

  it('measures longer where launching takes long, or where there is much time', () => {
    expect(epochTime(20_000, 500)).toBe(1000);
    expect(epochTime(20_000, 4000)).toBe(3000);
    expect(epochTime(300_000, 1000)).toBe(9000);
    expect(epochTime(900, 500)).toBe(300);
    expect(totalTime(20, 1)).toBe(20_000);
    expect(totalTime(20, 2)).toBe(20_000);
    expect(totalTime(20, 6)).toBe(60_000);
  });
});
