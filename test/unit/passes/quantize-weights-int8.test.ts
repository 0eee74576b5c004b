import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readOnnx } from '../../../native-workers/formats/onnx/read.ts';
import { onnxBytes } from '../../../native-workers/formats/onnx/write.ts';
import { floatAttribute } from '../../../native-workers/graph/attribute.ts';
import type { Model } from '../../../native-workers/graph/model.ts';
import { tensorFromFloat32 } from '../../../native-workers/graph/tensor-values.ts';
import { quantizeWeightsInt8 } from '../../../native-workers/passes/quantize-weights-int8.ts';
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
import { temporaryFolder } from '../../helpers/temp.ts';

const ALL = { minimumWeights: 0 };

/** Operators of the graph that the engine makes of the model. */
async function optimised(model: Model, level: 'basic' | 'extended'): Promise<string[]> {
  const path = join(temporaryFolder(), 'optimised.onnx');
  await (await engine.open(onnxBytes(model), { optimization: level, optimizedModelPath: path })).release();
  return operators(readOnnx(path));
}

describe('quantize-weights-int8', () => {
  it('stores rows of an embedding with a scale each, and gathers them as int8', async () => {
    const build = new ModelBuilder();
    const ids = build.input('ids', [2], 'int64');
    const table = build.graph.addInitializer(
      'table',
      tensorFromFloat32(Float32Array.of(127, 1, 0, 0, -2, 254), [3, 2]),
    );
    const y = build.op('Gather', [table, ids], 'y');
    const model = build.outputs(y).model();
    expect(countsOf(await runPass(quantizeWeightsInt8, model, { ...ALL, weightScale: 'max' }))).toEqual({
      'Gather weights to INT8': 1,
    });
    expect(operators(model)).toEqual(['Gather', 'Gather', 'Cast', 'Mul']);
    expect(numbers(initializer(model, 'table_int8').tensor)).toEqual([127, 1, 0, 0, -1, 127]);
    expect(numbers(initializer(model, 'table_scale').tensor)).toEqual([1, 1, 2]);
    expect(model.graph.initializers.size).toBe(2);
    const feeds = { ids: { dtype: 'int64' as const, shape: [2], data: BigInt64Array.of(2n, 0n) } };
    expect(numbers((await runModel(model, feeds))['y'])).toEqual([-2, 254, 127, 1]);
  });

  it.each([
    ['MatMul', {}, [32, 16]],
    ['Gemm', { transB: 1, alpha: floatAttribute(0.5), beta: floatAttribute(2) }, [16, 32]],
  ])('lets the engine run %s with 8-bit weights', async (opType, attributes, shape) => {
    const build = new ModelBuilder();
    const x = build.input('x', [3, 32]);
    const inputs = [x, build.weight('w', shape), ...(opType === 'Gemm' ? [build.weight('b', [16])] : [])];
    const model = build.outputs(build.op(opType, inputs, 'y', attributes)).model();
    const feeds = { x: normal([3, 32]) };
    const before = await runModel(model, feeds);
    const outcome = await runPass(quantizeWeightsInt8, model, ALL);
    expect(outcome).toMatchObject({ expects: [{ kernel: 'com.microsoft:MatMulNBits', nodes: [{ output: 'y' }] }] });
    expect(await optimised(model, 'extended')).toEqual(['com.microsoft:MatMulNBits']);
    expect(relativeDifference(before['y'], (await runModel(model, feeds))['y'])).toBeLessThan(0.03);
  });

  it.each([
    ['Conv', 17, [8, 4, 3, 3]],
    ['ConvTranspose', 17, [4, 8, 3, 3]],
    ['MatMul', 9, [6, 6]],
  ])('lets the engine fold the weight of %s at opset %i', async (opType, opset, shape) => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 4, 6, 6]);
    const model = build.outputs(build.op(opType, [x, build.weight('w', shape)], 'y')).model(opset);
    const feeds = { x: normal([1, 4, 6, 6]) };
    const before = await runModel(model, feeds);
    await runPass(quantizeWeightsInt8, model, ALL);
    expect(operators(model)).toEqual([opType, 'Cast', 'Mul']);
    expect(initializer(model, 'w_int8').tensor?.dtype).toBe('int8');
    expect(await optimised(model, 'basic')).toEqual([opType]);
    expect(relativeDifference(before['y'], (await runModel(model, feeds))['y'])).toBeLessThan(0.02);
  });

  it('chooses scales of less error than the largest magnitude gives', async () => {
    const make = async (weightScale: 'max' | 'least-squares') => {
      const build = new ModelBuilder();
      // Clipping pays only where a channel is long: the few weights it cuts stand against the steps of all others.
      const x = build.input('x', [1, 8192]);
      const weight = build.weight('w', [8192, 2]);
      const model = build.outputs(build.op('MatMul', [x, weight], 'y')).model();
      const outcome = await runPass(quantizeWeightsInt8, model, { ...ALL, weightScale });
      if (outcome.status !== 'changed') throw new Error(outcome.reason);
      const layers = outcome.details?.['quantization'] as { error: number }[] | undefined;
      const layer = layers?.[0];
      return layer?.error ?? Number.NaN;
    };
    expect(await make('least-squares')).toBeLessThan(await make('max'));
  });

  it('keeps a weight in float that some reader needs in float', async () => {
    const build = new ModelBuilder();
    const ids = build.input('ids', [2], 'int64');
    const table = build.weight('table', [8, 4]);
    const rows = build.op('Gather', [table, ids], 'rows');
    const turned = build.op('Transpose', [table], 'turned', { perm: [1, 0] });
    const model = build.outputs(build.op('MatMul', [rows, turned], 'y')).model();
    const outcome = await runPass(quantizeWeightsInt8, model, ALL);
    expect(outcome.status).toBe('unchanged');
    expect(messagesOf(outcome)).toEqual(['table stays float: turned_node reads it too.']);
  });

  it('stores a weight once that two nodes read', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 16, 8, 8]);
    const weight = build.weight('w', [16, 16, 3, 3]);
    const first = build.op('Conv', [x, weight], 'first');
    const model = build.outputs(build.op('Conv', [first, weight], 'y')).model();
    await runPass(quantizeWeightsInt8, model);
    const int8 = [...model.graph.initializers].filter(({ tensor }) => tensor?.dtype === 'int8');
    expect(int8.map(({ name }) => name)).toEqual(['w_int8']);
  });

  it('does only the operators asked for, and none that is excluded or small', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 4, 6, 6]);
    const convolved = build.op('Conv', [x, build.weight('w0', [8, 4, 3, 3])], 'convolved');
    const model = build.outputs(build.op('MatMul', [convolved, build.weight('w1', [4, 4])], 'y')).model();
    expect((await runPass(quantizeWeightsInt8, model, { ...ALL, operators: ['Gather'] })).status).toBe('unchanged');
    expect((await runPass(quantizeWeightsInt8, model, { ...ALL, exclude: ['Conv', 'y_node'] })).status).toBe(
      'unchanged',
    );
    expect((await runPass(quantizeWeightsInt8, model)).status).toBe('unchanged');
  });
});
