import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openModel } from '../../../native-workers/formats/registry.ts';
import type { HoneError } from '../../../native-workers/protocol/errors.ts';
import type { RunRequest } from '../../../native-workers/protocol/request.ts';
import { checkData } from '../../../native-workers/worker/check-data.ts';
import { floats, longs, writeNpz } from '../../helpers/npz.ts';
import { temporaryFolder } from '../../helpers/temp.ts';
import { tinyOnnx } from '../../helpers/tiny-onnx.ts';

const context = { progress: async () => undefined, log: () => undefined };
const FORTY = floats(
  [40, 3],
  Array.from({ length: 120 }, (_, index) => index % 7),
);
/** The last one, far past the first batch of 32, is `last`. */
const labels = (last: number) =>
  longs(
    [40],
    Array.from({ length: 40 }, (_, index) => (index === 39 ? last : index % 3)),
  );

/** A model of three classes in a folder of its own; `batch` fixes its batch. */
async function check(changes: Partial<RunRequest>, batch: number | string = 'n'): Promise<HoneError | 'fits'> {
  const model = join(temporaryFolder(), 'model.onnx');
  const nodes = [{ type: 'Relu', inputs: ['x'], outputs: ['scores'] }];
  writeFileSync(
    model,
    tinyOnnx({ nodes, inputs: [{ name: 'x', shape: [batch, 3] }], outputs: [{ name: 'scores', shape: [batch, 3] }] }),
  );
  const recipe = { schema: 1 as const, name: 't', steps: [] };
  const request = { model, recipe, seed: 0, benchmark: {}, budgets: {}, ...changes };
  return checkData(await openModel(model), request, context).then(
    () => 'fits' as const,
    (thrown: HoneError) => thrown,
  );
}

const csv = (text: string): string => {
  const path = join(temporaryFolder(), 'data.csv');
  writeFileSync(path, text);
  return path;
};

describe('checkData', () => {
  it('lets data pass that fits, and a run without data', async () => {
    const data = await writeNpz(join(temporaryFolder(), 'data.npz'), { x: FORTY, labels: labels(2) });
    expect(await check({ calibration: data, evaluation: data })).toBe('fits');
    expect(await check({})).toBe('fits');
  });

  it.each([
    ['a file that is not there', null, 'file-missing', 'gone.csv'],
    ['a table without rows', 'x,label\n', 'data-empty', 'no rows'],
    ['columns that are not the inputs', 'a,label\n"[1,2]",0\n', 'data-mismatch', "'x'"],
    ['samples of another shape', 'x,label\n"[1,2]",0\n', 'data-mismatch', 'takes [3]'],
  ])('tells of %s, as calibration and as evaluation', async (_name, text, code, named) => {
    const path = text === null ? join(temporaryFolder(), 'gone.csv') : csv(text);
    for (const field of ['calibration', 'evaluation']) {
      expect(await check({ [field]: path })).toMatchObject({ code, message: expect.stringContaining(named) });
    }
  });

  it('tells of a label past the classes wherever it stands, but not where it is not used', async () => {
    const data = await writeNpz(join(temporaryFolder(), 'data.npz'), { x: FORTY, labels: labels(3) });
    const message = 'The label of 39 is 3; the model has the classes 0 to 2.';
    expect(await check({ evaluation: data })).toMatchObject({ code: 'labels-invalid', message, where: { file: data } });
    expect(await check({ calibration: data })).toBe('fits');
    // Of 2 samples, in the shares of the classes, the odd one is none.
    expect(await check({ evaluation: data, samples: 2 })).toBe('fits');
  });

  it('tells of data on which the model gives no finite number, and looks further than the first batch for one', async () => {
    const numbers = (finite: number | null): string =>
      csv(`x\n${Array.from({ length: 40 }, (_, row) => `"[${row === finite ? 1 : '1e39'},1e39,1e39]"\n`).join('')}`);
    const broken = numbers(null);
    expect(await check({ evaluation: broken })).toMatchObject({
      code: 'outputs-not-finite',
      message: expect.stringContaining('on all samples of data.csv'),
      where: { file: broken },
    });
    expect(await check({ evaluation: numbers(39) })).toBe('fits');
  });

  it('tells of a number of classes that the model cannot have', async () => {
    const data = csv('x,label\n"[1,2,3]",cat\n"[1,2,3]",dog\n');
    expect(await check({ evaluation: data })).toMatchObject({ code: 'labels-invalid' });
    expect(await check({ calibration: data })).toBe('fits');
  });

  it('tells of a batch that the model does not take, with the input and its shape', async () => {
    const message = "Input 'x' [8, 3] has a batch that is fixed at 8, so it cannot be run with 2.";
    expect(await check({ benchmark: { batch: [2] } }, 8)).toMatchObject({ code: 'data-mismatch', message });
    expect(await check({ benchmark: { batch: [8, 2] } }, 8)).toMatchObject({ code: 'data-mismatch', message });
    expect(await check({ benchmark: { batch: [8] } }, 8)).toBe('fits');
    expect(await check({ benchmark: { batch: [1, 5] } })).toBe('fits');
  });

  it('asks for data where a recipe calibrates and no inputs can be made up', async () => {
    const model = join(temporaryFolder(), 'open.onnx');
    const weights = [{ name: 'w', shape: [48, 8], data: new Float32Array(384) }];
    const nodes = [{ type: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }];
    const shape = ['n', 'time', 'width'];
    writeFileSync(model, tinyOnnx({ nodes, weights, inputs: [{ name: 'x', shape }], outputs: [{ name: 'y', shape }] }));
    const checkWith = async (pass: string): Promise<void> => {
      const recipe = { schema: 1 as const, name: 't', steps: [{ pass }] };
      const request = { model, recipe, seed: 0, benchmark: {}, budgets: {} };
      await checkData(await openModel(model), request, context);
    };
    await expect(checkWith('quantize-static')).rejects.toMatchObject({
      code: 'data-missing',
      message: expect.stringContaining("'x' ["),
    });
    await checkWith('clean');
  });
});
