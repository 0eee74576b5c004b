import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { labelText, marksOf } from '../../../native-workers/datasets/preview-label.ts';
import type { BoxesLabel, MaskLabel } from '../../../native-workers/lib/batch.ts';

const boxes = (...classes: number[]): BoxesLabel => ({
  kind: 'boxes',
  boxes: classes.map((index) => ({ class: index, box: [0.25, 0.5, 0.75, 1] })),
});

const mask: MaskLabel = { kind: 'mask', height: 1, width: 4, classes: Uint8Array.of(0, 1, 2, 255) };

describe('labels as words', () => {
  it.each([
    [null, null],
    [1, 'dog'],
    [7, '7'],
    [-0.316687405109405, '−0.316687'],
    [[0.1 + 0.2, -4], '0.3, −4'],
    [boxes(), 'no objects'],
    [boxes(0), '1 × cat'],
    [boxes(1, 0, 1), '2 × dog, 1 × cat'],
    [boxes(1, 2, 3, 4, 5), '1 × dog, 1 × class 2, 1 × class 3, 1 × class 4, …'],
    [mask, 'mask of 1 x 4'],
  ])('%j', (label, words) => {
    expect(labelText(label, ['cat', 'dog'])).toBe(words);
  });
});

describe('labels in the picture', () => {
  it('are boxes with the names of their classes', async () => {
    expect(await marksOf(boxes(1), ['cat', 'dog'], [240, 320])).toEqual({
      marks: { height: 240, width: 320, boxes: [{ name: 'dog', box: [0.25, 0.5, 0.75, 1] }] },
    });
    expect(await marksOf(1, ['cat', 'dog'], [240, 320])).toEqual({});
  });

  it('are a colour for each class of a mask, and nothing where pixels do not count', async () => {
    const { marks } = await marksOf(mask, null, [1, 4]);
    const png = Buffer.from((marks?.mask ?? '').replace('data:image/png;base64,', ''), 'base64');
    const pixels = [...(await sharp(png).raw().toBuffer())];
    const [background, first, second, uncounted] = [0, 4, 8, 12].map((at) => pixels.slice(at, at + 4));
    expect(background?.slice(0, 3)).toEqual([0, 0, 0]);
    expect(first?.[3]).toBe(background?.[3]);
    expect(first?.slice(0, 3)).not.toEqual(second?.slice(0, 3));
    expect(uncounted?.[3]).toBe(0);
  });
});
