/** Real Keras models as packages for all targets, each run on its runtime; as TFLite they have the operators of their twins. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageFactsSchema } from '../../native-workers/protocol/package-facts.ts';
import { makePackages } from '../../native-workers/worker/packaging.ts';
import { hasShared, SHARED } from '../helpers/shared.ts';
import { temporaryFolder } from '../helpers/temp.ts';
import { operatorCounts } from '../helpers/tflite.ts';

const MINUTES = 600_000;
const TARGETS = ['ort', 'tflite', 'coreml'];

describe.skipIf(!hasShared)('Keras models as packages', () => {
  it.each([
    ['vww_96.h5', 'vww_96_float.tflite'],
    ['pretrainedResnet.h5', 'pretrainedResnet.tflite'],
  ])(
    '%s',
    async (file, twin) => {
      const out = join(temporaryFolder(), 'out');
      const request = { targets: TARGETS, out, coverageOnly: false, zip: false, options: {}, seed: 0 };
      const quiet = { progress: async () => undefined, log: () => undefined };
      const made = await makePackages({ ...request, model: join(SHARED, 'real', file) }, quiet);
      const { artifacts } = packageFactsSchema.parse(made);
      expect(artifacts.map(({ target }) => target)).toEqual(TARGETS);
      for (const { target, status, verified } of artifacts) {
        expect(status, target).toBe('made');
        expect(verified, target).toMatchObject({ status: 'passed', top1Agreement: 1, errors: [] });
      }
      const path = artifacts.find(({ target }) => target === 'tflite')?.path ?? '';
      const counts = operatorCounts(readFileSync(join(out, path)));
      expect(counts).toEqual(operatorCounts(readFileSync(join(SHARED, 'real', twin))));
    },
    MINUTES,
  );
});
