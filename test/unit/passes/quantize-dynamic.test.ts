import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../../../native-workers/datasets/open-dataset.ts';
import { signatureOf } from '../../../native-workers/datasets/signature.ts';
import { readOnnx } from '../../../native-workers/formats/onnx/read.ts';
import { onnxBytes } from '../../../native-workers/formats/onnx/write.ts';
import { floatAttribute } from '../../../native-workers/graph/attribute.ts';
import type { Model } from '../../../native-workers/graph/model.ts';
import { tensorFromFloat32, tensorFromNumbers } from '../../../native-workers/graph/tensor-values.ts';
import { clean } from '../../../native-workers/passes/clean.ts';
import { fusionFacts } from '../../../native-workers/passes/fusion.ts';
import type { PassOutcome } from '../../../native-workers/passes/pass.ts';
import { quantizeDynamic } from '../../../native-workers/passes/quantize-dynamic.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import {
  countsOf,
  engine,
  initializer,
  messagesOf,
  normal,
  numbers,
  operators,
  relativeDifference,
  runModel,
  runPass,
} from '../../helpers/passes.ts';
import { hasShared, SHARED } from '../../helpers/shared.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

/** The kernels that the engine makes of the model against those that the pass expects. */
async function fusionOf(model: Model, outcome: PassOutcome) {
  const path = join(temporaryFolder(), 'fused.onnx');
  await (await engine.open(onnxBytes(model), { optimization: 'extended', optimizedModelPath: path })).release();
  const expects = outcome.status === 'changed' ? (outcome.expects ?? []) : [];
  return fusionFacts(readOnnx(path).graph, expects).expected;
}

const ALL = { minimumWeights: 0 };

