import { describe, expect, it } from 'vitest';
import { onnxBytes } from '../../../native-workers/formats/onnx/write.ts';
import { openModel } from '../../../native-workers/formats/registry.ts';
import type { Model } from '../../../native-workers/graph/model.ts';
import type { Feeds } from '../../../native-workers/lib/engine.ts';
import { Random } from '../../../native-workers/lib/random.ts';
import { fusionFacts } from '../../../native-workers/passes/fusion.ts';
import type { CalibrationData } from '../../../native-workers/passes/pass.ts';
import { quantizeStatic } from '../../../native-workers/passes/quantize-static.ts';
import { ModelBuilder, tinyClassifier } from '../../helpers/models.ts';
import { countsOf, engine, float32, messagesOf, operators, runModel, runPass } from '../../helpers/passes.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

const random = new Random(5);
const data = (shape: readonly number[]): Feeds[string] =>
  float32(
    shape,
    Array.from({ length: shape.reduce((all, dim) => all * dim, 1) }, () => random.normal()),
  );

const calibrationOf = (...batches: Feeds[]): CalibrationData => ({
  samples: batches.length,
  random: false,
  async *batches() {
    yield* batches;
  },
});

/** Quantizes, and tells the engine's kernels, the missing ones among those promised, and the error of the outputs. */
async function quantized(model: Model, feeds: Feeds, options: object = {}) {
  const reference = await runModel(model, feeds);
  const outcome = await runPass(
    quantizeStatic,
    model,
    { minimumWeights: 1, ...options },
    { calibration: calibrationOf(feeds) },
  );
  const counts = countsOf(outcome);
  const path = `${temporaryFolder()}/fused.onnx`;
  await (await engine.open(onnxBytes(model), { optimization: 'extended', optimizedModelPath: path })).release();
  const facts = fusionFacts((await openModel(path)).graph, outcome.status === 'changed' ? (outcome.expects ?? []) : []);
  const outputs = await runModel(model, feeds);
  let error = 0;
  let power = 0;
  for (const [name, { data: expected }] of Object.entries(reference)) {
    const actual = outputs[name]?.data ?? [];
    for (let index = 0; index < expected.length; index++) {
      error += (Number(expected[index]) - Number(actual[index])) ** 2;
      power += Number(expected[index]) ** 2;
    }
  }
  return {
    counts,
    outcome,
    kernels: facts.operators,
    missing: facts.expected.flatMap(({ missing }) => missing),
    error: Math.sqrt(error / power),
    outputs,
  };
}

