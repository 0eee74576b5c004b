import { describe, expect, it } from 'vitest';
import { openDataset } from '../../../native-workers/datasets/open-dataset.ts';
import type { Label } from '../../../native-workers/lib/batch.ts';
import { picture, RED, solid, writeFiles } from '../../helpers/sample-pictures.ts';
import { pictures, readBatches } from '../../helpers/signatures.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

async function labelsOf(
  files: Readonly<Record<string, string | Uint8Array>>,
  preprocess = {},
): Promise<readonly Label[]> {
  const data = await openDataset(writeFiles(temporaryFolder(), files), pictures(3, 4, 4, 3), { preprocess });
  expect(data.labelled).toBe(true);
  return (await readBatches(data, 8)).flatMap(({ labels }) => labels);
}

describe('metadata beside pictures', () => {
  it('gives labels and groups by file name', async () => {
    const red = await solid(RED);
    const files = {
      'x/a.png': red,
      'x/b.png': red,
      'c.png': red,
      'metadata.csv': 'file_name,label,group\nx/b.png,owl,old\nx/a.png,cat,new\n',
    };
    const data = await openDataset(writeFiles(temporaryFolder(), files), pictures(3, 4, 4));
    expect(data).toMatchObject({ samples: 2, classes: ['cat', 'owl'], grouped: true });
    expect((await readBatches(data, 8))[0]).toMatchObject({
      samples: ['x/a.png', 'x/b.png'],
      labels: [0, 1],
      groups: ['new', 'old'],
    });
    expect(data.notes).toContainEqual({
      code: 'pictures-without-entry',
      message: 'Pictures without an entry in metadata.csv, which are left out: 1 of 3.',
    });
    const lines = '{"file_name":"x/a.png","label":2}\n{"file_name":"x/b.png","label":0}\n';
    expect(await labelsOf({ 'x/a.png': red, 'x/b.png': red, 'metadata.jsonl': lines })).toEqual([2, 0]);
  });

  it('is refused when it is damaged or names none of the pictures', async () => {
    const red = await solid(RED);
    const open = (metadata: string): Promise<unknown> =>
      openDataset(writeFiles(temporaryFolder(), { 'a.png': red, 'metadata.jsonl': metadata }), pictures(3, 4, 4));
    await expect(open('{"file_name":')).rejects.toMatchObject({ code: 'data-unreadable' });
    await expect(open('{"file_name":"b.png"}')).rejects.toMatchObject({ code: 'data-mismatch' });
  });
});

