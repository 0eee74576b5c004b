import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readOnnx } from '../../../native-workers/formats/onnx/read.ts';
import { onnxBytes } from '../../../native-workers/formats/onnx/write.ts';
import { tensorFromFloat32, tensorFromInt64 } from '../../../native-workers/graph/tensor-values.ts';
import { staticShape, tensorType } from '../../../native-workers/graph/types.ts';
import { float16 } from '../../../native-workers/passes/float16.ts';
import { ModelBuilder, tinyClassifier } from '../../helpers/models.ts';
import {
  calibrationOf,
  countsOf,
  engine,
  float32,
  initializer,
  messagesOf,
  normal,
  numbers,
  operators,
  relativeDifference,
  runModel,
  runPass,
} from '../../helpers/passes.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

const weightsOnly = { mode: 'weights' as const, minElements: 1 };
const compute = { mode: 'compute' as const };

function product(values: number[]) {
  const build = new ModelBuilder();
  const x = build.input('x', [1, values.length]);
  const weight = build.graph.addInitializer('w', tensorFromFloat32(Float32Array.from(values), [values.length, 1]));
  return build.outputs(build.op('MatMul', [x, weight], 'y')).model();
}

describe('float16, weights', () => {
  it('stores weights in half precision and casts them back', async () => {
    const model = product([1, 1 / 3, 65504]);
    expect(countsOf(await runPass(float16, model, weightsOnly))).toEqual({ 'weights to float16': 1 });
    expect(operators(model)).toEqual(['MatMul', 'Cast']);
    expect(numbers(initializer(model, 'w_float16').tensor)).toEqual([1, 0.333251953125, 65504]);
    const path = join(temporaryFolder(), 'basic.onnx');
    await (await engine.open(onnxBytes(model), { optimization: 'basic', optimizedModelPath: path })).release();
    // The engine folds the cast: the model runs as if its weights were float32.
    expect(operators(readOnnx(path))).toEqual(['MatMul']);
  });

  it('keeps weights beyond the largest half', async () => {
    const outcome = await runPass(float16, product([1, 65536]), weightsOnly);
    expect(outcome.status).toBe('unchanged');
    expect(messagesOf(outcome)).toEqual(['w stays float32: it holds 65536, beyond the largest half, 65504.']);
  });

  it('keeps infinities, which half precision has', async () => {
    const model = product([Number.NEGATIVE_INFINITY, 1]);
    expect((await runPass(float16, model, weightsOnly)).status).toBe('changed');
    expect(numbers(initializer(model, 'w_float16').tensor)).toEqual([Number.NEGATIVE_INFINITY, 1]);
  });

  it('counts what becomes zero, and keeps a weight of which too much would', async () => {
    const few = [2 ** -25, ...new Array<number>(199).fill(1)];
    expect(countsOf(await runPass(float16, product(few), weightsOnly))).toEqual({
      'weights to float16': 1,
      'elements that became zero': 1,
    });
    const many = [2 ** -25, 2 ** -24, 0, 0];
    expect(messagesOf(await runPass(float16, product(many), weightsOnly))).toEqual([
      'w stays float32: 50.0 % of its non-zero elements would become zero.',
    ]);
  });

  it('leaves small weights, integers and excluded nodes', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [8, 8]);
    const shape = build.graph.addInitializer('shape', tensorFromInt64([4, 16], [2]));
    const y = build.op('Reshape', [build.op('MatMul', [x, build.weight('w', [8, 8])], 'product'), shape], 'y');
    const model = build.outputs(y).model();
    expect((await runPass(float16, model, { ...weightsOnly, minElements: 65 })).status).toBe('unchanged');
    expect((await runPass(float16, model, { ...weightsOnly, exclude: ['MatMul'] })).status).toBe('unchanged');
  });
});

