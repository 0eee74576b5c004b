import { describe, expect, it } from 'vitest';
import type { ObserveRequest } from '../../../native-workers/calibrate/observation.ts';
import { observe } from '../../../native-workers/calibrate/observe.ts';
import type { Value } from '../../../native-workers/graph/value.ts';
import type { Feeds } from '../../../native-workers/lib/engine.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { float32, passContext } from '../../helpers/passes.ts';

/** y = relu(a + b): two inputs of any number of rows. */
function sum(opset = 17) {
  const build = new ModelBuilder();
  const [a, b] = [build.input('a', ['batch', 2]), build.input('b', ['batch', 2])];
  const total = build.op('Add', [a, b], 'total');
  const model = build.outputs(build.op('Relu', [total], 'y')).model(opset);
  return { model, a, total };
}

function request(
  model: ObserveRequest['model'],
  values: readonly Value[],
  batches: readonly Feeds[],
  changes: Partial<ObserveRequest> = {},
): ObserveRequest {
  return {
    model,
    values,
    channels: new Map(),
    batches: async function* () {
      yield* batches;
    },
    samples: batches.length,
    open: passContext().open,
    progress: async () => undefined,
    maxBytes: 1 << 20,
    histograms: true,
    ...changes,
  };
}

const feeds = (...rows: [number, number][]): Feeds => ({
  a: float32([rows.length, 2], rows.flat()),
  b: float32(
    [rows.length, 2],
    rows.flatMap(() => [0, 0]),
  ),
});

