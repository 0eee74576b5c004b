import { describe, expect, it } from 'vitest';
import { makeDataset } from '../../../native-workers/datasets/batching.ts';
import type { Dataset, SampleSource } from '../../../native-workers/datasets/dataset.ts';
import { keptRows } from '../../../native-workers/datasets/kept-rows.ts';
import { numbers } from '../../helpers/signatures.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

/** Samples of which every third cannot be read; `read` lists what was asked of the source, in order. */
function source(read: number[]): SampleSource {
  return {
    name: 'numbers',
    kind: 'images',
    count: 9,
    labelled: true,
    grouped: false,
    classes: null,
    preprocess: null,
    notes: [],
    known: (index) => ({ sample: String(index), class: null, label: null }),
    async *rows(indexes, skip) {
      for (const index of indexes ?? Array.from({ length: 9 }, (_, at) => at)) {
        read.push(index);
        if (index % 3 === 2) skip({ sample: String(index), reason: 'cut' });
        else
          yield {
            sample: String(index),
            feeds: {
              x: { dtype: 'float32', shape: [2], data: Float32Array.of(index, -index) },
              n: { dtype: 'int64', shape: [1], data: BigInt64Array.of(BigInt(index)) },
            },
            label: index,
            group: null,
          };
      }
    },
    sha256: async () => '',
    close: async () => undefined,
  };
}

async function walk(data: Dataset, options = {}): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const { feeds, samples, labels } of data.batches(2, options))
    found.push([samples, labels, numbers(feeds['x']), [...(feeds['n']?.data ?? [])]]);
  return found;
}

describe('keptRows', () => {
  it('reads and skips each sample once, and gives the same in every walk', async () => {
    const read: number[] = [];
    const data = makeDataset(keptRows(source(read), temporaryFolder()));
    const plain = await walk(makeDataset(source([])));
    expect(await walk(data)).toEqual(plain);
    expect(await walk(data)).toEqual(plain);
    expect(read).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(data.skipped.map(({ sample }) => sample)).toEqual(['2', '5', '8']);
    await data.close();
  });

  it('reads only what a larger draw has that a smaller one had not', async () => {
    const read: number[] = [];
    const data = makeDataset(keptRows(source(read), temporaryFolder()));
    const part = await walk(data, { limit: 4, seed: 3 });
    expect(part).toEqual(await walk(makeDataset(source([])), { limit: 4, seed: 3 }));
    expect(read).toHaveLength(4);
    expect(await walk(data)).toEqual(await walk(makeDataset(source([]))));
    expect(read.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    await data.close();
  });

  it('goes on where a walk ended early', async () => {
    const read: number[] = [];
    const data = makeDataset(keptRows(source(read), temporaryFolder()));
    for await (const _batch of data.batches(1)) break;
    expect(await walk(data)).toEqual(await walk(makeDataset(source([]))));
    expect(new Set(read).size).toBe(read.length);
    await data.close();
  });

  it('reads again what it may not keep', async () => {
    const read: number[] = [];
    // Two samples of 16 bytes each.
    const data = makeDataset(keptRows(source(read), temporaryFolder(), 40));
    const plain = await walk(makeDataset(source([])));
    expect(await walk(data)).toEqual(plain);
    expect(await walk(data)).toEqual(plain);
    expect(read.filter((index) => index === 0)).toHaveLength(1);
    expect(read.filter((index) => index === 7)).toHaveLength(2);
    await data.close();
  });
});
