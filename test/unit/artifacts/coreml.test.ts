/** Core ML packages of real models: written, read back in a process of their own, and run. */
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { coreml } from '../../../native-workers/artifacts/coreml.ts';
import { COREML_DEFAULTS, type CoremlOptions } from '../../../native-workers/artifacts/coreml-options.ts';
import type { Coverage, TargetContext, WrittenArtifact } from '../../../native-workers/artifacts/target.ts';
import { seededInputs } from '../../../native-workers/datasets/seeded-inputs.ts';
import { signatureOf } from '../../../native-workers/datasets/signature.ts';
import { readPackage } from '../../../native-workers/formats/coreml/read-package.ts';
import { onnxBytes } from '../../../native-workers/formats/onnx/write.ts';
import { openModel } from '../../../native-workers/formats/registry.ts';
import { intAttribute, intsAttribute } from '../../../native-workers/graph/attribute.ts';
import { Model } from '../../../native-workers/graph/model.ts';
import { scalarTensor, tensorFromNumbers } from '../../../native-workers/graph/tensor-values.ts';
import type { Engine, Feeds } from '../../../native-workers/lib/engine.ts';
import { openRuntime } from '../../../native-workers/runtimes/coreml-artifact.ts';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import { verifyArtifact } from '../../../native-workers/verify/verify-artifact.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { hasShared, SHARED } from '../../helpers/shared.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await openEngine();
});

function contextFor(source: string, scratch: string): TargetContext {
  const prepared = (): Promise<never> => Promise.reject(new Error('Core ML prepares the model itself'));
  return { engine, source, scratch, prepared, progress: async () => undefined };
}

async function coverage(model: Model, options: CoremlOptions): Promise<Coverage> {
  return coreml.coverage(model, options, contextFor('tiny.onnx', temporaryFolder()));
}

async function write(
  model: Model,
  options: Partial<CoremlOptions>,
  source = 'tiny.onnx',
): Promise<{ folder: string; written: WrittenArtifact }> {
  const folder = temporaryFolder();
  const scratch = join(folder, 'scratch');
  mkdirSync(scratch);
  const context = contextFor(source, scratch);
  return { folder, written: await coreml.write(model, folder, { ...COREML_DEFAULTS, ...options }, context) };
}

/** Runs package and source on the same inputs, the package in a process of its own. */
async function verify(path: string, options: Partial<CoremlOptions>) {
  const model = await openModel(path);
  const { folder, written } = await write(model, options, path);
  const inputs: Feeds[] = [];
  for await (const batch of seededInputs(signatureOf(model), 2, 1).batches(1)) inputs.push(batch.feeds);
  const reference = await engine.open(path, { threads: 1 });
  const verified = await verifyArtifact({
    target: { ...coreml, tolerance: written.tolerance ?? coreml.tolerance },
    path: join(folder, written.path),
    signature: written.signature,
    reference,
    inputs,
    progress: async () => undefined,
  });
  await reference.release();
  return { verified, folder, written };
}

const MODELS = [
  'models/glyphs-mobilenetv2/model.onnx',
  'models/glyphs-resnet/model.onnx',
  'models/langid-bert/model.onnx',
  'models/tiny-llama/model.onnx',
  'real/mnist.onnx',
  'real/Ultraface_version-RFB-320.onnx',
  'real/pytorch_super_resolution.onnx',
];