describe('observe', () => {
  it('counts every element of ragged batches, with several inputs', async () => {
    const { model, total } = sum();
    const found = await observe(request(model, [total], [feeds([1, 2], [3, -4]), feeds([5, 0])]));
    const observation = found.get(total);
    expect(observation?.range).toEqual({ min: -4, max: 5 });
    expect(observation?.histogram?.total).toBe(6);
    expect(observation?.histogram?.zeros).toBe(1);
    expect(observation).toMatchObject({ elements: 4, rows: 2, notFinite: 0 });
  });

  it.each([13, 17, 18, 21])('takes means and largest magnitudes by channel in opset %i', async (opset) => {
    const { model, total } = sum(opset);
    const channels = new Map([[total, { axis: -1, rank: 2, squares: true }]]);
    const found = await observe(request(model, [total], [feeds([1, -6], [3, 2])], { channels }));
    const statistics = found.get(total)?.channels;
    expect([...(statistics?.mean ?? [])]).toEqual([2, -2]);
    expect([...(statistics?.meanSquare ?? [])]).toEqual([5, 20]);
    expect([...(statistics?.absMax ?? [])]).toEqual([3, 6]);
  });

  it('weighs each batch by its elements', async () => {
    const { model, total } = sum();
    const channels = new Map([[total, { axis: -1, rank: 2, squares: true }]]);
    const batches = [feeds([1, -6], [3, 2], [5, 1]), feeds([7, 3])];
    const statistics = (await observe(request(model, [total], batches, { channels }))).get(total)?.channels;
    expect([...(statistics?.mean ?? [])]).toEqual([4, 0]);
    expect([...(statistics?.meanSquare ?? [])]).toEqual([21, 12.5]);
  });

  it('leaves out batches that make a tensor empty', async () => {
    const build = new ModelBuilder();
    const [x, keep] = [build.input('x', ['batch', 2]), build.input('keep', ['batch'], 'bool')];
    const kept = build.op('Compress', [x, keep], 'kept', { axis: 0 });
    const model = build.outputs(build.op('Relu', [kept], 'y')).model();
    const batch = (...keeps: number[]): Feeds => ({
      x: float32([2, 2], [1, -6, 3, 2]),
      keep: { dtype: 'bool', shape: [2], data: Uint8Array.from(keeps) },
    });
    const channels = new Map([[kept, { axis: -1, rank: 2, squares: true }]]);
    const batches = [batch(0, 0), batch(1, 1), batch(0, 0)];
    const observation = (await observe(request(model, [kept], batches, { channels }))).get(kept);
    expect(observation).toMatchObject({ range: { min: -6, max: 3 }, notFinite: 0, elements: 4 });
    expect([...(observation?.channels?.mean ?? [])]).toEqual([2, -2]);
  });

  it('tells the size of batches by the largest of the first samples, where the model leaves it open', async () => {
    const build = new ModelBuilder();
    const y = build.op('Abs', [build.input('x', ['batch', 'time'])], 'y');
    const model = build.outputs(y).model();
    const asked: (number | undefined)[] = [];
    const lengths = [1, 4, 2, 1];
    await observe(
      request(model, [y], [], {
        maxBytes: 32,
        batches: async function* (batchSize) {
          asked.push(batchSize);
          for (const length of lengths) yield { x: float32([1, length], new Array(length).fill(1)) };
        },
      }),
    );
    // Four floats a sample and not one: two samples make 32 bytes.
    expect(asked).toEqual([1, 2]);
  });

  it('leaves out batches that hold NaN or infinity, and counts them', async () => {
    const { model, total } = sum();
    const batches = [feeds([1, 2]), feeds([Number.NaN, 9]), feeds([Number.POSITIVE_INFINITY, 9]), feeds([-3, 0])];
    const observation = (await observe(request(model, [total], batches, { histograms: false }))).get(total);
    expect(observation?.range).toEqual({ min: -3, max: 2 });
    expect(observation?.notFinite).toBe(2);
  });

  it('has no observation of a tensor that is never finite', async () => {
    const { model, total } = sum();
    const found = await observe(request(model, [total], [feeds([Number.NaN, Number.NaN])]));
    expect(found.size).toBe(0);
  });

  it('takes one sample, and a tensor that is constant', async () => {
    const { model, total } = sum();
    const observation = (await observe(request(model, [total], [feeds([7, 7])]))).get(total);
    expect(observation?.range).toEqual({ min: 7, max: 7 });
    expect(observation?.histogram).toBeNull();
  });

  it('asks for smaller batches where a usual one is too much at once', async () => {
    const { model, a, total } = sum();
    const asked: (number | undefined)[] = [];
    const rows: [number, number][] = [
      [1, 2],
      [3, 4],
      [5, 6],
      [7, 8],
    ];
    const found = await observe(
      request(model, [a, total], [], {
        maxBytes: 32,
        batches: async function* (batchSize) {
          asked.push(batchSize);
          const size = batchSize ?? 4;
          for (let row = 0; row < 4; row += size) yield feeds(...rows.slice(row, row + size));
        },
      }),
    );
    // The first batch is one sample and tells the sizes: two values of two floats a row, 16 bytes.
    expect(asked).toEqual([1, 2]);
    expect(found.get(total)?.histogram?.total).toBe(8);
  });

  it('gives histograms an even part of the elements of long tensors, from every place of a row', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', ['batch', 6]);
    const y = build.op('Abs', [x], 'y');
    const model = build.outputs(y).model(17);
    // Two thirds of a place each: a step that divides the length of a row would meet only one of them.
    const row = [1, 2, 3, 4, 5, 6];
    const rows = 400_000;
    const found = await observe(
      request(
        model,
        [y],
        [
          {
            x: float32(
              [rows, 6],
              Array.from({ length: rows * 6 }, (_, at) => row[at % 6] ?? 0),
            ),
          },
        ],
        {
          samples: rows,
          maxBytes: 1 << 26,
        },
      ),
    );
    const histogram = found.get(y)?.histogram;
    expect(histogram?.total).toBeLessThanOrEqual(1 << 18);
    expect(histogram?.total).toBeGreaterThan(1 << 16);
    const filled = [...(histogram?.counts ?? [])].filter((count) => count > 0);
    expect(filled).toHaveLength(6);
    expect(Math.max(...filled) - Math.min(...filled)).toBeLessThanOrEqual(1);
  });

  it('refuses data without samples', async () => {
    const { model, total } = sum();
    await expect(observe(request(model, [total], []))).rejects.toMatchObject({ code: 'data-empty' });
  });
});
