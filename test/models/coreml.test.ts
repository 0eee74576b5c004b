/** Core ML packages of real models: written, read back in a process of their own, run and compared with the source. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { coreml } from '../../native-workers/artifacts/coreml.ts';
import type { CoremlOptions } from '../../native-workers/artifacts/coreml-options.ts';
import { openDataset } from '../../native-workers/datasets/open-dataset.ts';
import { seededInputs } from '../../native-workers/datasets/seeded-inputs.ts';
import { signatureOf } from '../../native-workers/datasets/signature.ts';
import { onnxBytes } from '../../native-workers/formats/onnx/write.ts';
import { openModel } from '../../native-workers/formats/registry.ts';
import type { Feeds } from '../../native-workers/lib/engine.ts';
import type { Verification } from '../../native-workers/protocol/package-facts.ts';
import type { Preprocess } from '../../native-workers/protocol/request.ts';
import { openEngine } from '../../native-workers/runtimes/onnxruntime.ts';
import { verifyArtifact } from '../../native-workers/verify/verify-artifact.ts';
import { conformanceFolder } from '../helpers/conformance.ts';
import { type WrittenPackage, writeCoreml } from '../helpers/coreml.ts';
import { computedParameters, violations } from '../helpers/mil-operators.ts';
import { hasShared, SHARED } from '../helpers/shared.ts';

const engine = await openEngine();
const TIMEOUT = { timeout: 180_000 };

/** Runs package and source on the same inputs, the package in a process of its own. */
async function verify(
  path: string,
  options: Partial<CoremlOptions>,
  pictures?: { readonly feeds: readonly Feeds[]; readonly preprocess: Preprocess },
): Promise<{ verified: Verification; package: WrittenPackage }> {
  const model = await openModel(path);
  const made = await writeCoreml(engine, model, options, path, pictures?.preprocess);
  const inputs: Feeds[] = [...(pictures?.feeds ?? [])];
  const seeded = seededInputs(signatureOf(model), 2, 1).batches(1);
  if (pictures === undefined) for await (const batch of seeded) inputs.push(batch.feeds);
  const source = path.endsWith('.onnx') ? path : onnxBytes(model);
  const reference = await engine.open(source, { threads: 1, optimization: 'disabled' });
  const verified = await verifyArtifact({
    target: { ...coreml, tolerance: made.written.tolerance ?? coreml.tolerance },
    path: made.path,
    signature: made.written.signature,
    reference,
    inputs,
    watch: async () => undefined,
  });
  await reference.release();
  return { verified, package: made };
}

const count = ({ main }: WrittenPackage, type: string): number =>
  main.operations.filter((operation) => operation.type === type).length;

const FLOAT = [
  'models/glyphs-mobilenetv2/model.onnx',
  'models/glyphs-mobilenetv2/model-bnfolded.onnx',
  'models/glyphs-resnet/model.onnx',
  'models/langid-bert/model.onnx',
  'models/tiny-llama/model.onnx',
  'real/mnist.onnx',
  'real/Ultraface_version-RFB-320.onnx',
  'real/pytorch_super_resolution.onnx',
  'real/pretrainedResnet.tflite',
  'real/vww_96_float.tflite',
];
/** Weights and activations of 8 bits. */
const QUANTIZED = [
  'real/mobilenet_v2_1.0_224_quant.tflite',
  'real/pretrainedResnet_quant.tflite',
  'real/tf2_mobilenet_v2_1.0_224_ptq.tflite',
  'real/vww_96_int8.tflite',
];
const LIGHT = [
  'bvlc_alexnet',
  'densenet121',
  'inception_v1',
  'inception_v2',
  'resnet50',
  'shufflenet',
  'squeezenet',
  'vgg19',
  'zfnet512',
];
const RESNET = 'models/glyphs-resnet/model.onnx';

