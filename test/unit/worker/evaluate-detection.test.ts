/** A detector from pictures and COCO annotations to mean average precision, against values worked out by hand. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeOnnx } from '../../../native-workers/formats/onnx/write.ts';
import { openModel } from '../../../native-workers/formats/registry.ts';
import { tensorFromFloat32 } from '../../../native-workers/graph/tensor-values.ts';
import { JOBS } from '../../../native-workers/protocol/jobs.ts';
import { checkData } from '../../../native-workers/worker/check-data.ts';
import { evaluate } from '../../../native-workers/worker/evaluate.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { solid, writeFiles } from '../../helpers/sample-pictures.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

const FIRST = [0, 0, 0.5, 0.5];
const WRONG = [0.5, 0, 1, 0.5];
const SECOND = [0.5, 0.5, 1, 1];

/** Always the same three boxes; the scores are those given, times the brightness of the picture. */
async function detector(scores: readonly number[]): Promise<string> {
  const build = new ModelBuilder();
  const constant = (name: string, values: readonly number[], shape: readonly number[]) =>
    build.graph.addInitializer(name, tensorFromFloat32(Float32Array.from(values), shape));
  const brightness = build.op('ReduceMean', [build.input('image', [1, 3, 8, 8])], 'brightness', { keepdims: 0 });
  const nothing = build.op('Mul', [brightness, constant('zero', [0], [])], 'nothing');
  const boxes = build.op('Add', [nothing, constant('corners', [...FIRST, ...WRONG, ...SECOND], [1, 3, 4])], 'boxes');
  const table = build.op('Mul', [brightness, constant('table', scores, [1, 3, scores.length / 3])], 'scores');
  const path = join(temporaryFolder(), 'detector.onnx');
  await writeOnnx(build.outputs(boxes, table).model(), path);
  return path;
}

/** A bright picture with an object of each of two classes, a darker one with the first alone; a third class is nowhere. */
async function pictures(): Promise<string> {
  const gray = (value: number) => solid({ r: value, g: value, b: value }, 8, 8);
  const image = (id: number, name: string) => ({ id, file_name: name, width: 8, height: 8 });
  const annotation = (image_id: number, category_id: number, bbox: number[]) => ({ image_id, category_id, bbox });
  return writeFiles(temporaryFolder(), {
    'bright.png': await gray(255),
    'dark.png': await gray(127),
    'annotations.json': JSON.stringify({
      images: [image(1, 'bright.png'), image(2, 'dark.png')],
      annotations: [annotation(1, 10, [0, 0, 4, 4]), annotation(1, 20, [4, 4, 4, 4]), annotation(2, 10, [0, 0, 4, 4])],
      categories: [10, 20, 30].map((id) => ({ id, name: `category ${id}` })),
    }),
  });
}

/** TensorFlow's outputs: y before x, classes and scores of the same three boxes. */
async function tensorFlowDetector(numbers: readonly number[]): Promise<string> {
  const build = new ModelBuilder();
  const constant = (name: string, values: readonly number[], shape: readonly number[]) =>
    build.graph.addInitializer(name, tensorFromFloat32(Float32Array.from(values), shape));
  const brightness = build.op('ReduceMean', [build.input('image', [1, 3, 8, 8])], 'brightness', { keepdims: 0 });
  const nothing = build.op('Mul', [brightness, constant('zero', [0], [])], 'nothing');
  const turned = [FIRST, WRONG, SECOND].flatMap(([x1 = 0, y1 = 0, x2 = 0, y2 = 0]) => [y1, x1, y2, x2]);
  const outputs = [
    build.op('Add', [nothing, constant('corners', turned, [1, 3, 4])], 'detection_boxes'),
    build.op('Add', [nothing, constant('numbers', numbers, [1, 3])], 'detection_classes'),
    build.op('Mul', [brightness, constant('list', [0.9, 0.8, 0.6], [1, 3])], 'detection_scores'),
  ];
  const path = join(temporaryFolder(), 'detector.onnx');
  await writeOnnx(build.outputs(...outputs).model(), path);
  return path;
}