describe('quantize-dynamic', () => {
  it('writes the weight with a scale a column, and the product in ONNX operators', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 2]);
    const weight = build.graph.addInitializer('w', tensorFromFloat32(Float32Array.of(127, 1, -63, 2.54), [2, 2]));
    const model = build.outputs(build.op('MatMul', [x, weight], 'y')).model();
    const outcome = await runPass(quantizeDynamic, model, ALL);
    expect(countsOf(outcome)).toEqual({ 'MatMul to INT8': 1, 'inputs quantized at run time': 1 });
    expect(operators(model)).toEqual(['DynamicQuantizeLinear', 'MatMulInteger', 'Cast', 'Mul', 'Mul']);
    expect(numbers(initializer(model, 'w_int8').tensor)).toEqual([127, 50, -63, 127]);
    expect(numbers(initializer(model, 'w_scale').tensor)).toEqual([1, Math.fround(2.54 / 127)]);
    expect(model.graph.initializers.size).toBe(2);
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['y']);
  });

  it('quantizes an input once for all that read it, and the engine fuses each product with its bias', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', ['n', 32]);
    const product = (name: string) => build.op('MatMul', [x, build.weight(`${name}_w`, [32, 32])], name);
    // Both orders, as exporters write them.
    const query = build.op('Add', [build.weight('query_b', [32]), product('query')], 'query_sum');
    const key = build.op('Add', [product('key'), build.weight('key_b', [32])], 'key_sum');
    const sum = build.op('Mul', [query, key], 'sum');
    const model = build.outputs(build.op('MatMul', [sum, build.weight('out_w', [32, 32])], 'y')).model();
    const feeds = { x: normal([5, 32]) };
    const before = await runModel(model, feeds);
    const outcome = await runPass(quantizeDynamic, model, ALL);
    expect(countsOf(outcome)['inputs quantized at run time']).toBe(2);
    expect(await fusionOf(model, outcome)).toEqual([
      { kernel: 'com.microsoft:MatMulIntegerToFloat', expected: 2, found: 2, missing: [] },
      { kernel: 'com.microsoft:DynamicQuantizeMatMul', expected: 1, found: 1, missing: [] },
    ]);
    expect(relativeDifference(before['y'], (await runModel(model, feeds))['y'])).toBeLessThan(0.03);
  });

  it.each([
    ['plain', {}],
    ['transposed', { transB: 1 }],
    ['with factors', { transB: 1, alpha: floatAttribute(0.5), beta: floatAttribute(3) }],
  ])('takes Gemm %s', async (_name, attributes) => {
    const build = new ModelBuilder();
    const x = build.input('x', [3, 24]);
    const weight = build.weight('w', 'transB' in attributes ? [16, 24] : [24, 16]);
    const y = build.op('Gemm', [x, weight, build.weight('b', [16])], 'y', attributes);
    const model = build.outputs(y).model();
    const feeds = { x: normal([3, 24]) };
    const before = await runModel(model, feeds);
    const outcome = await runPass(quantizeDynamic, model, ALL);
    expect(initializer(model, 'w_int8').tensor?.shape).toEqual([24, 16]);
    expect(await fusionOf(model, outcome)).toMatchObject([{ expected: 1, found: 1 }]);
    expect(relativeDifference(before['y'], (await runModel(model, feeds))['y'])).toBeLessThan(0.03);
  });

  it('writes the fused operator below opset 11', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [2, 16]);
    const y = build.op('Gemm', [x, build.weight('w', [16, 8]), build.weight('b', [8])], 'y');
    const model = build.outputs(y).model(9, 4);
    const feeds = { x: normal([2, 16]) };
    const before = await runModel(model, feeds);
    await runPass(quantizeDynamic, model, ALL);
    expect(operators(model)).toEqual(['com.microsoft:DynamicQuantizeMatMul']);
    expect(relativeDifference(before['y'], (await runModel(model, feeds))['y'])).toBeLessThan(0.03);
  });

  it('leaves weights that other nodes read, in float for those', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [2, 16]);
    const weight = build.weight('w', [16, 16]);
    const product = build.op('MatMul', [x, weight], 'product');
    const model = build.outputs(build.op('MatMul', [product, build.op('Neg', [weight], 'negative')], 'y')).model();
    await runPass(quantizeDynamic, model, ALL);
    expect([...model.graph.initializers].map(({ name }) => name)).toEqual(['w', 'w_int8', 'w_scale']);
    expect(operators(model)).toContain('MatMul');
  });

  it('says why products stay float', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [4, 4]);
    const small = build.op('MatMul', [x, build.weight('w0', [4, 4])], 'small');
    const left = build.op('MatMul', [build.weight('w1', [64, 4]), x], 'left');
    const excluded = build.op('MatMul', [x, build.weight('w2', [4, 1024])], 'excluded');
    const both = build.op('MatMul', [x, x], 'both');
    const model = build.outputs(small, left, excluded, both).model();
    const outcome = await runPass(quantizeDynamic, model, { exclude: ['excluded_node'] });
    expect(outcome.status).toBe('unchanged');
    expect(messagesOf(outcome)).toEqual([
      'Stays float: its weight has only 16 elements.',
      'Stays float: its constant is the left side.',
      'Stays float: it is excluded.',
      '1 products of two activations stay float.',
    ]);
  });

  it('quantizes inside a branch without reading what another branch made', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [2, 16]);
    const condition = build.input('condition', [], 'bool');
    const branch = (name: string) => {
      const inner = new ModelBuilder(name, name.length);
      const y = inner.op('MatMul', [x, inner.weight(`${name}_w`, [16, 16])], `${name}_y`);
      return { type: 'graph' as const, value: inner.outputs(y).graph };
    };
    const y = build.op('If', [condition], 'y', { then_branch: branch('yes'), else_branch: branch('no') });
    const model = build.outputs(y).model();
    const feeds = { x: normal([2, 16]), condition: { dtype: 'bool' as const, shape: [], data: Uint8Array.of(1) } };
    const before = await runModel(model, feeds);
    await runPass(quantizeDynamic, model, ALL);
    expect(operators(model).filter((type) => type === 'DynamicQuantizeLinear').length).toBe(2);
    expect(relativeDifference(before['y'], (await runModel(model, feeds))['y'])).toBeLessThan(0.03);
  });

  it('makes QAttention of Attention', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 6, 32]);
    const inputs = [x, build.weight('w', [32, 96]), build.weight('b', [96])];
    const model = build.outputs(build.op('Attention', inputs, 'y', { num_heads: 4 }, 'com.microsoft')).model();
    model.opsets.set('com.microsoft', 1);
    const feeds = { x: normal([1, 6, 32]) };
    const before = await runModel(model, feeds);
    const outcome = await runPass(quantizeDynamic, model);
    expect(countsOf(outcome)).toEqual({ 'Attention to INT8': 1, 'inputs quantized at run time': 1 });
    expect(await fusionOf(model, outcome)).toMatchObject([
      { kernel: 'com.microsoft:QAttention', expected: 1, found: 1 },
    ]);
    expect(relativeDifference(before['y'], (await runModel(model, feeds))['y'])).toBeLessThan(0.03);
  });

  it('leaves an Attention that QAttention cannot stand for', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 6, 32]);
    const inputs = [x, build.weight('w', [32, 96]), build.weight('b', [96])];
    const attributes = { num_heads: 4, scale: floatAttribute(0.1) };
    const model = build.outputs(build.op('Attention', inputs, 'y', attributes, 'com.microsoft')).model();
    const outcome = await runPass(quantizeDynamic, model);
    expect(messagesOf(outcome)).toEqual(['Stays float: it has the attribute scale, which QAttention does not take.']);
  });

  it('refuses a quantized model unless forced or quantized by an earlier pass', async () => {
    const make = () => {
      const build = new ModelBuilder();
      const x = build.input('x', [2, 16]);
      const codes = build.graph.addInitializer('codes', tensorFromNumbers('int8', new Int8Array(256), [16, 16]));
      const scale = build.graph.addInitializer('scale', tensorFromNumbers('float32', [1], []));
      const first = build.op('MatMul', [x, build.op('DequantizeLinear', [codes, scale], 'w')], 'first');
      return build.outputs(build.op('MatMul', [first, build.weight('w2', [16, 16])], 'y')).model();
    };
    await expect(runPass(quantizeDynamic, make(), ALL)).rejects.toMatchObject({ code: 'model-already-quantized' });
    expect((await runPass(quantizeDynamic, make(), { ...ALL, force: true })).status).toBe('changed');
    const later = await runPass(quantizeDynamic, make(), ALL, { earlier: ['clean', 'quantize-weights-int8'] });
    expect(later.status).toBe('changed');
  });
});

describe.skipIf(!hasShared)('quantize-dynamic on langid-bert', () => {
  it('fuses every product and keeps the accuracy', async () => {
    const path = join(SHARED, 'models/langid-bert/model.onnx');
    const model = readOnnx(path);
    await runPass(clean, model);
    const outcome = await runPass(quantizeDynamic, model);
    const fusion = await fusionOf(model, outcome);
    expect(fusion.map(({ expected, found }) => [expected, found])).toEqual([
      [12, 12],
      [13, 13],
    ]);
    const data = await openDataset(join(SHARED, 'models/data/langid/test.npz'), signatureOf(model));
    const session = await engine.open(onnxBytes(model));
    let right = 0;
    for await (const { feeds, labels } of data.batches(100, { limit: 400 })) {
      const logits = numbers((await session.run(feeds))['logits']);
      labels.forEach((label, row) => {
        const scores = logits.slice(row * 20, row * 20 + 20);
        if (scores.indexOf(Math.max(...scores)) === label) right++;
      });
    }
    await session.release();
    await data.close();
    // The float model has 86.15 % on all 2000.
    expect(right / 400).toBeGreaterThan(0.83);
  });
});
