import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { JOBS } from '../../../native-workers/protocol/jobs.ts';
import { previewData } from '../../../native-workers/worker/preview-data.ts';
import { RED, solid, writeFiles } from '../../helpers/sample-pictures.ts';
import { temporaryFolder } from '../../helpers/temp.ts';
import { tinyOnnx } from '../../helpers/tiny-onnx.ts';

it('shows the first samples as the model sees them, and what was assumed', async () => {
  const model = join(temporaryFolder(), 'model.onnx');
  const shape = ['n', 3, 4, 4];
  writeFileSync(
    model,
    tinyOnnx({
      nodes: [{ type: 'Identity', inputs: ['x'], outputs: ['y'] }],
      inputs: [{ name: 'x', shape }],
      outputs: [{ name: 'y', shape }],
    }),
  );
  const red = await solid(RED, 8, 8);
  const data = writeFiles(temporaryFolder(), {
    'a/1.png': red,
    'a/2.png': 'no picture',
    'b/3.png': red,
    'b/4.png': red,
  });
  const context = { progress: async () => undefined, log: () => undefined };
  const result = JOBS['preview-data'].result.parse(await previewData({ model, data, count: 2 }, context));
  expect(result).toMatchObject({
    kind: 'images',
    samples: 4,
    labelled: true,
    classes: ['a', 'b'],
    preprocess: { size: [4, 4], color: 'rgb', layout: 'nchw' },
    notes: [{ code: 'normalisation-unknown' }],
    skipped: [{ sample: 'a/2.png' }],
  });
  // One of each class, although one of the first could not be read.
  expect(result.first.map(({ label }) => label).sort()).toEqual(['a', 'b']);
  expect(result.first[0]?.inputs[0]).toMatchObject({
    name: 'x',
    shape: [3, 4, 4],
    minimum: 0,
    maximum: 1,
    picture: expect.stringMatching(/^data:image\/png;base64,/),
  });
});