describe.skipIf(!hasShared)('packages of real models', () => {
  it.each(MODELS)('%s computes in float32 what the source does', { timeout: 180_000 }, async (path) => {
    const { verified } = await verify(join(SHARED, path), { precision: 'float32' });
    expect(verified).toMatchObject({ status: 'passed', errors: [] });
    expect(verified.runtime).toMatch(/^MIL read back, on ONNX Runtime/);
  });

  it.each(MODELS)('%s in float16 is within its rounding', { timeout: 180_000 }, async (path) => {
    const { verified } = await verify(join(SHARED, path), { precision: 'float16' });
    expect(verified).toMatchObject({ status: 'passed' });
  });

  it.each([
    ['int8', 'iOS16'],
    ['int8', 'iOS18'],
    ['palette6', 'iOS16'],
    ['palette4', 'iOS18'],
    ['int4', 'iOS18'],
  ] as const)('weights as %s for %s are smaller and near', { timeout: 180_000 }, async (weights, target) => {
    const { verified, folder, written } = await verify(join(SHARED, MODELS[1] as string), { weights, target });
    expect(verified.status).toBe('passed');
    const size = (files: WrittenArtifact, root: string): number =>
      files.files.reduce((sum, file) => sum + statSync(join(root, file)).size, 0);
    const plain = await write(await openModel(join(SHARED, MODELS[1] as string)), { target });
    expect(size(written, folder)).toBeLessThan(0.62 * size(plain.written, plain.folder));
  });
});