describe.skipIf(!hasShared)('packages of real models', () => {
  it.each(FLOAT)('%s computes in float32 what the source does', TIMEOUT, async (path) => {
    const { verified } = await verify(join(SHARED, path), { precision: 'float32' });
    expect(verified).toMatchObject({ status: 'passed', errors: [] });
    expect(verified.runtime).toMatch(/^MIL read back, on ONNX Runtime/);
  });

  it.each(FLOAT)('%s in float16 is within its rounding', TIMEOUT, async (path) => {
    const { verified } = await verify(join(SHARED, path), { precision: 'float16' });
    expect(verified).toMatchObject({ status: 'passed' });
  });

  it.each(LIGHT)('the light %s computes what the source does', TIMEOUT, async (name) => {
    const path = join(conformanceFolder(), '..', 'light', `light_${name}.onnx`);
    const { verified } = await verify(path, { precision: 'float32', target: 'iOS15' });
    expect(verified).toMatchObject({ status: 'passed', errors: [] });
  });

  it.each(QUANTIZED)('%s keeps 8 bits and gives every integer of the source', TIMEOUT, async (path) => {
    const { verified, package: made } = await verify(join(SHARED, path), { precision: 'float32', target: 'iOS17' });
    expect(verified).toMatchObject({ status: 'passed', steps: { max: 0 } });
    expect(count(made, 'quantize')).toBeGreaterThan(0);
    expect(count(made, 'dequantize')).toBeGreaterThan(0);
    expect(count(made, 'constexpr_affine_dequantize')).toBeGreaterThan(0);
  });

  it.each([
    ['models/langid-bert/model.onnx', 4],
    ['models/tiny-llama/model.onnx', 6],
  ] as const)('%s with an open sequence has its %i attentions as one operator each', TIMEOUT, async (path, layers) => {
    const { verified, package: made } = await verify(join(SHARED, path), { precision: 'float32', target: 'iOS18' });
    expect(verified).toMatchObject({ status: 'passed' });
    expect(count(made, 'scaled_dot_product_attention')).toBe(layers);
    expect(count(made, 'softmax')).toBe(0);
  });

  it.each([
    ['int8', 'iOS16'],
    ['int8', 'iOS18'],
    ['palette8', 'iOS16'],
    ['palette6', 'iOS16'],
    ['palette6', 'iOS18'],
    ['palette4', 'iOS18'],
    ['int4', 'iOS18'],
  ] as const)('weights as %s for %s are smaller and near', TIMEOUT, async (weights, target) => {
    const { verified, package: made } = await verify(join(SHARED, RESNET), { weights, target });
    expect(verified.status).toBe('passed');
    const size = ({ folder, written }: WrittenPackage): number =>
      written.files.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
    const plain = await writeCoreml(engine, await openModel(join(SHARED, RESNET)), { target });
    expect(size(made)).toBeLessThan(0.62 * size(plain));
  });
});

describe.skipIf(!hasShared)('a package that takes pictures', () => {
  it('makes the numbers of the preprocessing inside, and names the class', TIMEOUT, async () => {
    const path = join(SHARED, 'models/glyphs-resnet/model.onnx');
    const model = await openModel(path);
    const pictures = await openDataset(join(SHARED, 'models/data/glyphs/test_first256.npz'), signatureOf(model), {
      model: path,
    });
    const feeds: Feeds[] = [];
    for await (const batch of pictures.batches(1, { limit: 8 })) feeds.push(batch.feeds);
    const preprocess = {
      color: 'rgb',
      scale: 1 / 255,
      mean: [0.485, 0.456, 0.406],
      std: [0.229, 0.224, 0.225],
    } satisfies Preprocess;
    const labels = [...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
    const { verified, package: made } = await verify(path, { image: 'auto', labels }, { feeds, preprocess });
    expect(verified).toMatchObject({ status: 'passed', samples: 8, top1Agreement: 1 });
    expect(made.main.operations.at(-1)?.type).toBe('classify');
    expect(made.written.signature.inputs[0]).toMatchObject({ isPicture: true, shape: [1, 3, 48, 48] });
  });
});

const TARGETS = ['iOS15', 'iOS16', 'iOS17', 'iOS18', 'iOS26'] as const;
const BY_TARGET = ['models/glyphs-resnet/model.onnx', 'models/langid-bert/model.onnx'].flatMap((path) =>
  TARGETS.map((target) => [path, target] as const),
);

describe.skipIf(!hasShared)('operators of a target', () => {
  it.each(BY_TARGET)(
    '%s for %s has none that is newer, and every parameter as it is defined',
    TIMEOUT,
    async (path, target) => {
      const number = Number(target.replace('iOS', ''));
      const model = await openModel(join(SHARED, path));
      const compressed = number < 16 ? [] : number < 18 ? (['int8'] as const) : (['int4', 'palette4'] as const);
      for (const weights of ['none', ...compressed] as const) {
        const { main, written } = await writeCoreml(engine, model, { target, weights }, path);
        expect(violations(main, number)).toEqual([]);
        expect(computedParameters(main, number)).toEqual([]);
        expect(written.requires['iOS']).toBe(String(number));
      }
    },
  );

  it('are told from newer ones', TIMEOUT, async () => {
    const model = await openModel(join(SHARED, 'models/langid-bert/model.onnx'));
    const { main } = await writeCoreml(engine, model, { target: 'iOS18', weights: 'int8' }, 'bert.onnx');
    const found = violations(main, 15).join('\n');
    expect(found).toContain('scaled_dot_product_attention');
    expect(found).toContain('not in the operators of iOS 15');
    expect(found).toMatch(/constexpr_blockwise_shift_scale/);
    expect(found).toContain('no parameter validate_indices');
  });
});
