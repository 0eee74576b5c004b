import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type BlockRounder,
  blockRounder,
  type Moments,
  PlainBlockRounder,
} from '../../../native-workers/kernels/coordinate-descent.ts';
import { Random } from '../../../native-workers/lib/random.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const SIZE = 6;
let random = new Random(3);
beforeEach(() => {
  random = new Random(3);
});

/**
 * Moments of rows whose elements are much alike, as neighbouring pixels are, and the expected error with each given row when every
 * element is read with noise of that variance.
 */
function alikeRows(
  noise: number,
  size = SIZE,
): { moments: Moments; errorOf(weight: readonly number[], restored: readonly number[]): number } {
  const rows = Array.from({ length: 200 }, () => {
    const common = random.normal();
    return Array.from({ length: size }, () => common + 0.1 * random.normal());
  });
  const products = Float32Array.from({ length: size * size }, (_, at) =>
    rows.reduce((sum, row) => sum + ((row[Math.floor(at / size)] ?? 0) * (row[at % size] ?? 0)) / rows.length, 0),
  );
  const power = (values: readonly number[]): number => values.reduce((sum, value) => sum + value * value, 0);
  return {
    moments: { size, products },
    errorOf: (weight, restored) => {
      const sums = rows.map((row) => row.reduce((sum, x, i) => sum + x * ((restored[i] ?? 0) - (weight[i] ?? 0)), 0));
      return power(sums) / rows.length + noise * power(restored);
    },
  };
}

const weightOf = (size = SIZE): number[] => Array.from({ length: size }, () => random.normal());
const nearest = (weight: readonly number[], scale: number): number[] =>
  weight.map((value) => Math.round(value / scale));
const restore = (codes: Iterable<number>, scale: number): number[] => Array.from(codes, (code) => code * scale);

/** Puts a row and its codes where the rounder reads them. */
function put(rounder: BlockRounder, weight: readonly number[], codes: readonly number[]): void {
  rounder.weight.set(weight);
  rounder.nearest.set(codes);
  rounder.codes.set(codes);
}

describe.each([
  ['WebAssembly', blockRounder],
  ['TypeScript', () => new PlainBlockRounder()],
])('coordinate descent in %s', (_, open) => {
  it('tells how the error of the products changes', () => {
    const { moments, errorOf } = alikeRows(0.05);
    const rounder = open();
    rounder.load(moments, moments, 0.05);
    const weight = weightOf();
    const [before, after] = [nearest(weight, 0.3), nearest(weight, 0.4)];
    put(rounder, weight, before);
    rounder.codes.set(after);
    const [one, other] = [restore(before, 0.3), restore(after, 0.4)].map((restored) => errorOf(weight, restored));
    expect(rounder.errorChange(0.3, 0.4) / ((other ?? 0) - (one ?? 0))).toBeCloseTo(1, 4);
  });

  it('finds codes that no single other code improves, at a fraction of the error', () => {
    const { moments, errorOf } = alikeRows(0.0001);
    const rounder = open();
    rounder.load(moments, moments, 0.0001);
    let before = 0;
    let after = 0;
    for (let trial = 0; trial < 20; trial++) {
      const weight = weightOf();
      const codes = nearest(weight, 0.3);
      before += errorOf(weight, restore(codes, 0.3));
      put(rounder, weight, codes);
      const scale = rounder.descend(0.3, 0, true);
      expect(scale).toBe(0.3);
      const found = [...rounder.codes.subarray(0, SIZE)];
      const error = errorOf(weight, restore(found, scale));
      after += error;
      for (let index = 0; index < SIZE; index++) {
        for (const step of [-1, 1]) {
          const other = found.with(index, (found[index] ?? 0) + step);
          expect(errorOf(weight, restore(other, scale))).toBeGreaterThan(error * (1 - 1e-4));
        }
      }
    }
    expect(after).toBeLessThan(before / 4);
  });

  it('fits the scale, but not below the least', () => {
    const { moments, errorOf } = alikeRows(0);
    const rounder = open();
    rounder.load(moments, moments, 0);
    const weight = weightOf();
    const codes = nearest(weight, 0.3);
    put(rounder, weight, codes);
    rounder.descend(0.3, 0, true);
    const fixed = errorOf(weight, restore(rounder.codes.subarray(0, SIZE), 0.3));
    put(rounder, weight, codes);
    const scale = rounder.descend(0.3, 0, false);
    expect(scale).not.toBe(0.3);
    expect(errorOf(weight, restore(rounder.codes.subarray(0, SIZE), scale))).toBeLessThanOrEqual(fixed);
    put(rounder, weight, codes);
    expect(rounder.descend(0.3, 0.3, false)).toBeGreaterThanOrEqual(0.3);
  });

  it('leaves elements alone that the data never shows', () => {
    const moments = { size: 2, products: Float32Array.of(4, 0, 0, 0) };
    const rounder = open();
    rounder.load(moments, moments, 0);
    put(rounder, [3.2, 7.1], [3, 7]);
    expect(rounder.descend(1, 0, true)).toBe(1);
    expect([...rounder.codes.subarray(0, 2)]).toEqual([3, 7]);
  });
});

describe('the WebAssembly of the coordinate descent', () => {
  it.each([1, 2, 27, 32, 63, 64])('gives the bits of the TypeScript for %i columns', (size) => {
    const [fitting, judging] = [alikeRows(0, size).moments, alikeRows(0, size).moments];
    const [wasm, plain] = [blockRounder(), new PlainBlockRounder()];
    for (const rounder of [wasm, plain]) rounder.load(fitting, judging, 0.001);
    for (let trial = 0; trial < 10; trial++) {
      const weight = weightOf(size);
      const codes = nearest(weight, 0.1);
      const found = [wasm, plain].map((rounder) => {
        put(rounder, weight, codes);
        const scale = rounder.descend(0.1, 0.05, trial % 2 === 0);
        return { scale, codes: [...rounder.codes.subarray(0, size)], change: rounder.errorChange(0.1, scale) };
      });
      expect(found[0]).toEqual(found[1]);
    }
  });

  it('is what its source compiles to', () => {
    const path = join(ROOT, 'native-workers', 'kernels', 'coordinate-descent-wasm.ts');
    const kept = readFileSync(path, 'utf8');
    try {
      execFileSync(process.execPath, ['build.ts', 'kernels'], { cwd: ROOT, stdio: 'ignore' });
      expect(readFileSync(path, 'utf8')).toBe(kept);
    } finally {
      writeFileSync(path, kept);
    }
  });
});
