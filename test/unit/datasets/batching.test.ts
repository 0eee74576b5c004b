import { describe, expect, it } from 'vitest';
import { makeDataset, runnableBatches, usualBatchSize } from '../../../native-workers/datasets/batching.ts';
import { mapAhead } from '../../../native-workers/datasets/concurrent.ts';
import type { SampleSource } from '../../../native-workers/datasets/dataset.ts';
import { chooseSamples } from '../../../native-workers/datasets/subset.ts';
import { numbers, signature } from '../../helpers/signatures.ts';

function counting(count: number, changes: Partial<SampleSource> = {}): SampleSource {
  return {
    name: 'counting',
    kind: 'npz',
    count,
    labelled: false,
    grouped: false,
    classes: null,
    preprocess: null,
    notes: [],
    known: (index) => ({ sample: String(index), label: null }),
    async *rows(indexes) {
      for (const index of indexes ?? Array.from({ length: count }, (_, at) => at)) {
        yield {
          sample: String(index),
          feeds: { x: { dtype: 'float32', shape: [1], data: Float32Array.of(index) } },
          label: null,
          group: null,
        };
      }
    },
    sha256: async () => '',
    close: async () => undefined,
    ...changes,
  };
}

describe('runnableBatches', () => {
  it('fills the last batch of a model with a fixed batch by its last sample', async () => {
    const found: [number[], readonly string[]][] = [];
    for await (const { feeds, samples } of runnableBatches(
      makeDataset(counting(5)),
      signature({ x: ['float32', [2, 1]] }),
    )) {
      found.push([numbers(feeds['x']), samples]);
    }
    expect(found).toEqual([
      [
        [0, 1],
        ['0', '1'],
      ],
      [
        [2, 3],
        ['2', '3'],
      ],
      [[4, 4], ['4']],
    ]);
  });

  it('takes the asked size where the model takes any, and works for one sample', async () => {
    const anySize = signature({ x: ['float32', ['n', 1]] });
    const sizes = async (count: number): Promise<number[]> => {
      const all: number[] = [];
      for await (const { samples } of runnableBatches(makeDataset(counting(count)), anySize, { batchSize: 4 }))
        all.push(samples.length);
      return all;
    };
    expect(await sizes(9)).toEqual([4, 4, 1]);
    expect(await sizes(1)).toEqual([1]);
  });

  it('keeps batches small where the tensors are large', () => {
    expect(usualBatchSize(signature({ x: ['float32', ['n', 3, 48, 48]] }, { y: ['float32', ['n', 36]] }))).toBe(32);
    expect(usualBatchSize(signature({ x: ['int64', ['n', 't']] }, { y: ['float32', ['n', 't', 32000]] }))).toBe(1);
  });
});

describe('makeDataset', () => {
  it('pads only where that is allowed, and fills with what is asked', async () => {
    const ragged = (padding?: Record<string, number>): SampleSource =>
      counting(3, {
        ...(padding === undefined ? {} : { padding }),
        async *rows() {
          for (const length of [1, 3, 2]) {
            yield {
              sample: '',
              feeds: { x: { dtype: 'int64', shape: [length], data: new BigInt64Array(length).fill(7n) } },
              label: null,
              group: null,
            };
          }
        },
      });
    const shapes = async (source: SampleSource): Promise<unknown[]> => {
      const all: unknown[] = [];
      for await (const { feeds } of makeDataset(source).batches(8)) all.push([feeds['x']?.shape, numbers(feeds['x'])]);
      return all;
    };
    expect(await shapes(ragged({ x: 9 }))).toEqual([
      [
        [3, 3],
        [7, 9, 9, 7, 7, 7, 7, 7, 9],
      ],
    ]);
    expect(await shapes(ragged())).toEqual([
      [[1, 1], [7]],
      [
        [1, 3],
        [7, 7, 7],
      ],
      [
        [1, 2],
        [7, 7],
      ],
    ]);
  });
});

describe('chooseSamples', () => {
  it('keeps the shares of the classes, by the seed', () => {
    const classOf = (index: number): number => (index < 60 ? 0 : index < 90 ? 1 : 2);
    const chosen = chooseSamples(100, classOf, 10, 1) ?? [];
    expect(chosen.map(classOf).filter((label) => label === 0)).toHaveLength(6);
    expect(chosen.map(classOf).filter((label) => label === 1)).toHaveLength(3);
    expect(chosen.map(classOf).filter((label) => label === 2)).toHaveLength(1);
    expect(chooseSamples(100, classOf, 10, 1)).toEqual(chosen);
    expect(chooseSamples(100, classOf, 10, 2)).not.toEqual(chosen);
    expect(new Set(chosen).size).toBe(10);
  });

  it('is exact for any limit', () => {
    for (const limit of [1, 2, 3, 7, 50, 99])
      expect(chooseSamples(100, (index) => index % 7, limit, 3)).toHaveLength(limit);
    expect(chooseSamples(100, () => null, 100, 3)).toBeNull();
  });
});

describe('mapAhead', () => {
  it('keeps the order, never runs more than asked, and passes a failure on in its turn', async () => {
    let running = 0;
    let most = 0;
    const work = async (item: number): Promise<number> => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, (item * 7) % 5));
      running--;
      if (item === 8) throw new Error('eight');
      return item * 2;
    };
    const found: number[] = [];
    const walk = async (): Promise<void> => {
      for await (const value of mapAhead([1, 2, 3, 4, 5, 6, 7, 8, 9], 3, work)) found.push(value);
    };
    await expect(walk()).rejects.toThrow('eight');
    expect(found).toEqual([2, 4, 6, 8, 10, 12, 14]);
    expect(most).toBe(3);
  });
});