describe('quantize-static', () => {
  it('leaves a dilated average float, which the integer kernel does not take', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', ['n', 4, 8, 8]);
    const before = build.op('Conv', [x, build.weight('w', [4, 4, 1, 1])], 'before');
    const pooled = build.op('AveragePool', [before], 'pooled', { kernel_shape: [2, 2], dilations: [2, 2] });
    const model = build.outputs(build.op('Conv', [pooled, build.weight('v', [4, 4, 1, 1])], 'y')).model(21, 10);
    const found = await quantized(model, { x: data([4, 4, 8, 8]) });
    expect(found.missing).toEqual([]);
    expect(messagesOf(found.outcome)).toContain('stays float: the integer kernel takes no dilations');
    expect(found.error).toBeLessThan(0.03);
  });

  it('makes integer kernels of a classifier, whose answers stay', async () => {
    const found = await quantized(tinyClassifier(), { image: data([4, 3, 8, 8]) });
    expect(found.missing).toEqual([]);
    expect(found.kernels).toMatchObject({ ':QLinearConv': 1, 'com.microsoft:QGemm': 1 });
    expect(found.error).toBeLessThan(0.03);
    expect(found.counts['layers to INT8']).toBe(2);
  });

  it('tells range, clipping, histogram and SQNR of each layer', async () => {
    const { outcome } = await quantized(tinyClassifier(), { image: data([4, 3, 8, 8]) });
    const details = outcome.status === 'changed' ? outcome.details : undefined;
    const layers = details?.['quantization'] as {
      sqnrDb: number;
      weightError: number;
      input: { histogram: number[]; clipped: number; method: string };
    }[];
    expect(layers).toHaveLength(2);
    expect(layers[0]?.input.histogram.reduce((sum, count) => sum + count, 0)).toBe(4 * 3 * 8 * 8);
    expect(layers[0]?.sqnrDb).toBeGreaterThan(30);
    expect(layers[0]?.sqnrDb).toBeLessThan(60);
    expect(layers[0]?.input.clipped).toBeLessThan(0.05);
    expect(layers[0]?.input.method).not.toBeNull();
  });

  it('fuses a residual sum, a shared input and an output that is read inside too', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', ['batch', 8, 6, 6]);
    const conv = (name: string, from = x) =>
      build.op('Conv', [from, build.weight(`${name}.w`, [8, 8, 3, 3], 0.2), build.weight(`${name}.b`, [8])], name, {
        pads: [1, 1, 1, 1],
      });
    const left = build.op('Relu', [conv('left')], 'left.relu');
    const sum = build.op('Add', [conv('inner', left), conv('right')], 'sum');
    const model = build.outputs(left, build.op('Relu', [sum], 'y')).model();
    const names = model.graph.outputs.map(({ name }) => name);
    const found = await quantized(model, { x: data([2, 8, 6, 6]) });
    expect(found.missing).toEqual([]);
    expect(found.kernels).toMatchObject({ ':QLinearConv': 3, 'com.microsoft:QLinearAdd': 1 });
    expect(Object.keys(found.outputs)).toEqual(names);
    expect(found.error).toBeLessThan(0.03);
  });

  it.each([
    ['MatMul of matrices with a bias, as Gemm', 2, true, 'com.microsoft:QGemm'],
    ['MatMul of stacks with a bias', 3, true, 'com.microsoft:MatMulIntegerToFloat'],
    ['MatMul without a bias', 2, false, 'com.microsoft:MatMulIntegerToFloat'],
  ])('%s', async (_, rank, biased, kernel) => {
    const build = new ModelBuilder();
    const shape = rank === 2 ? ['batch', 16] : ['batch', 5, 16];
    const product = build.op('MatMul', [build.input('x', shape), build.weight('w', [16, 12])], 'product');
    const y = biased ? build.op('Add', [product, build.weight('b', [12])], 'y') : product;
    const found = await quantized(build.outputs(y).model(), { x: data(rank === 2 ? [3, 16] : [3, 5, 16]) });
    expect(found.missing).toEqual([]);
    expect(found.kernels[kernel]).toBe(1);
    expect(found.error).toBeLessThan(0.03);
  });

  it.each([8, 9, 11, 12, 13, 17, 21])('works in opset %i', async (opset) => {
    const build = new ModelBuilder();
    const x = build.input('x', [2, 4, 6, 6]);
    const y = build.op('Conv', [x, build.weight('w', [8, 4, 3, 3], 0.3)], 'y', { kernel_shape: [3, 3] });
    const found = await quantized(build.outputs(y).model(opset), { x: data([2, 4, 6, 6]) });
    expect(found.missing).toEqual([]);
    expect(found.error).toBeLessThan(0.03);
  });

  it('stays away from a model that is too old to be raised to integer kernels', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 4, 6, 6]);
    const y = build.op('Conv', [x, build.weight('w', [8, 4, 3, 3])], 'c', { kernel_shape: [3, 3] });
    const outcome = await runPass(
      quantizeStatic,
      build.outputs(y).model(6),
      {},
      { calibration: calibrationOf({ x: data([1, 4, 6, 6]) }) },
    );
    expect(outcome).toMatchObject({ status: 'unchanged', reason: expect.stringContaining('opset 6') });
  });

  it('gives a weight that two layers share to both', async () => {
    const build = new ModelBuilder();
    const weight = build.weight('w', [8, 8]);
    const first = build.op('MatMul', [build.input('x', ['batch', 8]), weight], 'first');
    const y = build.op('MatMul', [build.op('Tanh', [first], 'bent'), weight], 'y');
    const found = await quantized(build.outputs(y).model(), { x: data([4, 8]) });
    expect(found.counts['layers to INT8']).toBe(2);
    expect(found.error).toBeLessThan(0.03);
  });

  it('refuses a model that is quantized already, unless forced', async () => {
    const model = tinyClassifier();
    const feeds = { image: data([2, 3, 8, 8]) };
    const calibration = calibrationOf(feeds);
    await runPass(quantizeStatic, model, { exclude: ['Gemm'] }, { calibration });
    const again = () => runPass(quantizeStatic, model, { minimumWeights: 1 }, { calibration });
    await expect(again()).rejects.toMatchObject({ code: 'model-already-quantized' });
    const forced = await runPass(quantizeStatic, model, { minimumWeights: 1, force: true }, { calibration });
    expect(countsOf(forced)['layers to INT8']).toBe(1);
  });

  it('refuses data that lacks an input', async () => {
    await expect(
      runPass(quantizeStatic, tinyClassifier(), {}, { calibration: calibrationOf({ other: data([1, 3, 8, 8]) }) }),
    ).rejects.toMatchObject({ code: 'data-mismatch' });
  });

  it('leaves float what was never finite, and says so', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', ['batch', 16]);
    const broken = build.op('Log', [x], 'broken');
    const first = build.op('MatMul', [broken, build.weight('a', [16, 16])], 'first');
    const second = build.op('MatMul', [x, build.weight('b', [16, 16])], 'second');
    const model = build.outputs(first, second).model();
    const feeds = { x: float32([1, 16], new Array(16).fill(-1)) };
    const outcome = await runPass(quantizeStatic, model, {}, { calibration: calibrationOf(feeds) });
    expect(countsOf(outcome)['layers to INT8']).toBe(1);
    expect(messagesOf(outcome).join()).toContain('never finite');
  });

  it('says of how many batches NaN or infinity kept an activation', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', ['n', 16]);
    const logarithm = build.op('Log', [x], 'logarithm');
    const model = build.outputs(build.op('MatMul', [logarithm, build.weight('w', [16, 8])], 'y')).model();
    const batch = (first: number): Feeds => ({ x: float32([1, 16], [first, ...new Array(15).fill(2)]) });
    const calibration = calibrationOf(batch(1), batch(-1), batch(3), batch(-2));
    const outcome = await runPass(quantizeStatic, model, { minimumWeights: 1 }, { calibration });
    expect(outcome.notes).toContainEqual({
      message: expect.stringContaining("'logarithm' in 2, the most"),
      caution: true,
    });
  });

  it('leaves float what is excluded by the operator that it is in the file, and says which name excludes nothing', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', ['n', 16]);
    const product = build.op('MatMul', [x, build.weight('w', [16, 8])], 'product');
    const first = build.op('Relu', [build.op('Add', [product, build.weight('b', [8])], 'sum')], 'first');
    const model = build.outputs(build.op('Gemm', [first, build.weight('v', [8, 8])], 'y')).model();
    const { outcome, counts } = await quantized(model, { x: data([4, 16]) }, { exclude: ['MatMul', 'Gem'] });
    expect(counts['layers to INT8']).toBe(1);
    expect(outcome.notes).toEqual(
      expect.arrayContaining([
        { message: 'stays float: excluded by the options', node: 'product_node' },
        { message: "exclude: no node and no operator of the model is called 'Gem'.", caution: true },
      ]),
    );
  });

  it('leaves a model alone of which no layer was ever finite', async () => {
    const build = new ModelBuilder();
    const broken = build.op('Log', [build.input('x', ['batch', 16])], 'broken');
    const model = build.outputs(build.op('MatMul', [broken, build.weight('a', [16, 16])], 'y')).model();
    const feeds = { x: float32([1, 16], new Array(16).fill(-1)) };
    expect(await runPass(quantizeStatic, model, {}, { calibration: calibrationOf(feeds) })).toMatchObject({
      status: 'unchanged',
      reason: expect.stringContaining('never finite'),
    });
  });

  it('says why nothing was done', async () => {
    const build = new ModelBuilder();
    const y = build.op('Relu', [build.input('x', [1, 4])], 'y');
    const outcome = await runPass(
      quantizeStatic,
      build.outputs(y).model(),
      {},
      { calibration: calibrationOf({ x: data([1, 4]) }) },
    );
    expect(outcome).toMatchObject({ status: 'unchanged' });
    expect(operators(build.model())).toEqual(['Relu']);
  });
});
