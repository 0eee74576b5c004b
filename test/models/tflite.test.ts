/** Real models as TFLite files on LiteRT, against ONNX Runtime: floats, INT8 by Hone's own pass, and the light networks. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../../native-workers/datasets/open-dataset.ts';
import { seededInputs } from '../../native-workers/datasets/seeded-inputs.ts';
import { signatureOf } from '../../native-workers/datasets/signature.ts';
import { writeOnnx } from '../../native-workers/formats/onnx/write.ts';
import { openModel } from '../../native-workers/formats/registry.ts';
import type { Model } from '../../native-workers/graph/model.ts';
import type { Feeds } from '../../native-workers/lib/engine.ts';
import { quantizeDynamic } from '../../native-workers/passes/quantize-dynamic.ts';
import { openEngine } from '../../native-workers/runtimes/onnxruntime.ts';
import { applyRecipe } from '../../native-workers/worker/apply-recipe.ts';
import { modelOpener, typesOf } from '../../native-workers/worker/engine-models.ts';
import { conformanceFolder } from '../helpers/conformance.ts';
import { runPass } from '../helpers/passes.ts';
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

  it.each([
    ['glyphs-resnet', 'float16'],
    ['glyphs-resnet', 'dynamic'],
    ['langid-bert', 'dynamic-int4'],
    ['langid-bert', 'dynamic-int4-blocks'],
  ] as const)(
    '%s keeps its answers with %s weights',
    async (name, precision) => {
      const model = await openModel(join(SHARED, 'models', name, 'model.onnx'));
      const { verified } = await runTflite(model, temporaryFolder(), { precision });
      expect(verified).toMatchObject({ status: 'passed', top1Agreement: 1, errors: [] });
    },
    MINUTES,
  );
});

describe.skipIf(!hasShared)('INT8 by Hone, with ranges from real pictures', () => {
  /**
   * Most steps between LiteRT and ONNX Runtime. What is left are sums: XNNPACK multiplies by integers of 21 bits where ONNX
   * Runtime has 24, and no scale says more. In each of the 4 of 256 samples whose output differs, exactly one element of one ADD
   * rounds otherwise, and in no other sample does any (but one, whose output is the same).
   */
  it.each([
    ['glyphs-resnet', { pictures: 1, random: 1 }],
    ['glyphs-mobilenetv2', { pictures: 1, random: 2 }],
  ] as const)(
    '%s is within a step of ONNX Runtime on pictures and on random inputs',
    async (name, most) => {
      const folder = temporaryFolder();
      const source = join(SHARED, 'models', name, 'model.onnx');
      const data = join(SHARED, 'models', 'data', 'glyphs');
      const path = join(folder, 'int8.onnx');
      const model = await int8Model(source, join(data, 'calib.npz'), 'tflite', folder);
      await writeOnnx(model, path);
      const signature = signatureOf(model);
      const pictures = await openDataset(join(data, 'test_first256.npz'), signature, { model: source });
      for (const [kind, inputs] of Object.entries({ pictures, random: seededInputs(signature, 64, 7) })) {
        const feeds: Feeds[] = [];
        for await (const batch of inputs.batches(16, { limit: 64 })) feeds.push(batch.feeds);
        const { verified, path: file } = await runTflite(await openModel(path), folder, {}, 1, feeds);
        expect(verified).toMatchObject({ status: 'passed', errors: [] });
        expect(verified.steps?.withinOne ?? 0).toBeGreaterThanOrEqual(0.999);
        expect(verified.steps?.max ?? 99).toBeLessThanOrEqual(most[kind as keyof typeof most]);
        if (kind === 'pictures') expect(verified.top1Agreement).toBe(1);
        // The scores alone are dequantized: nothing between is, only to be quantized again.
        const counts = operatorCounts(readFileSync(file));
        expect([counts['DEQUANTIZE'], counts['QUANTIZE']]).toEqual([1, 1]);
      }
    },
    MINUTES,
  );

  /** The last pool of this one has another scale than its input, which the kernels of ONNX Runtime take and AVERAGE_POOL_2D does not. */
  it.each(['pretrainedResnet.h5', 'pretrainedResnet.tflite'])(
    '%s, quantized for ONNX Runtime, gives the same answers on LiteRT',
    async (name) => {
      const folder = temporaryFolder();
      const source = join(SHARED, 'real', name);
      const path = join(folder, 'int8.onnx');
      await writeOnnx(await int8Model(source, join(SHARED, 'real', 'images'), 'cpu', folder), path);
      const model = await openModel(path);
      const pictures = await openDataset(join(SHARED, 'real', 'images'), signatureOf(model), { model: source });
      const feeds: Feeds[] = [];
      for await (const batch of pictures.batches(1)) feeds.push(batch.feeds);
      const { verified } = await runTflite(model, folder, {}, 1, feeds);
      expect(verified).toMatchObject({ status: 'passed', steps: { max: 0, withinOne: 1 }, errors: [] });
    },
    MINUTES,
  );
});

describe.skipIf(!hasShared)('INT8 at run time by Hone', () => {
  it(
    'keeps the answers of langid-bert, with products that quantize by themselves',
    async () => {
      const model = await openModel(join(SHARED, 'models', 'langid-bert', 'model.onnx'));
      await runPass(quantizeDynamic, model);
      const folder = temporaryFolder();
      const path = join(folder, 'dynamic.onnx');
      await writeOnnx(model, path);
      const { verified, path: file } = await runTflite(await openModel(path), folder);
      expect(verified).toMatchObject({ status: 'passed', top1Agreement: 1, errors: [] });
      expect(operatorCounts(readFileSync(file))).not.toHaveProperty('ROUND');
    },
    MINUTES,
  );
});

async function int8Model(source: string, calibration: string, target: string, scratch: string): Promise<Model> {
  const engine = await openEngine();
  const model = await openModel(source);
  const data = await openDataset(calibration, signatureOf(model), { model: source });
  const steps = [{ pass: 'clean' }, { pass: 'equalize-channels' }, { pass: 'quantize-static', options: { target } }];
  const applied = await applyRecipe(
    model,
    { schema: 1, name: 'int8', steps },
    {
      engine,
      open: modelOpener(engine, scratch),
      types: typesOf(engine, scratch),
      calibration: {
        samples: 64,
        random: false,
        async *batches(): AsyncIterable<Feeds> {
          for await (const batch of data.batches(16, { limit: 64 })) yield batch.feeds;
        },
      },
      trial: null,
      seed: 1,
      scratch,
      progress: async () => undefined,
      log: () => undefined,
    },
  );
  // A file that was folded already leaves nothing to clean up.
  expect(applied.rows.slice(1).map(({ status }) => status)).toEqual(['changed', 'changed']);
  return applied.model;
}

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