describe('options of a package', () => {
  function classifier(): Model {
    const build = new ModelBuilder();
    const x = build.input('data:0', ['N', 3, 8, 8]);
    const conv = build.op('Conv', [x, build.weight('w', [4, 3, 3, 3])], 'conv', {
      pads: [0, 0, 1, 1],
      strides: [2, 2],
    });
    const pooled = build.op('GlobalAveragePool', [conv], 'pooled');
    build.graph.outputs.push(build.op('Flatten', [pooled], 'true'));
    return new Model(build.graph, 17, 8);
  }

  it('give names that MIL takes, an open batch and the versions of the target', async () => {
    const { folder, written } = await write(classifier(), { batch: 0, target: 'iOS17', precision: 'float32' });
    expect(written.signature.inputs[0]).toMatchObject({ source: 'data:0', name: 'data_0', shape: [null, 3, 8, 8] });
    expect(written.signature.outputs[0]).toMatchObject({ source: 'true', name: '_true' });
    expect(written.requires).toEqual({ iOS: '17', macOS: '14' });
    const { specification, main } = readPackage(join(folder, written.path));
    expect([specification, main.opset]).toEqual([8, 'CoreML7']);
    const session = await (await openRuntime()).open(join(folder, written.path), written.signature, () => undefined);
    const data = Float32Array.from({ length: 5 * 3 * 64 }, (_, index) => Math.sin(index));
    const feeds = { 'data:0': { dtype: 'float32', shape: [5, 3, 8, 8], data } } as const;
    const found = (await session.run(feeds))['true'];
    await session.release();
    const reference = await engine.open(onnxBytes(classifier()));
    const wanted = (await reference.run(feeds))['true']?.data as Float32Array;
    await reference.release();
    expect(found?.shape).toEqual([5, 4]);
    const differences = Array.from(found?.data as Float32Array, (value, index) =>
      Math.abs(value - (wanted[index] ?? Number.NaN)),
    );
    expect(Math.max(...differences)).toBeLessThan(1e-5);
  });

  it('make a picture of the input and classes of the output', async () => {
    const labels = ['cat', 'dog', 'owl', 'eel'];
    const { folder, written } = await write(classifier(), {
      image: 'rgb',
      imageScale: 1 / 255,
      imageBias: [-1, 0, 1],
      labels,
    });
    const { main } = readPackage(join(folder, written.path));
    expect(main.operations.at(-1)?.type).toBe('classify');
    expect(main.operations.at(-1)?.inputs.get('classes')?.[0]).toMatchObject({ strings: labels });
    const model = readFileSync(join(folder, written.path, 'Data/com.apple.CoreML/model.mlmodel'));
    expect(model.includes('classProbabilities')).toBe(true);
    expect(main.operations.some(({ outputs }) => outputs[0]?.name.includes('mul'))).toBe(true);
  });

  it('refuse labels that are not as many as the classes', async () => {
    await expect(write(classifier(), { labels: ['one'] })).rejects.toMatchObject({ code: 'invalid-options' });
  });

  it('say what needs a newer system', async () => {
    await expect(write(quantized(), { target: 'iOS16' })).rejects.toMatchObject({ code: 'operator-unsupported' });
    const { unsupported } = await coverage(quantized(), { ...COREML_DEFAULTS, target: 'iOS16' });
    expect(unsupported[0]).toMatchObject({
      type: 'QuantizeLinear',
      reason: 'iOS 17 brought quantized activations, and the target is iOS 16: choose iOS 17',
    });
  });

  /** Activations as uint8 by tensor, weights as int8 by channel. */
  function quantized(): Model {
    const build = new ModelBuilder();
    const { graph } = build;
    const x = build.input('x', [1, 3, 8, 8]);
    const scale = graph.addInitializer('scale', scalarTensor('float32', 0.02));
    const zero = graph.addInitializer('zero', scalarTensor('uint8', 128));
    const codes = Array.from({ length: 4 * 27 }, (_, index) => ((index * 37) % 255) - 127);
    const w = graph.addInitializer('w', tensorFromNumbers('int8', codes, [4, 3, 3, 3]));
    const scales = graph.addInitializer('scales', tensorFromNumbers('float32', [0.01, 0.02, 0.03, 0.04], [4]));
    const zeros = graph.addInitializer('zeros', tensorFromNumbers('int8', [0, 0, 0, 0], [4]));
    const q = build.op('QuantizeLinear', [x, scale, zero], 'q');
    const dq = build.op('DequantizeLinear', [q, scale, zero], 'dq');
    const dw = build.op('DequantizeLinear', [w, scales, zeros], 'dw', { axis: intAttribute(0) });
    graph.outputs.push(build.op('Conv', [dq, dw], 'y', { pads: intsAttribute([1, 1, 1, 1]) }));
    return new Model(graph, 17, 8);
  }

  it.each(['iOS17', 'iOS18'] as const)('keep quantized activations and weights for %s', async (target) => {
    const { folder, written } = await write(quantized(), { target, precision: 'float32' });
    const { main } = readPackage(join(folder, written.path));
    const types = main.operations.map(({ type }) => type);
    expect(types).toEqual(expect.arrayContaining(['quantize', 'dequantize', 'conv']));
    expect(types.some((type) => type.startsWith('constexpr_'))).toBe(true);
    const session = await (await openRuntime()).open(join(folder, written.path), written.signature, () => undefined);
    const feeds = {
      x: {
        dtype: 'float32',
        shape: [1, 3, 8, 8],
        data: Float32Array.from({ length: 192 }, (_, index) => Math.sin(index) * 2),
      },
    } as const;
    const found = (await session.run(feeds))['y']?.data as Float32Array;
    await session.release();
    const reference = await engine.open(onnxBytes(quantized()), { optimization: 'disabled' });
    const wanted = (await reference.run(feeds))['y']?.data as Float32Array;
    await reference.release();
    const largest = Math.max(...Array.from(wanted, Math.abs));
    const differences = Array.from(found, (value, index) => Math.abs(value - (wanted[index] ?? 0)));
    expect(Math.max(...differences)).toBeLessThanOrEqual(1e-5 * largest);
  });

  it('name an operator that is not converted', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [2, 2]);
    build.graph.outputs.push(build.op('Det', [x], 'y'));
    const model = new Model(build.graph, 17, 8);
    expect((await coverage(model, COREML_DEFAULTS)).unsupported).toEqual([
      { node: 'y_node', type: 'Det', reason: 'MIL has no determinants: compute it in the app' },
    ]);
    await expect(write(model, {})).rejects.toMatchObject({ code: 'operator-unsupported' });
  });

  it('leave no weight file where there are no large weights', async () => {
    const build = new ModelBuilder();
    build.graph.outputs.push(build.op('Relu', [build.input('x', [1, 4])], 'y'));
    const { folder, written } = await write(new Model(build.graph, 17, 8), {});
    expect(existsSync(join(folder, written.path, 'Data/com.apple.CoreML/weights'))).toBe(false);
    expect(written.files).toHaveLength(2);
  });
});
