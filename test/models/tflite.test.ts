/** Real models as TFLite files on LiteRT, against ONNX Runtime: floats, INT8 by Hone's own pass, and the light networks. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openModel } from '../../native-workers/formats/registry.ts';
import { conformanceFolder } from '../helpers/conformance.ts';
import { hasShared, SHARED } from '../helpers/shared.ts';
import { temporaryFolder } from '../helpers/temp.ts';
import { operatorCounts, runTflite } from '../helpers/tflite.ts';

const MINUTES = 600_000;

/** Transposes that may be left: one at the input of a network of pictures; what the graph itself has in transformers. */
const MODELS: readonly (readonly [string, number])[] = [
  ['real/mnist.onnx', 0],
  ['real/Ultraface_version-RFB-320.onnx', 1],
  ['real/pytorch_super_resolution.onnx', 1],
  ['models/glyphs-resnet/model.onnx', 1],
  ['models/glyphs-mobilenetv2/model.onnx', 1],
  ['models/langid-bert/model.onnx', 16],
  ['models/tiny-llama/model.onnx', 30],
];

describe.skipIf(!hasShared)('models', () => {
  it.each(MODELS)(
    '%s is right on LiteRT, with at most %i transposes',
    async (file, transposes) => {
      const { verified, path } = await runTflite(await openModel(join(SHARED, file)), temporaryFolder());
      expect(verified).toMatchObject({ status: 'passed', errors: [] });
      const counts = operatorCounts(readFileSync(path));
      expect(counts['TRANSPOSE'] ?? 0).toBeLessThanOrEqual(transposes);
      expect(counts).not.toHaveProperty('CUSTOM');
    },
    MINUTES,
  );

  it.each(['float16', 'dynamic'] as const)(
    'keeps its answers with %s weights',
    async (precision) => {
      const model = await openModel(join(SHARED, 'models/glyphs-resnet/model.onnx'));
      const { verified } = await runTflite(model, temporaryFolder(), { precision });
      expect(verified).toMatchObject({ status: 'passed', top1Agreement: 1, errors: [] });
    },
    MINUTES,
  );
});

describe.skipIf(!hasShared)('light networks', () => {
  const folder = hasShared ? join(conformanceFolder(), '..', 'light') : '';
  const files = hasShared ? readdirSync(folder).filter((file) => file.endsWith('.onnx')) : [];

  it('are all there', () => {
    expect(files).toHaveLength(9);
  });

  it.each(files)(
    '%s is right on LiteRT',
    async (file) => {
      const { verified } = await runTflite(await openModel(join(folder, file)), temporaryFolder(), {}, 1);
      expect(verified).toMatchObject({ status: 'passed', errors: [] });
    },
    MINUTES,
  );
});