describe('float16, compute', () => {
  it('turns the graph and keeps the types of its inputs and outputs', async () => {
    const model = tinyClassifier();
    const feeds = { image: normal([2, 3, 8, 8]) };
    const before = await runModel(model, feeds);
    const calibration = calibrationOf([feeds]);
    const counts = countsOf(await runPass(float16, model, compute, { calibration }));
    expect(counts).toEqual({ 'nodes to float16': 5, 'weights to float16': 4, 'casts added': 2 });
    expect(operators(model)).toEqual(['Conv', 'Relu', 'GlobalAveragePool', 'Flatten', 'Gemm', 'Cast', 'Cast']);
    const [input] = model.graph.inputs;
    const [output] = model.graph.outputs;
    expect([input?.type, output?.name, output?.type]).toEqual([
      tensorType('float32', ['batch', 3, 8, 8]),
      'scores',
      tensorType('float32', ['batch', 4]),
    ]);
    expect(relativeDifference(before['scores'], (await runModel(model, feeds))['scores'])).toBeLessThan(2e-3);
  });

  it('gives the model float16 inputs and outputs where asked', async () => {
    const model = tinyClassifier();
    await runPass(float16, model, { ...compute, keepTypes: false });
    expect(operators(model)).not.toContain('Cast');
    const [input] = model.graph.inputs;
    expect(input?.type).toEqual(tensorType('float16', ['batch', 3, 8, 8]));
    expect(model.graph.outputs[0]?.type).toEqual(tensorType('float16', ['batch', 4]));
    const bits = Uint16Array.from(new Uint16Array(new Float16Array(192).fill(0.5).buffer));
    const feeds = { image: { dtype: 'float16' as const, shape: [1, 3, 8, 8], data: bits } };
    expect((await runModel(model, feeds))['scores']?.dtype).toBe('float16');
  });

  it('keeps what overflows on the calibration data in float32', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [4]);
    const squared = build.op('Mul', [x, x], 'squared');
    const root = build.op('Sqrt', [squared], 'root');
    const model = build.outputs(build.op('Neg', [root], 'y')).model();
    const feeds = { x: float32([4], [1, 2, 300, 1000]) };
    const outcome = await runPass(float16, model, compute, { calibration: calibrationOf([feeds]) });
    expect(messagesOf(outcome)).toEqual([
      'Stays float32: squared reaches 1.000e+6; the largest half is 65504.',
      'Stays float32: squared reaches 1.000e+6; the largest half is 65504.',
    ]);
    expect(countsOf(outcome)['nodes to float16']).toBe(1);
    expect(numbers((await runModel(model, feeds))['y'])).toEqual([-1, -2, -300, -1000]);
  });

  it('says that ranges were not measured for want of data', async () => {
    const outcome = await runPass(float16, tinyClassifier(), compute);
    expect(messagesOf(outcome)).toContain(
      'Ranges of activations were not measured, for want of inputs: what overflows was not found.',
    );
  });

  it('keeps sensitive operators, unknown ones, typed ones and subgraphs, with casts between', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [4, 4]);
    const condition = build.input('condition', [], 'bool');
    const scaled = build.op('Mul', [x, build.weight('w', [4, 4])], 'scaled');
    const sums = build.op('CumSum', [scaled, build.graph.addInitializer('axis', tensorFromInt64([0], []))], 'sums');
    const branch = (name: string) => {
      const inner = new ModelBuilder(name);
      return { type: 'graph' as const, value: inner.outputs(inner.op('Add', [scaled, sums], `${name}_y`)).graph };
    };
    const chosen = build.op('If', [condition], 'chosen', { then_branch: branch('yes'), else_branch: branch('no') });
    chosen.type = tensorType('float32', [4, 4]);
    const whole = build.op('Cast', [build.op('Neg', [chosen], 'negative')], 'whole', { to: 7 });
    whole.type = tensorType('int64', null);
    const model = build.outputs(build.op('Exp', [sums], 'y'), whole).model();
    const feeds = { x: normal([4, 4]), condition: { dtype: 'bool' as const, shape: [], data: Uint8Array.of(1) } };
    const before = await runModel(model, feeds);
    const outcome = await runPass(float16, model, compute, { calibration: calibrationOf([feeds]) });
    expect(messagesOf(outcome)).toContain('Stays float32: CumSum loses too much in float16.');
    expect(countsOf(outcome)['nodes to float16']).toBe(3);
    const after = await runModel(model, feeds);
    expect(relativeDifference(before['y'], after['y'])).toBeLessThan(5e-3);
    expect(after['whole']?.dtype).toBe('int64');
  });

  it('leaves the scales of Resize in float32', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 1, 2, 2]);
    const scales = build.graph.addInitializer('scales', tensorFromFloat32(Float32Array.of(1, 1, 2, 2), [4]));
    const model = build.outputs(build.op('Resize', [build.op('Relu', [x], 'r'), null, scales], 'y')).model();
    const feeds = { x: normal([1, 1, 2, 2]) };
    const before = await runModel(model, feeds);
    await runPass(float16, model, compute, { calibration: calibrationOf([feeds]) });
    expect(initializer(model, 'scales').tensor?.dtype).toBe('float32');
    expect(relativeDifference(before['y'], (await runModel(model, feeds))['y'])).toBeLessThan(1e-3);
    expect(staticShape(model.graph.inputs[0]?.type ?? null)).toEqual([1, 1, 2, 2]);
  });
});
