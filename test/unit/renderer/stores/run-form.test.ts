import { describe, expect, it } from 'vitest';
import type { Grant, PassInfo, TargetInfo } from '../../../../native-workers/protocol/studio.ts';
import { studioRunRequestSchema } from '../../../../native-workers/protocol/studio.ts';
import { newStep } from '../../../../renderer/stores/recipe-form.ts';
import {
  EMPTY_RUN_FORM,
  parsePreprocess,
  type RunForm,
  readRun,
  requestFields,
} from '../../../../renderer/stores/run-form.ts';

const model: Grant = { id: 'grant-1', name: 'model.onnx', kind: 'file', bytes: 10 };
const pass: PassInfo = { id: 'clean', title: '', summary: '', family: 'clean', lossy: false, needs: [], options: [] };
const target: TargetInfo = {
  id: 'tflite',
  title: '',
  summary: '',
  options: [
    { name: 'precision', description: '', kind: 'choice', default: 'float32', choices: ['float32', 'float16'] },
    { name: 'batch', description: '', kind: 'integer', default: 1, minimum: 0, maximum: 64 },
  ],
};
const read = (change: Partial<RunForm>, grant: Grant | null = model, steps = [newStep(pass)]) =>
  readRun(grant, { name: 'mine' }, steps, { ...EMPTY_RUN_FORM, ...change }, { passes: [pass], targets: [target] });

describe('readRun', () => {
  it('asks for no more than what was filled in', () => {
    expect(read({})).toEqual({
      problems: {},
      request: {
        model: 'grant-1',
        recipe: { schema: 1, name: 'mine', steps: [{ pass: 'clean' }] },
        seed: 0,
        benchmark: {},
        budgets: {},
      },
    });
  });

  it('puts every field where the protocol has it', () => {
    const { request, problems } = read({
      calibration: { ...model, id: 'grant-2' },
      evaluation: { ...model, id: 'grant-3' },
      tokenizer: { ...model, id: 'grant-4' },
      samples: '500',
      seed: '7',
      height: '224',
      width: '192',
      resize: 'shorter',
      crop: '0.875',
      color: 'bgr',
      scale: '0.00392',
      mean: '0.5, 0.4, 0.3',
      std: '0.2 0.2 0.2',
      layout: 'nhwc',
      maxLength: '64',
      sampleRate: '16000',
      provider: 'cpu, webgpu',
      threads: '1, 2',
      batch: '1 8',
      seconds: '20',
      profile: true,
      sustained: '0.5',
      maxDrop: '1',
      maxMs: '12.5',
      maxMb: '4',
    });
    expect(problems).toEqual({});
    expect(studioRunRequestSchema.parse(request)).toEqual({
      model: 'grant-1',
      recipe: { schema: 1, name: 'mine', steps: [{ pass: 'clean' }] },
      calibration: 'grant-2',
      evaluation: 'grant-3',
      samples: 500,
      seed: 7,
      preprocess: {
        size: [224, 192],
        resize: 'shorter',
        crop: 0.875,
        color: 'bgr',
        scale: 0.00392,
        mean: [0.5, 0.4, 0.3],
        std: [0.2, 0.2, 0.2],
        layout: 'nhwc',
        tokenizer: 'grant-4',
        maxLength: 64,
        sampleRate: 16_000,
      },
      benchmark: {
        provider: ['cpu', 'webgpu'],
        threads: [1, 2],
        batch: [1, 8],
        seconds: 20,
        profile: true,
        sustained: 0.5,
      },
      budgets: { maxDrop: 1, maxMs: 12.5, maxMb: 4 },
    });
  });

  it.each<[keyof RunForm, string]>([
    ['seed', '-1'],
    ['seed', ''],
    ['samples', '0'],
    ['threads', '1.5'],
    ['batch', '1, none'],
    ['seconds', '0'],
    ['crop', '2'],
    ['std', '0.2, 0, 0.2'],
    ['maxDrop', '-1'],
    ['maxMb', 'small'],
  ])('finds a problem in %s = “%s” and makes no request', (field, text) => {
    const { request, problems } = read({ [field]: text });
    expect(request).toBeNull();
    expect(Object.keys(problems)).toEqual([field]);
  });

  it('asks for options of targets that are chosen and differ, and finds problems in these alone', () => {
    const targetValues = { tflite: { precision: 'float32', batch: '2' } };
    expect(read({ targetValues }).request).not.toHaveProperty('targetOptions');
    expect(read({ targetValues, targets: ['tflite'] }).request?.targetOptions).toEqual({ tflite: { batch: 2 } });
    const wrong = { tflite: { batch: '65' } };
    expect(read({ targetValues: wrong }).problems).toEqual({});
    expect(Object.keys(read({ targetValues: wrong, targets: ['tflite'] }).problems)).toEqual(['tflite.batch']);
  });

  it('wants both sides of a size', () => {
    expect(read({ height: '224' }).problems).toEqual({ height: 'Give both height and width.' });
  });

  it('wants a model and a pass', () => {
    expect(Object.keys(read({}, null, []).problems)).toEqual(['model', 'steps']);
  });
});

describe('the form from what is known', () => {
  it('fills in the request of an earlier run, so that it asks for the same again', () => {
    const filled: Partial<RunForm> = {
      samples: '60',
      height: '32',
      width: '32',
      crop: 'no',
      threads: '1, 2',
      maxMb: '2',
      targets: ['ort', 'tflite'],
      targetValues: { tflite: { precision: 'float16', batch: '4' } },
    };
    const { request } = read(filled);
    expect(request?.targetOptions).toEqual({ tflite: { precision: 'float16', batch: 4 } });
    expect(read(requestFields({ ...request }, [target])).request).toEqual(request);
  });

  it('leaves the form alone when the request is not understood', () => {
    expect(requestFields({ samples: 'many' }, [target])).toEqual({});
  });

  it('reads preprocess.json, and says what is wrong with it', () => {
    const good = parsePreprocess('{"size":[32,48],"mean":[0.5],"crop":true}');
    expect(good).toMatchObject({ ok: true, value: { height: '32', width: '48', mean: '0.5', crop: 'yes' } });
    expect(parsePreprocess('{"size":[32]}')).toEqual({ ok: false, problem: expect.stringMatching(/^size/) });
    expect(parsePreprocess('nonsense')).toEqual({ ok: false, problem: expect.stringMatching(/not valid JSON/) });
  });
});
