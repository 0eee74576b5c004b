import { describe, expect, it } from 'vitest';
import {
  parametersFor,
  type QuantizationParameters,
} from '../../../native-workers/calibrate/quantization-parameters.ts';
import { readerErrors } from '../../../native-workers/calibrate/reader-error.ts';
import type { Feeds } from '../../../native-workers/lib/engine.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { float32, passContext } from '../../helpers/passes.ts';

async function* batches(...feeds: Feeds[]): AsyncGenerator<Feeds> {
  yield* feeds;
}

const uint8 = (min: number, max: number): QuantizationParameters => parametersFor({ min, max }, 'uint8', false);

describe('readerErrors', () => {
  it('gives the squared error over the power of what the readers make, by candidate', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', ['batch', 2]);
    const doubled = build.op('MatMul', [x, build.weight('w', [2, 2], 1)], 'y');
    const model = build.outputs(doubled).model();
    const weight = [...model.graph.initializers][0]?.tensor;
    const [a = 0, b = 0, c = 0, d = 0] = new Float32Array(weight?.data.read().buffer ?? new ArrayBuffer(0));
    const readers = [...x.consumers];
    // The second candidate clips 2 to 1; the first holds 0, 1 and 2 exactly, as 255 divides by 3.
    const judged = [{ value: x, readers, candidates: [uint8(0, 3), uint8(0, 1)] }];
    const [errors] = await readerErrors(model, judged, batches({ x: float32([1, 2], [1, 2]) }), passContext().open);
    const power = (a + 2 * c) ** 2 + (b + 2 * d) ** 2;
    expect(errors?.[0]).toBeCloseTo(0, 9);
    expect(errors?.[1]).toBeCloseTo((c ** 2 + d ** 2) / power, 5);
  });

  it('adds up over readers and batches, and leaves the model as it was', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', ['batch', 2]);
    const model = build.outputs(build.op('Sqrt', [x], 'root'), build.op('Neg', [x], 'minus')).model();
    const judged = [{ value: x, readers: [...x.consumers], candidates: [uint8(0, 1)] }];
    const feeds = { x: float32([1, 2], [0, 4]) };
    const [errors] = await readerErrors(model, judged, batches(feeds, feeds), passContext().open);
    // sqrt: (2 - 1)^2 / 4; neg: (4 - 1)^2 / 16; two batches.
    expect(errors?.[0]).toBeCloseTo(2 * (1 / 4 + 9 / 16), 5);
    expect(model.graph.nodes.size).toBe(2);
    expect(model.graph.outputs).toHaveLength(2);
  });

  it('finds no error where nothing reads the values', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', ['batch', 2]);
    const root = build.op('Sqrt', [x], 'root');
    const judged = [{ value: root, readers: [], candidates: [uint8(0, 1), uint8(0, 2)] }];
    const model = build.outputs(root).model();
    const feeds = { x: float32([1, 2], [0, 4]) };
    expect(await readerErrors(model, judged, batches(feeds), passContext().open)).toEqual([[0, 0]]);
  });
});
