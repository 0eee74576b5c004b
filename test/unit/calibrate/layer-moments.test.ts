import { describe, expect, it } from 'vitest';
import { LayerMoments, productsModel } from '../../../native-workers/calibrate/layer-moments.ts';
import type { LayerRows } from '../../../native-workers/calibrate/layer-rows.ts';
import type { Session } from '../../../native-workers/lib/engine.ts';
import { Random } from '../../../native-workers/lib/random.ts';
import { float32, passContext } from '../../helpers/passes.ts';

const COLUMNS = 5;
const SAMPLES = 12;
const random = new Random(5);

/** Two groups, each reading its half of a sample's numbers; one position. */
const rows: LayerRows = {
  groups: 2,
  columns: COLUMNS,
  positions: () => 1,
  reader:
    ({ data }) =>
    (sample, group, _position, into, at) => {
      const from = (sample * 2 + group) * COLUMNS;
      into.set((data as Float32Array).subarray(from, from + COLUMNS), at);
    },
};

const data = Array.from({ length: SAMPLES }, () => Array.from({ length: 2 * COLUMNS }, () => random.normal()));

/** E[x_i x_j] of columns of a group over samples, plainly. */
function expected(group: number, samples: readonly number[][], i: number, j: number, centered: boolean): number {
  const at = (sample: readonly number[], column: number): number => sample[group * COLUMNS + column] ?? 0;
  const mean = (column: number): number =>
    samples.reduce((sum, sample) => sum + at(sample, column), 0) / samples.length;
  const product = samples.reduce((sum, sample) => sum + at(sample, i) * at(sample, j), 0) / samples.length;
  return product - (centered ? mean(i) * mean(j) : 0);
}

async function gather(products: Session, block: number, waiting: number, batch: number): Promise<LayerMoments> {
  const moments = new LayerMoments(rows, { block, samples: SAMPLES, waiting, products });
  for (let first = 0; first < SAMPLES; first += batch) {
    const part = data.slice(first, first + batch);
    await moments.add(float32([part.length, 2 * COLUMNS], part.flat()), first);
  }
  await moments.finish();
  return moments;
}

describe('LayerMoments', () => {
  it.each([
    ['one block', COLUMNS, 4, 5],
    ['blocks of which the last is filled up', 3, 1, 1],
    ['more rows waiting than there are', 3, 64, 12],
  ])(
    'sums products within a block, three samples of four to fit and the others to judge: %s',
    async (...[, block, waiting, batch]) => {
      const products = await passContext().open(productsModel());
      const moments = await gather(products, block, waiting, batch);
      await products.release();
      const taken = moments.take();
      if (taken === null) throw new Error('There are no moments.');
      const judges = data.filter((_, index) => index % 4 === 3);
      const fits = data.filter((_, index) => index % 4 !== 3);
      for (let part = 0; part < moments.parts; part++) {
        const group = Math.floor(part / moments.blocks);
        const start = (part % moments.blocks) * moments.size;
        for (const centered of [false, true]) {
          for (const [samples, found] of [
            [fits, taken.fitting(part, centered)],
            [judges, taken.judging(part, centered)],
          ] as const) {
            for (let i = 0; i < moments.size; i++) {
              for (let j = 0; j < moments.size; j++) {
                const outside = start + i >= COLUMNS || start + j >= COLUMNS;
                const value = outside ? 0 : expected(group, samples, start + i, start + j, centered);
                expect(found.products[i * moments.size + j]).toBeCloseTo(value, 5);
              }
            }
          }
        }
      }
    },
  );

  it('has nothing to give without a sample to judge by, nor twice', async () => {
    const products = await passContext().open(productsModel());
    const moments = new LayerMoments(rows, { block: COLUMNS, samples: 2, waiting: 4, products });
    await moments.add(float32([1, 2 * COLUMNS], data[0] ?? []), 0);
    await moments.finish();
    expect(moments.take()).toBeNull();
    const whole = await gather(products, COLUMNS, 4, 4);
    expect(whole.take()).not.toBeNull();
    expect(whole.take()).toBeNull();
    await products.release();
  });
});
