import { describe, expect, it } from 'vitest';
import type { Observation } from '../../../native-workers/calibrate/observation.ts';
import { showTensors } from '../../../native-workers/calibrate/show-tensors.ts';
import type { Value } from '../../../native-workers/graph/value.ts';
import type { Feeds } from '../../../native-workers/lib/engine.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { float32, numbers, passContext } from '../../helpers/passes.ts';

const ROWS = [
  [1, 2],
  [3, 4],
  [5, 6],
];

/** What readers of a and of |a| see, and the batch sizes that were asked for. */
async function show(maxBytes?: number): Promise<{ seen: [string, number, number[]][]; asked: number[] }> {
  const build = new ModelBuilder();
  const a = build.input('a', ['batch', 2]);
  const y = build.op('Abs', [a], 'y');
  const model = build.outputs(build.op('Relu', [y], 'z')).model(17);
  const seen: [string, number, number[]][] = [];
  const asked: number[] = [];
  const range = { min: -6, max: 6 };
  const observation: Observation = {
    range,
    average: range,
    histogram: null,
    channels: null,
    elements: 4,
    rows: 2,
    notFinite: 0,
  };
  const reader = (value: Value) =>
    [
      value,
      async (...[data, first]: [Parameters<typeof numbers>[0], number]) =>
        void seen.push([value.name, first, numbers(data)]),
    ] as const;
  await showTensors({
    model,
    observations: new Map([a, y].map((value) => [value, observation])),
    readers: new Map([reader(a), reader(y)]),
    batches: async function* (batchSize): AsyncGenerator<Feeds> {
      asked.push(batchSize);
      for (let row = 0; row < ROWS.length; row += batchSize) {
        const rows = ROWS.slice(row, row + batchSize);
        yield {
          a: float32(
            [rows.length, 2],
            rows.flat().map((value) => -value),
          ),
        };
      }
    },
    open: passContext().open,
    progress: async () => undefined,
    ...(maxBytes === undefined ? {} : { maxBytes }),
  });
  return { seen, asked };
}

describe('showTensors', () => {
  it('shows whole tensors, with the number of the first sample, in batches that fit', async () => {
    // Two values of two floats a row: two rows are 32 bytes.
    const { seen, asked } = await show(32);
    expect(asked).toEqual([2]);
    expect(seen).toEqual([
      ['a', 0, [-1, -2, -3, -4]],
      ['y', 0, [1, 2, 3, 4]],
      ['a', 2, [-5, -6]],
      ['y', 2, [5, 6]],
    ]);
  });

  it('runs the model once for each part of what does not fit at once', async () => {
    const { seen, asked } = await show(8);
    expect(asked).toEqual([1, 1]);
    expect(seen.map(([name, first]) => [name, first])).toEqual([
      ['a', 0],
      ['a', 1],
      ['a', 2],
      ['y', 0],
      ['y', 1],
      ['y', 2],
    ]);
  });
});
