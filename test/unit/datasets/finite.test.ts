import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../../../native-workers/datasets/open-dataset.ts';
import { floats, longs, writeNpz } from '../../helpers/npz.ts';
import { numbers, readBatches, signature } from '../../helpers/signatures.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

const model = signature({ x: ['float32', ['n', 2]] }, { y: ['float32', ['n', 2]] });
const data = (values: readonly number[]) =>
  writeNpz(join(temporaryFolder(), 'd.npz'), {
    x: floats([values.length / 2, 2], values),
    labels: longs([values.length / 2], values.map(() => 0).slice(values.length / 2)),
  });

describe('finite samples', () => {
  it('are left where others hold NaN or infinity, which are told as skipped', async () => {
    const path = await data([1, 2, 3, Number.NaN, 5, 6, Number.NEGATIVE_INFINITY, 8]);
    const dataset = await openDataset(path, model, { finite: true });
    const batches = await readBatches(dataset, 8);
    expect(batches.map(({ samples }) => samples)).toEqual([['0', '2']]);
    expect(numbers(batches[0]?.feeds['x'])).toEqual([1, 2, 5, 6]);
    expect(dataset.skipped).toEqual([
      { sample: '1', reason: "'x' holds a number that is NaN or infinite." },
      { sample: '3', reason: "'x' holds a number that is NaN or infinite." },
    ]);
  });

  it('are not asked for unless they are', async () => {
    const dataset = await openDataset(await data([1, Number.NaN]), model);
    expect((await readBatches(dataset, 8))[0]?.samples).toEqual(['0']);
  });

  it('are an error where there are none', async () => {
    const dataset = await openDataset(await data([Number.NaN, 1]), model, { finite: true });
    await expect(readBatches(dataset, 8)).rejects.toMatchObject({
      code: 'data-empty',
      message: expect.stringContaining('NaN or infinite'),
    });
  });
});
