import { describe, expect, it } from 'vitest';
import type { Feeds } from '../../../native-workers/lib/engine.ts';
import type { CalibrationData } from '../../../native-workers/passes/pass.ts';
import { WatchedCalibration } from '../../../native-workers/worker/watched-calibration.ts';
import { float32 } from '../../helpers/passes.ts';

function watch(batches: readonly Feeds[], more: Partial<CalibrationData> = {}): WatchedCalibration {
  return new WatchedCalibration({
    samples: 99,
    random: false,
    async *batches() {
      yield* batches;
    },
    ...more,
  });
}

async function read(data: CalibrationData): Promise<void> {
  for await (const _feeds of data.batches());
}

describe('WatchedCalibration', () => {
  it('knows nothing of data that no pass took', () => {
    expect(watch([{ x: float32([1, 2], [1, 2]) }]).facts()).toBeUndefined();
  });

  it('counts the samples that were read, once, however often passes read them', async () => {
    const data = watch([{ x: float32([2, 2], [1, 2, 3, 4]) }, { x: float32([1, 2], [5, 6]) }]);
    await read(data);
    await read(data);
    expect(data.facts()).toEqual({ samples: 3, random: false });
  });

  it('does not count what fills the last batch of a model with a fixed one', async () => {
    const rows = { x: float32([4, 1], [1, 2, 3, 3]) };
    const data = watch([rows, rows], { samples: 6 });
    await read(data);
    expect(data.facts()?.samples).toBe(6);
    const damaged = watch([rows], { samples: 4, skipped: [{ sample: 'a', reason: 'cut' }] });
    await read(damaged);
    expect(damaged.facts()?.samples).toBe(3);
  });

  it('counts a batch as one sample where the model has no batch axis', async () => {
    const data = watch([{ x: float32([3], [1, 1, 1]) }, { x: float32([3], [1, 1, 2]) }], { batchless: true });
    await read(data);
    expect(data.facts()).toEqual({ samples: 2, random: false });
  });

  it('looks at each sample once, in walks of other batches that end early', async () => {
    const rows = [7, 7, 7, 7, 8];
    const data = watch([], {
      async *batches(size = 1) {
        for (let at = 0; at < rows.length; at += size) {
          const values = rows.slice(at, at + size);
          yield { x: float32([values.length, 1], values) };
        }
      },
    });
    for await (const _feeds of data.batches(2)) break;
    expect(data.facts()).toEqual({ samples: 2, random: false, constant: ['x'] });
    for await (const _feeds of data.batches(3));
    expect(data.facts()).toEqual({ samples: 5, random: false });
  });

  it('finds inputs that hold one number in all samples, and not those that differ in the last', async () => {
    const data = watch([
      { same: float32([1, 2], [7, 7]), other: float32([1, 2], [7, 7]) },
      { same: float32([1, 2], [7, 7]), other: float32([1, 2], [7, 8]) },
    ]);
    await read(data);
    expect(data.facts()).toMatchObject({ constant: ['same'] });
  });

  it('lists what could not be read, and what was assumed', async () => {
    const skipped = Array.from({ length: 150 }, (_, index) => ({ sample: `s${index}`, reason: 'cut' }));
    const notes = [{ code: 'a', message: 'b' }];
    const data = watch([{ x: float32([1, 2], [1, 2]) }], { skipped, notes });
    await read(data);
    expect(data.facts()).toMatchObject({ skipped: { count: 150 }, notes });
    expect(data.facts()?.skipped?.listed).toHaveLength(100);
  });
});
