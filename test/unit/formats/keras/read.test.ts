/** Models that Keras 2 and 3 saved, opened as ONNX, give the outputs that Keras computed. `test/golden/keras/make.py` made them. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { onnxBytes } from '../../../../native-workers/formats/onnx/write.ts';
import { openModel } from '../../../../native-workers/formats/registry.ts';
import { validate } from '../../../../native-workers/graph/validate.ts';
import type { HostTensor } from '../../../../native-workers/lib/engine.ts';
import { readNpz } from '../../../helpers/npz-read.ts';
import { engine, relativeDifference } from '../../../helpers/passes.ts';
import { ROOT } from '../../../helpers/sources.ts';

const FOLDER = join(ROOT, 'test', 'golden', 'keras');
const files = readdirSync(FOLDER).filter((name) => /\.(h5|keras)$/.test(name));

describe('Keras models of every kind of layer', () => {
  it('are there', () => {
    expect(files.length).toBeGreaterThan(20);
  });

  it.each(files)('%s', async (file) => {
    const model = await openModel(join(FOLDER, file));
    validate(model);
    const arrays = await readNpz(join(FOLDER, file.replace(/\.(h5|keras)$/, '.npz')));
    const session = await engine.open(onnxBytes(model));
    const feeds = Object.fromEntries(
      session.inputs.map(({ name }, index) => [name, arrays[`in${index}`] as HostTensor]),
    );
    const outputs = await session.run(feeds);
    await session.release();
    const expected = Object.keys(arrays).filter((name) => /^out\d+$/.test(name));
    expect(session.outputs.length).toBe(expected.length);
    session.outputs.forEach(({ name }, index) => {
      const [made, reference] = [outputs[name], arrays[`out${index}`]];
      expect(made?.shape, name).toEqual(reference?.shape);
      expect(relativeDifference(reference, made), name).toBeLessThan(1e-5);
    });
  });
});
