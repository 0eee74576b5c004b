import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../../../native-workers/datasets/open-dataset.ts';
import { previewDataset } from '../../../native-workers/datasets/preview.ts';
import { floats, texts, writeNpz } from '../../helpers/npz.ts';
import { picture, solid, writeFiles } from '../../helpers/sample-pictures.ts';
import { pictures, signature } from '../../helpers/signatures.ts';
import { temporaryFolder } from '../../helpers/temp.ts';
import { sixteen, wave } from '../../helpers/wave.ts';
import { wordTokenizer } from '../../helpers/word-tokenizer.ts';

async function pixelsOf(address: string | undefined): Promise<number[]> {
  const png = Buffer.from((address ?? '').replace('data:image/png;base64,', ''), 'base64');
  return [...(await sharp(png).raw().toBuffer())];
}

describe('previewDataset', () => {
  it.each([
    ['rgb', 'nchw'],
    ['bgr', 'nhwc'],
  ] as const)('gives the %s picture back that the model sees in %s', async (color, layout) => {
    const values = [200, 100, 50, 0, 0, 0, 255, 255, 255, 1, 2, 3];
    const folder = writeFiles(temporaryFolder(), {
      'a/x.png': await picture(values, 2, 2, 3),
      'b/y.png': await solid({ r: 1, g: 2, b: 3 }, 2, 2),
    });
    const model =
      layout === 'nchw'
        ? pictures(3, 2, 2)
        : signature({ input: ['float32', ['n', 2, 2, 3]] }, { y: ['float32', ['n', 2]] });
    const preprocess = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], color };
    const data = await openDataset(folder, model, { preprocess });
    const preview = await previewDataset(data, model, { count: 1 });
    expect(preview.first).toHaveLength(1);
    const [{ sample = '' } = {}] = preview.first;
    expect(['a/x.png', 'b/y.png']).toContain(sample);
    const { first: again } = await previewDataset(data, model, { only: ['a/x.png'], seed: 0 });
    expect(again).toHaveLength(1);
    expect(again[0]).toMatchObject({ sample: 'a/x.png', label: 'a' });
    const input = again[0]?.inputs[0];
    expect(await pixelsOf(input?.picture)).toEqual(values);
    expect(input?.minimum).toBeCloseTo(-2.118, 2);
    await data.close();
  });

  it('shows numbers with their range, and counts those that are none', async () => {
    const path = await writeNpz(join(temporaryFolder(), 'd.npz'), {
      x: floats([2, 3], [1, Number.NaN, 3, 7, 7, 7]),
      labels: texts(['u', 'v']),
    });
    const model = signature({ x: ['float32', ['n', 3]] }, { y: ['float32', ['n', 2]] });
    const data = await openDataset(path, model);
    const { first } = await previewDataset(data, model, { count: 5 });
    expect(
      first.map(({ label, inputs }) => [
        label,
        inputs[0]?.minimum,
        inputs[0]?.maximum,
        inputs[0]?.mean,
        inputs[0]?.notFinite,
      ]),
    ).toEqual([
      ['u', 1, 3, 2, 1],
      ['v', 7, 7, 7, 0],
    ]);
    await data.close();
  });

  it('shows arrays of the shape of pictures from black to white, as their normalisation is not known', async () => {
    const values = [-2, 0, 2, 0, -2, -2, 2, 2, 0, 0, 0, 0];
    const path = await writeNpz(join(temporaryFolder(), 'd.npz'), { input: floats([1, 3, 2, 2], values) });
    const model = pictures(3, 2, 2);
    const data = await openDataset(path, model);
    const [sample] = (await previewDataset(data, model, { count: 1 })).first;
    expect(sample?.inputs[0]).toMatchObject({ stretched: true, minimum: -2, maximum: 2 });
    // Planes of -2 to 2 become pixels of 0 to 255.
    expect(await pixelsOf(sample?.inputs[0]?.picture)).toEqual([0, 0, 128, 128, 0, 128, 255, 255, 128, 128, 255, 128]);
    await data.close();
  });

  it('shows texts as tokens, and tells which of them only fill up', async () => {
    const folder = writeFiles(temporaryFolder(), {
      'd.jsonl': '{"text":"a ab","label":1}\n',
      'tokenizer.json': wordTokenizer,
    });
    const ids = ['int64', ['n', 6]] as const;
    const model = signature({ input_ids: ids, attention_mask: ids }, { y: ['float32', ['n', 2]] });
    const data = await openDataset(join(folder, 'd.jsonl'), model);
    const [sample] = (await previewDataset(data, model, { count: 1 })).first;
    const token = (id: number, text: string, masked = false) => ({ id, text, masked });
    expect(sample?.inputs[0]).toMatchObject({
      text: 'a',
      tokens: [
        token(2, '[CLS]'),
        token(4, 'a'),
        token(1, '[UNK]'),
        token(3, '[SEP]'),
        token(0, '[PAD]', true),
        token(0, '[PAD]', true),
      ],
    });
    expect(sample?.inputs[0]).not.toHaveProperty('values');
    expect(sample?.inputs[1]).toMatchObject({ name: 'attention_mask', values: [1, 1, 1, 1, 0, 0] });
    await data.close();
  });

  it('names the columns that numbers come from, and how long a sound is', async () => {
    const table = writeFiles(temporaryFolder(), { 'd.csv': 'length,width,label\n1,2,0\n' });
    const two = signature({ x: ['float32', ['n', 2]] }, { y: ['float32', ['n', 2]] });
    const rows = await openDataset(join(table, 'd.csv'), two);
    const [row] = (await previewDataset(rows, two, { count: 1 })).first;
    expect(row?.inputs[0]).toMatchObject({ values: [1, 2], columns: ['length', 'width'] });
    const sounds = writeFiles(temporaryFolder(), { 'a.wav': wave({ rate: 8000, data: sixteen(1, 2, 3, 4) }) });
    const four = signature({ x: ['float32', ['n', 4]] }, { y: ['float32', ['n', 2]] });
    const data = await openDataset(sounds, four, { preprocess: { sampleRate: 8000 } });
    const [sound] = (await previewDataset(data, four, { count: 1 })).first;
    expect(sound?.inputs[0]).toMatchObject({ seconds: 0.0005 });
    await data.close();
  });

  it('shows samples of different classes, and others where those cannot be read', async () => {
    const files: Record<string, Buffer | string> = {};
    for (const name of ['a', 'b', 'c', 'd']) {
      for (let index = 0; index < 10; index++) files[`${name}/${index}.png`] = await solid({ r: 9, g: 9, b: 9 }, 2, 2);
    }
    const model = pictures(3, 2, 2);
    const classesOf = async (): Promise<(string | null)[]> => {
      const data = await openDataset(writeFiles(temporaryFolder(), files), model);
      const { first } = await previewDataset(data, model, { count: 4 });
      await data.close();
      return first.map(({ label }) => label);
    };
    expect(await classesOf()).toEqual(['a', 'b', 'c', 'd']);
    for (let index = 0; index < 10; index++) files[`c/${index}.png`] = 'no picture';
    expect([...(await classesOf())].sort()).toEqual(['a', 'a', 'b', 'd']);
  });

  it('finds the samples that a run used by their names', async () => {
    const files: Record<string, Buffer> = {};
    for (let index = 0; index < 9; index++) files[`a/${index}.png`] = await solid({ r: index, g: 9, b: 9 }, 2, 2);
    const model = pictures(3, 2, 2);
    const data = await openDataset(writeFiles(temporaryFolder(), files), model);
    const used: string[] = [];
    for await (const { samples } of data.batches(1, { limit: 3, seed: 5 })) used.push(...samples);
    const { first } = await previewDataset(data, model, { only: [...used, 'a/none.png'], limit: 3, seed: 5 });
    expect(first.map(({ sample }) => sample)).toEqual(used);
    await data.close();
  });
});