async function evaluateDetector(
  model: string,
  data: string,
): Promise<{ readonly values: Record<string, number>; readonly notes: readonly string[] }> {
  const context = { progress: async () => undefined, log: () => undefined };
  const { metrics, notes = [] } = JOBS.evaluate.result.parse(await evaluate({ model, data, seed: 0 }, context));
  return {
    values: Object.fromEntries(metrics.map(({ name, value }) => [name, value])),
    notes: notes.filter(({ code }) => code === 'class-numbers').map(({ message }) => message),
  };
}

async function precisions(scores: readonly number[]): Promise<Record<string, number>> {
  return (await evaluateDetector(await detector(scores), await pictures())).values;
}

describe('evaluate of a detector', () => {
  // The first class is found in both pictures: 1. The second: its detections by score are a miss, a hit and two misses in a
  // picture without one, so that its precision at every recall is 1/2. The third has no object and does not count.
  const byHand = { 'map-50': expect.closeTo(0.75, 9), map: expect.closeTo(0.75, 9) };

  it('gives the mean average precision of one score for each class', async () => {
    expect(await precisions([0.9, 0, 0, 0, 0.8, 0, 0, 0.6, 0])).toEqual(byHand);
  });

  it('gives the same where the first score is that of the background', async () => {
    expect(await precisions([0.1, 0.9, 0, 0, 0.2, 0, 0.8, 0, 0.4, 0, 0.6, 0])).toEqual(byHand);
  });

  it.each([
    ['places from 0', [0, 1, 1], 'places among the classes, from 0'],
    ['places from 1', [1, 2, 2], 'places among the classes, from 1'],
    ['the ids of the annotations', [10, 20, 20], 'the ids of the annotations'],
    ['the ids less one', [9, 19, 19], 'the ids of the annotations less one'],
  ])('gives the same of a detector that numbers by %s, and says how it is read', async (_name, numbers, words) => {
    const { values, notes } = await evaluateDetector(await tensorFlowDetector(numbers), await pictures());
    expect(values).toEqual(byHand);
    expect(notes).toEqual([expect.stringContaining(`are taken for ${words}: 3 of the 3 objects`)]);
  });

  it('reads the numbers as the preprocessing says', async () => {
    const data = await pictures();
    writeFiles(data, { 'preprocess.json': '{ "classNumbers": "index-from-1" }' });
    const { values } = await evaluateDetector(await tensorFlowDetector([0, 1, 1]), data);
    // The first class goes unseen; what is called 1 is taken for it, where no object of it is.
    expect(values['map-50']).toBe(0);
  });

  it('takes the order of the classes from a list of names beside the data', async () => {
    const data = await pictures();
    writeFiles(data, { 'labels.txt': 'nothing\ncategory 20\ncategory 30\ncategory 10\n' });
    const { values, notes } = await evaluateDetector(await tensorFlowDetector([3, 1, 1]), data);
    expect(values).toEqual(byHand);
    expect(notes).toEqual([expect.stringContaining('3 of the 3 objects')]);
  });

  it('refuses a list that names some of the categories', async () => {
    const data = await pictures();
    writeFiles(data, { 'labels.txt': 'category 10\ncategory 20\n' });
    await expect(evaluateDetector(await tensorFlowDetector([0, 1, 1]), data)).rejects.toMatchObject({
      code: 'labels-invalid',
      message: expect.stringContaining("'category 30'"),
    });
  });

  it('refuses boxes of a category that the model has no score for, before any picture but the first is read', async () => {
    const data = await pictures();
    // One column of scores: that of category 10, which `dark.png` holds alone.
    const model = await detector([0.9, 0.8, 0.6]);
    const refusal = {
      code: 'labels-invalid',
      message:
        'A box of bright.png is of the category 20, which the model has no score for; the number of its scores is 1.',
    };
    await expect(evaluateDetector(model, data)).rejects.toMatchObject(refusal);
    renameSync(join(data, 'dark.png'), join(data, 'a-dark.png'));
    const annotations = join(data, 'annotations.json');
    writeFileSync(annotations, readFileSync(annotations, 'utf8').replace('dark.png', 'a-dark.png'));
    const recipe = { schema: 1 as const, name: 't', steps: [] };
    const request = { model, recipe, seed: 0, benchmark: {}, budgets: {}, evaluation: data };
    const context = { progress: async () => undefined, log: () => undefined };
    await expect(checkData(await openModel(model), request, context)).rejects.toMatchObject(refusal);
  });
});
