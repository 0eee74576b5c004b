/** What Hone does not open is named, with the layers and what to do; nothing of Python is ever run. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { onnxBytes } from '../../../../native-workers/formats/onnx/write.ts';
import { openModel } from '../../../../native-workers/formats/registry.ts';
import { HoneError } from '../../../../native-workers/protocol/errors.ts';
import { ROOT } from '../../../helpers/sources.ts';

const FOLDER = join(ROOT, 'test', 'golden', 'keras');

async function refusal(file: string): Promise<HoneError> {
  try {
    await openModel(join(FOLDER, 'refused', file));
  } catch (thrown) {
    if (thrown instanceof HoneError) return thrown;
    throw thrown;
  }
  throw new Error(`${file} was opened.`);
}

describe('a Keras file that is not opened', () => {
  it.each([
    ['lambda.keras', 'operator-unsupported', /Lambda \(1: twice\).*never runs/],
    ['lambda.h5', 'operator-unsupported', /Lambda \(1: twice\).*never runs/],
    ['custom.keras', 'operator-unsupported', /Swap \(2: swap_a, swap_b\)/],
    ['subclassed.keras', 'operator-unsupported', /class Written, which is Python code/],
    ['masked.keras', 'operator-unsupported', /mask_zero/],
    ['activation.keras', 'operator-unsupported', /activation lambda_activation/],
    ['only.weights.h5', 'format-unsupported', /weights of a Keras model without its layers/],
    ['data.h5', 'format-unsupported', /holds no Keras model/],
    ['compressed.h5', 'format-unsupported', /stored in chunks/],
    ['heap-of-links.h5', 'format-unsupported', /keeps its links in a heap/],
  ])('%s is %s', async (file, code, message) => {
    const error = await refusal(file);
    expect(error.code, error.message).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.where?.file).toBe(join(FOLDER, 'refused', file));
  });

  it('is not one of the newest form of HDF5, as long as its groups are small', async () => {
    const [newest, oldest] = await Promise.all(
      ['refused/newest.h5', 'basic-2.h5'].map(async (file) => onnxBytes(await openModel(join(FOLDER, file)))),
    );
    expect(newest).toEqual(oldest);
  });
});
