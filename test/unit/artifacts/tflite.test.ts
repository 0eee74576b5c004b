/** TFLite artifacts: tiny graphs of each kind on LiteRT itself. */
import { readFileSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readTfliteFile } from '../../../native-workers/formats/tflite/file.ts';
import { stringAttribute } from '../../../native-workers/graph/attribute.ts';
import type { Model } from '../../../native-workers/graph/model.ts';
import { tensorFromInt64, tensorFromNumbers } from '../../../native-workers/graph/tensor-values.ts';
import { tensorType } from '../../../native-workers/graph/types.ts';
import type { Feeds } from '../../../native-workers/lib/engine.ts';
import { quantizeStatic } from '../../../native-workers/passes/quantize-static.ts';
import { ModelBuilder, tinyClassifier } from '../../helpers/models.ts';
import { temporaryFolder } from '../../helpers/temp.ts';
import { operatorCounts, runTflite } from '../../helpers/tflite.ts';

const MINUTES = 120_000;

/** Convolutions, a residual sum, pools with padding on one side, and a flatten into a layer. */
function network(): Model {
  const build = new ModelBuilder('network');
  const image = build.input('image', ['batch', 3, 16, 16]);
  const convolved = build.op('Conv', [image, build.weight('w1', [8, 3, 3, 3]), build.weight('b1', [8])], 'c1', {
    pads: [1, 1, 1, 1],
    strides: [2, 2],
    kernel_shape: [3, 3],
  });
  const active = build.op('Relu', [convolved], 'r1');
  const deep = build.op('Conv', [active, build.weight('w2', [8, 1, 3, 3])], 'c2', {
    pads: [1, 1, 1, 1],
    group: 8,
    kernel_shape: [3, 3],
  });
  const gate = build.op('Sigmoid', [build.op('GlobalAveragePool', [deep], 'squeeze')], 'gate');
  const sum = build.op('Add', [build.op('Mul', [deep, gate], 'gated'), active], 'sum');
  const pooled = build.op('MaxPool', [sum], 'pooled', { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
  const flat = build.op('Flatten', [pooled], 'flat');
  const scores = build.op('Gemm', [flat, build.weight('w3', [128, 5]), build.weight('b3', [5])], 'scores');
  scores.type = tensorType('float32', ['batch', 5]);
  return build.outputs(scores).model();
}

describe('a float network', () => {
  it(
    'gives on LiteRT what it gives on ONNX Runtime, with one transpose at its input',
    async () => {
      const { path, verified } = await runTflite(network(), temporaryFolder());
      expect(verified).toMatchObject({ status: 'passed', errors: [] });
      expect(verified.runtime).toMatch(/^LiteRT \d+\.\d+\.\d+/);
      const counts = operatorCounts(readFileSync(path));
      expect(counts['TRANSPOSE']).toBe(1);
      expect(counts).not.toHaveProperty('CUSTOM');
      expect(counts).not.toHaveProperty('RELU');
    },
    MINUTES,
  );

  it(
    'is told in its signature as the model tells it, and says what runtime it needs',
    async () => {
      const { written } = await runTflite(tinyClassifier(), temporaryFolder(), {}, 1);
      expect(written.signature.inputs).toMatchObject([{ source: 'image', name: 'image', dtype: 'float32' }]);
      expect(written.signature.inputs[0]?.shape.slice(1)).toEqual([3, 8, 8]);
      expect(written.requires['TensorFlow Lite']).toMatch(/^\d+\.\d+\.\d+$/);
    },
    MINUTES,
  );

  it.each([
    ['float16', 0.62],
    ['dynamic', 0.5],
    ['dynamic-int4', 0.25],
    ['dynamic-int4-blocks', 0.25],
  ] as const)(
    'with %s weights is smaller and still right',
    async (precision, part) => {
      const build = new ModelBuilder('layers');
      const x = build.input('x', [2, 64]);
      const hidden = build.op('Relu', [build.op('MatMul', [x, build.weight('w1', [64, 256])], 'h')], 'r');
      const y = build.op('MatMul', [hidden, build.weight('w2', [256, 32])], 'y');
      const model = build.outputs(y).model();
      const float = await runTflite(model, temporaryFolder());
      const { verified, path } = await runTflite(model, temporaryFolder(), { precision });
      expect(verified).toMatchObject({ status: 'passed', errors: [] });
      expect(verified.maxAbs).toBeGreaterThan(0);
      expect(statSync(path).size).toBeLessThan(part * statSync(float.path).size);
    },
    MINUTES,
  );
});

describe('a quantized network', () => {
  it(
    'keeps its integers from input to output',
    async () => {
      const folder = temporaryFolder();
      const model = await quantized(network(), folder);
      const { path, verified } = await runTflite(model, folder, {}, 4);
      expect(verified.steps?.max ?? 99).toBeLessThanOrEqual(3);
      expect(verified).toMatchObject({ status: 'passed', errors: [] });
      const counts = operatorCounts(readFileSync(path));
      expect(counts['DEQUANTIZE']).toBe(1);
      expect(counts['CONV_2D']).toBe(1);
    },
    MINUTES,
  );
});

describe('a network quantized to activations of 16 bits', () => {
  it(
    'runs on integers of 16 bits from input to output, with weights of 8',
    async () => {
      const folder = temporaryFolder();
      const { path, verified } = await runTflite(await quantized(network(), folder, 16), folder, {}, 4);
      expect(verified).toMatchObject({ status: 'passed', errors: [] });
      expect((verified.maxAbs ?? 1) / (verified.reference ?? 1)).toBeLessThan(1e-3);
      const { main: file } = readTfliteFile(path);
      const [convolution] = file.operators.filter(({ type }) => type === 'CONV_2D');
      const dtypes = convolution?.inputs.map((index) => file.tensors[index]?.dtype);
      expect(dtypes).toEqual(['int16', 'int8', 'int64']);
      expect(operatorCounts(readFileSync(path))['DEQUANTIZE']).toBe(1);
    },
    MINUTES,
  );
});

/** INT8 by Hone's own pass, with ranges from made-up inputs. */
async function quantized(model: Model, folder: string, activationBits: 8 | 16 = 8): Promise<Model> {
  const { openEngine } = await import('../../../native-workers/runtimes/onnxruntime.ts');
  const { applyRecipe } = await import('../../../native-workers/worker/apply-recipe.ts');
  const { modelOpener, typesOf } = await import('../../../native-workers/worker/engine-models.ts');
  const { seededInputs } = await import('../../../native-workers/datasets/seeded-inputs.ts');
  const { signatureOf } = await import('../../../native-workers/datasets/signature.ts');
  const engine = await openEngine();
  const data = seededInputs(signatureOf(model), 8, 3);
  const steps = [{ pass: quantizeStatic.id, options: { target: 'tflite', activationBits } }];
  const applied = await applyRecipe(
    model,
    { schema: 1, name: 'int8', steps },
    {
      engine,
      open: modelOpener(engine, folder),
      types: typesOf(engine, folder),
      calibration: {
        samples: 8,
        random: true,
        async *batches(): AsyncIterable<Feeds> {
          for await (const batch of data.batches(1)) yield batch.feeds;
        },
      },
      trial: null,
      seed: 1,
      scratch: folder,
      progress: async () => undefined,
      log: () => undefined,
    },
  );
  expect(applied.rows.map(({ status }) => status)).toEqual(['changed']);
  return applied.model;
}

describe('weights of 4 bits in blocks', () => {
  const blocks = (): Model => {
    const build = new ModelBuilder('blocks');
    const x = build.input('x', [3, 64]);
    const codes = tensorFromNumbers(
      'uint8',
      Array.from({ length: 16 * 2 * 16 }, (_, at) => (at * 37 + 11) % 256),
      [16, 2, 16],
    );
    const scales = tensorFromNumbers(
      'float32',
      Array.from({ length: 32 }, (_, at) => 0.01 + at / 1024),
      [32],
    );
    const inputs = [x, build.graph.addInitializer('codes', codes), build.graph.addInitializer('scales', scales)];
    const y = build.op('MatMulNBits', inputs, 'y', { K: 64, N: 16, bits: 4, block_size: 32 }, 'com.microsoft');
    const model = build.outputs(y).model();
    model.opsets.set('com.microsoft', 1);
    return model;
  };

  it(
    'stay in 4 bits with dynamic weights, and are real numbers otherwise',
    async () => {
      const float = await runTflite(blocks(), temporaryFolder());
      expect(float.verified).toMatchObject({ status: 'passed', errors: [] });
      const dynamic = await runTflite(blocks(), temporaryFolder(), { precision: 'dynamic' });
      expect(dynamic.verified).toMatchObject({ status: 'passed', errors: [] });
      expect(statSync(float.path).size - statSync(dynamic.path).size).toBeGreaterThan(64 * 16 * 3);
    },
    MINUTES,
  );
});

describe('edges', () => {
  it(
    'keeps names apart that are the same once they are plain',
    async () => {
      const build = new ModelBuilder('names');
      const sum = build.op('Add', [build.input('a b', [2]), build.input('a_b', [2])], 'a?b');
      const { written, verified } = await runTflite(build.outputs(sum).model(), temporaryFolder());
      const names = [...written.signature.inputs, ...written.signature.outputs].map(({ name }) => name);
      expect(new Set(names).size).toBe(3);
      expect(names.every((name) => /^[\w./:;-]+$/.test(name))).toBe(true);
      expect(verified).toMatchObject({ status: 'passed' });
    },
    MINUTES,
  );

  it(
    'takes tensors of six dimensions',
    async () => {
      const build = new ModelBuilder('six');
      const y = build.op('Transpose', [build.input('x', [2, 3, 1, 2, 2, 3])], 'y', { perm: [5, 0, 3, 1, 4, 2] });
      const { verified } = await runTflite(build.outputs(y).model(), temporaryFolder());
      expect(verified).toMatchObject({ status: 'passed', maxAbs: 0 });
    },
    MINUTES,
  );

  it(
    'gives an output that is an input, and one value under two names',
    async () => {
      const build = new ModelBuilder('same');
      const x = build.input('x', [3]);
      const y = build.op('Relu', [x], 'y');
      const z = build.op('Identity', [y], 'z');
      const w = build.op('Identity', [x], 'w');
      const { verified } = await runTflite(build.outputs(y, z, w).model(), temporaryFolder());
      expect(verified).toMatchObject({ status: 'passed', maxAbs: 0 });
    },
    MINUTES,
  );

  it(
    'gives an output that depends on no input',
    async () => {
      const build = new ModelBuilder('constant');
      const x = build.input('x', [3]);
      const shape = build.op('Shape', [x], 'shape');
      shape.type = tensorType('int64', [1]);
      const { verified } = await runTflite(build.outputs(build.op('Relu', [x], 'y'), shape).model(), temporaryFolder());
      expect(verified).toMatchObject({ status: 'passed', maxAbs: 0 });
    },
    MINUTES,
  );

  it(
    'computes 8-bit integers that are no quantized values as 32-bit ones',
    async () => {
      const build = new ModelBuilder('bytes');
      const x = build.input('x', [6], 'uint8');
      const two = build.graph.addInitializer('two', tensorFromNumbers('uint8', [3], [1]));
      const y = build.op('Div', [build.op('Add', [x, two], 's'), two], 'y');
      y.type = tensorType('uint8', [6]);
      const feeds = { x: { dtype: 'uint8' as const, shape: [6], data: Uint8Array.of(0, 1, 2, 100, 250, 252) } };
      const { verified } = await runTflite(build.outputs(y).model(), temporaryFolder(), {}, 1, [feeds]);
      expect(verified).toMatchObject({ status: 'passed', maxAbs: 0 });
    },
    MINUTES,
  );

  it(
    'slices its open batch of inputs into outputs',
    async () => {
      const build = new ModelBuilder('slices');
      const numbers = (name: string, value: number) => build.graph.addInitializer(name, tensorFromInt64([value], [1]));
      const x = build.input('x', ['batch', 8, 3]);
      const y = build.op('Slice', [x, numbers('starts', 2), numbers('ends', 5), numbers('axes', 1)], 'y');
      const { verified, written } = await runTflite(build.outputs(y).model(), temporaryFolder());
      expect(verified).toMatchObject({ status: 'passed', maxAbs: 0, errors: [] });
      expect(written.signature.inputs[0]?.shape).toEqual([null, 8, 3]);
    },
    MINUTES,
  );

  it(
    'folds shapes that are computed from the input',
    async () => {
      const build = new ModelBuilder('shapes');
      const x = build.input('x', ['batch', 4, 2]);
      const batch = build.op(
        'Gather',
        [build.op('Shape', [x], 'shape'), build.graph.addInitializer('zero', tensorFromInt64([0], [1]))],
        'n',
      );
      const rest = build.graph.addInitializer('rest', tensorFromInt64([-1], [1]));
      const target = build.op('Concat', [batch, rest], 'target', { axis: 0 });
      const y = build.op('Reshape', [x, target], 'y');
      const { verified } = await runTflite(build.outputs(y).model(), temporaryFolder());
      expect(verified).toMatchObject({ status: 'passed' });
    },
    MINUTES,
  );

  it(
    'resizes in every way that TFLite has none of its own for',
    async () => {
      const build = new ModelBuilder('resize');
      const x = build.input('x', [1, 2, 5, 7]);
      const scales = build.graph.addInitializer('scales', tensorFromNumbers('float32', [1, 1, 1.7, 0.6], [4]));
      const y = build.op('Resize', [x, null, scales], 'y', { mode: stringAttribute('cubic') });
      const { verified } = await runTflite(build.outputs(y).model(), temporaryFolder());
      expect(verified).toMatchObject({ status: 'passed' });
    },
    MINUTES,
  );
});
