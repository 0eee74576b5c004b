/** Real data of every kind looked at before a run, through the real engine: sounds, texts, tables and arrays of numbers. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Locator } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { floats, writeNpz } from '../helpers/npz.ts';
import { BLUE, solid, writeFiles } from '../helpers/sample-pictures.ts';
import { openStudio, type StudioPage } from '../helpers/studio.ts';
import { tinyOnnx } from '../helpers/tiny-onnx.ts';
import { sixteen, wave } from '../helpers/wave.ts';
import { wordTokenizer } from '../helpers/word-tokenizer.ts';

/** Scores of two classes from `width` numbers of a kind. */
function scorer(input: string, width: number, code = 1): Uint8Array {
  const cast = code === 1 ? [] : [{ type: 'Cast', inputs: [input], outputs: ['x'], ints: { to: 1 } }];
  return tinyOnnx({
    nodes: [...cast, { type: 'MatMul', inputs: [code === 1 ? input : 'x', 'w'], outputs: ['scores'] }],
    inputs: [{ name: input, code, shape: ['n', width] }],
    outputs: [{ name: 'scores', shape: ['n', 2] }],
    weights: [{ name: 'w', shape: [width, 2], data: new Float32Array(width * 2).fill(0.5) }],
  });
}

const tone = (hertz: number): Buffer =>
  wave({
    data: sixteen(
      ...Array.from({ length: 8000 }, (_, at) => Math.round(16384 * Math.sin((2 * Math.PI * hertz * at) / 8000))),
    ),
  });

describe.each(['light', 'dark'] as const)('data in %s', (colorScheme) => {
  let folder: string;
  let studio: StudioPage;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'hone-previews-'));
    studio = await openStudio('browser', { library: join(folder, 'library'), colorScheme });
  });

  afterEach(() => {
    expect(studio.troubles).toEqual([]);
  });

  afterAll(async () => {
    await studio?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The preview of what lies at `path`, for the model. */
  async function look(name: string, model: Uint8Array, path: string): Promise<Locator> {
    const file = join(folder, `${name}.onnx`);
    writeFileSync(file, model);
    await studio.openLibrary();
    await studio.openModel(file);
    await studio.page.getByRole('tab', { name: 'Recipe and run' }).click();
    const region = studio.page.getByRole('region', { name: 'Evaluation' });
    const taken = region.getByRole('button', { name: 'Clear Evaluation' });
    if ((await taken.count()) > 0) await taken.click();
    await studio.page.getByLabel('Evaluation: Path on the engine’s machine').fill(path);
    await studio.page.keyboard.press('Enter');
    await studio.button('Look at Evaluation').click();
    const dialog = studio.page.getByRole('dialog', { name: /^What the model will be fed/ });
    await dialog.getByText(/\d+ samples?, /).waitFor();
    await studio.screenshot(`preview-${name}-${colorScheme}`);
    return dialog;
  }

  const close = (): Promise<void> => studio.button('Close').click();

  it('shows sounds as waves, with how long they are', async () => {
    const sounds = writeFiles(join(folder, 'sounds'), {
      'low/a.wav': tone(110),
      'high/b.wav': tone(880),
      'preprocess.json': '{ "sampleRate": 8000 }',
    });
    const dialog = await look('sounds', scorer('sound', 8000), sounds);
    expect(await dialog.getByRole('img').count()).toBe(2);
    const low = dialog.getByRole('listitem').filter({ hasText: 'low/a.wav' });
    await low.getByRole('img', { name: 'low/a.wav' }).waitFor();
    expect(await low.textContent()).toMatch(/sound 8000, 1\.00 s.*−0\.5 to 0\.5.*label low/);
    await close();
  });

  it('shows texts as the tokens that the model reads, each with its number', async () => {
    const lines = ['{"text":"a b zebra","label":0}', '{"text":"d","label":1}'].join('\n');
    const texts = writeFiles(join(folder, 'texts'), { 'd.jsonl': lines, 'tokenizer.json': wordTokenizer });
    const dialog = await look('texts', scorer('input_ids', 6, 7), join(texts, 'd.jsonl'));
    const tokens = dialog.getByRole('list', { name: '0', exact: true }).getByRole('listitem');
    // The model has no mask, so what fills the text up is read like the rest.
    expect(await tokens.allTextContents()).toEqual(['[CLS]2', 'a4', 'b5', '[UNK]1', '[SEP]3', '[PAD]0']);
    await dialog.getByText('sample 0').waitFor();
    await close();
  });

  it('shows rows of numbers as a table with the names of their columns', async () => {
    const table = join(
      writeFiles(join(folder, 'tables'), {
        'd.csv': 'length,width,label,group\n5.1,3.5,0,north\n4.9,nothing,1,south\n6,2.25,1,south\n',
      }),
      'd.csv',
    );
    const dialog = await look('table', scorer('features', 2), table);
    const rows = dialog.getByRole('table').getByRole('row');
    expect(await rows.first().getByRole('columnheader').allTextContents()).toEqual([
      'sample',
      'length',
      'width',
      'label',
      'group',
    ]);
    expect(await rows.nth(1).textContent()).toBe('05.13.50north');
    expect(await rows.nth(2).textContent()).toBe('262.251south');
    expect(await rows.count()).toBe(3);
    await dialog.getByText('1 sample could not be read').click();
    await dialog.getByText(/nothing/).waitFor();
    await close();
  });

  it('shows where the objects of a picture are after it was resized', async () => {
    const annotations = {
      images: [{ id: 1, file_name: 'a.png', width: 40, height: 20 }],
      annotations: [
        { image_id: 1, category_id: 3, bbox: [0, 0, 20, 10] },
        { image_id: 1, category_id: 5, bbox: [20, 10, 20, 10] },
      ],
      categories: [
        { id: 3, name: 'cat' },
        { id: 5, name: 'dog' },
      ],
    };
    const objects = writeFiles(join(folder, 'objects'), {
      'a.png': await solid(BLUE, 40, 20),
      'annotations.json': JSON.stringify(annotations),
    });
    const model = tinyOnnx({
      nodes: [{ type: 'Relu', inputs: ['image'], outputs: ['map'] }],
      inputs: [{ name: 'image', shape: ['n', 3, 16, 16] }],
      outputs: [{ name: 'map', shape: ['n', 3, 16, 16] }],
    });
    const dialog = await look('objects', model, objects);
    await dialog.getByText('1 × cat, 1 × dog').waitFor();
    const boxes = dialog.locator('.preview-boxes rect');
    const corners = await boxes.evaluateAll((all) =>
      all.map((box) => ['x', 'y', 'width', 'height'].map((name) => Number(box.getAttribute(name)))),
    );
    // Twice as wide as high: what is left and right of the middle is cropped away, of the boxes too.
    expect(corners).toEqual([
      [0, 0, 8, 8],
      [8, 8, 8, 8],
    ]);
    await close();
  });

  it('marks in a table what is no number', async () => {
    const path = await writeNpz(join(folder, 'd.npz'), { x: floats([2, 2], [1, Number.NaN, 3, 4]) });
    const dialog = await look('numbers', scorer('x', 2), path);
    const row = dialog.getByRole('table').getByRole('row').nth(1);
    expect(await row.textContent()).toBe('01not a number');
    await close();
  });
});
