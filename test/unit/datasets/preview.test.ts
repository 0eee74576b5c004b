import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../../../native-workers/datasets/open-dataset.ts';
import { previewDataset } from '../../../native-workers/datasets/preview.ts';
import { floats, texts, writeNpz } from '../../helpers/npz.ts';
import { picture, solid, writeFiles } from '../../helpers/sample-pictures.ts';
import { pictures, signature } from '../../helpers/signatures.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

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
    const preview = await previewDataset(data, model, 1);
    expect(preview.first).toHaveLength(1);
    expect(preview.first[0]).toMatchObject({ sample: 'a/x.png', label: 'a' });
    const input = preview.first[0]?.inputs[0];
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
    const { first } = await previewDataset(data, model, 5);
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
});