describe('COCO annotations', () => {
  const coco = {
    images: [
      { id: 1, file_name: 'a.png', width: 8, height: 4 },
      { id: 2, file_name: 'b.png', width: 8, height: 4 },
    ],
    annotations: [
      { image_id: 1, category_id: 18, bbox: [2, 1, 4, 2] },
      { image_id: 1, category_id: 1, bbox: [0, 0, 1, 4] },
      { image_id: 1, category_id: 1, bbox: [0, 0, 8, 4], iscrowd: 1 },
    ],
    categories: [
      { id: 18, name: 'dog' },
      { id: 1, name: 'person' },
    ],
  };

  it('gives boxes as the model sees the picture', async () => {
    const wide = await solid(RED, 8, 4);
    const files = { 'images/a.png': wide, 'images/b.png': wide, 'annotations.json': JSON.stringify(coco) };
    expect(await labelsOf(files, { resize: 'stretch' })).toEqual([
      {
        kind: 'boxes',
        boxes: [
          { class: 1, box: [0.25, 0.25, 0.75, 0.75] },
          { class: 0, box: [0, 0, 0.125, 1] },
        ],
      },
      { kind: 'boxes', boxes: [] },
    ]);
    // With bars above and below, the picture fills the middle half of the height.
    expect((await labelsOf(files, { resize: 'fit' }))[0]).toMatchObject({
      boxes: [{ box: [0.25, 0.375, 0.75, 0.625] }, {}],
    });
    // The centre crop leaves the middle half of the width: the second box is cropped away.
    expect((await labelsOf(files, { resize: 'shorter' }))[0]).toEqual({
      kind: 'boxes',
      boxes: [{ class: 1, box: [0, 0.25, 1, 0.75] }],
    });
  });

  it('say which pictures and boxes are left out', async () => {
    const boxes = [...coco.annotations, { image_id: 2, category_id: 1, bbox: [9, 0, 2, 2] }];
    const files = {
      'a.png': await solid(RED, 8, 4),
      'c.png': await solid(RED, 8, 4),
      'annotations.json': JSON.stringify({ ...coco, annotations: boxes }),
    };
    const { notes } = await openDataset(writeFiles(temporaryFolder(), files), pictures(3, 4, 4));
    expect(notes.map(({ message }) => message)).toEqual(
      expect.arrayContaining([
        'Pictures without an entry in annotations.json, which are left out: 1 of 2.',
        'Entries of annotations.json whose pictures are not there: 1 of 2.',
        'Boxes in annotations.json that have no area within their picture, which are left out: 1 of 4.',
      ]),
    );
  });

  it('are refused when they contradict themselves, and ignored when the file is something else', async () => {
    const red = await solid(RED);
    const open = (json: unknown): ReturnType<typeof openDataset> =>
      openDataset(
        writeFiles(temporaryFolder(), { 'a.png': red, 'annotations.json': JSON.stringify(json) }),
        pictures(3, 4, 4),
      );
    await expect(open({ ...coco, categories: [] })).rejects.toMatchObject({ code: 'data-unreadable' });
    await expect(open({ ...coco, images: [{ id: 1 }] })).rejects.toMatchObject({ code: 'data-unreadable' });
    expect(await open({ anything: 1 })).toMatchObject({ labelled: false });
  });
});

describe('masks', () => {
  it('give a class for each pixel, placed as the picture is', async () => {
    const files = {
      'images/a.png': await solid(RED, 4, 2),
      'images/no.png': await solid(RED, 4, 2),
      'masks/a.png': await picture([0, 1, 2, 255, 0, 1, 2, 255], 4, 2, 1),
    };
    const [stretched, ...others] = await labelsOf(files, { resize: 'stretch' });
    expect(others).toEqual([]);
    const { notes } = await openDataset(writeFiles(temporaryFolder(), files), pictures(3, 4, 4));
    expect(notes).toContainEqual(expect.objectContaining({ code: 'pictures-without-entry' }));
    expect(stretched).toMatchObject({ kind: 'mask', height: 4, width: 4 });
    const classes = (label: Label | undefined): number[] =>
      typeof label === 'object' && label !== null && 'classes' in label ? [...label.classes] : [];
    expect(classes(stretched).slice(0, 8)).toEqual([0, 1, 2, 255, 0, 1, 2, 255]);
    // What the bars fill does not count.
    const [fitted] = await labelsOf(files, { resize: 'fit' });
    expect(classes(fitted)).toEqual([255, 255, 255, 255, 0, 1, 2, 255, 0, 1, 2, 255, 255, 255, 255, 255]);
  });

  it('may be in the colours of Pascal VOC, and are skipped in others', async () => {
    // Classes 1, 2, 15 and 255 of the colour map: (128,0,0), (0,128,0), (192,128,128), (224,224,192).
    const voc = await picture([128, 0, 0, 0, 128, 0, 192, 128, 128, 224, 224, 192], 4, 1, 3);
    const files = {
      'images/a.png': await solid(RED, 4, 1),
      'masks/a.png': voc,
      'images/b.png': await solid(RED, 4, 1),
      'masks/b.png': await picture([1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0], 4, 1, 3),
    };
    const data = await openDataset(writeFiles(temporaryFolder(), files), pictures(3, 1, 4));
    const [batch] = await readBatches(data, 8);
    expect(batch?.samples).toEqual(['images/a.png']);
    expect(batch?.labels[0]).toMatchObject({ classes: Uint8Array.of(1, 2, 15, 255) });
    expect(data.skipped).toMatchObject([{ sample: 'images/b.png', reason: expect.stringContaining('#010203') }]);
  });
});
