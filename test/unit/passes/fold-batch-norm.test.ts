import { describe, expect, it } from 'vitest';
import { type Attribute, floatAttribute, intAttribute } from '../../../native-workers/graph/attribute.ts';
import { tensorFromFloat32, tensorFromNumbers } from '../../../native-workers/graph/tensor-values.ts';
import type { Value } from '../../../native-workers/graph/value.ts';
import { foldBatchNorm } from '../../../native-workers/passes/fold-batch-norm.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import {
  countsOf,
  messagesOf,
  normal,
  numbers,
  operators,
  relativeDifference,
  runModel,
  runPass,
} from '../../helpers/passes.ts';

/** A batch normalization with parameters that leave nothing as it is. */
function norm(build: ModelBuilder, x: Value, channels: number, name: string): Value {
  const vector = (suffix: string, of: (channel: number) => number) =>
    build.graph.addInitializer(
      `${name}_${suffix}`,
      tensorFromFloat32(
        Float32Array.from({ length: channels }, (_, channel) => of(channel)),
        [channels],
      ),
    );
  const gamma = vector('gamma', (channel) => 0.5 + channel);
  const beta = vector('beta', (channel) => channel - 1);
  const mean = vector('mean', (channel) => 0.3 * channel);
  const variance = vector('variance', (channel) => 0.1 + channel / 4);
  return build.op('BatchNormalization', [x, gamma, beta, mean, variance], name, { epsilon: floatAttribute(1e-3) });
}

/** Folds and compares the outputs on random input. */
async function folds(build: ModelBuilder, y: Value, shape: number[]) {
  const model = build.outputs(y).model();
  const feeds = { x: normal(shape) };
  const before = await runModel(model, feeds, { optimization: 'disabled' });
  const outcome = await runPass(foldBatchNorm, model);
  const after = await runModel(model, feeds, { optimization: 'disabled' });
  expect(relativeDifference(before['y'], after['y'])).toBeLessThan(2e-6);
  return { model, outcome };
}

describe('fold-batch-norm', () => {
  it('scales the weight and makes the bias, exactly', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 1, 1, 1]);
    const weight = build.graph.addInitializer('w', tensorFromNumbers('float32', [2, 3], [2, 1, 1, 1]));
    const constants = [
      [10, 20],
      [1, 2],
      [3, 4],
      [4, 9],
    ].map((values, index) => build.graph.addInitializer(`p${index}`, tensorFromNumbers('float32', values, [2])));
    const convolved = build.op('Conv', [x, weight], 'convolved');
    const y = build.op('BatchNormalization', [convolved, ...constants], 'y', { epsilon: floatAttribute(0) });
    const model = build.outputs(y).model();
    expect(countsOf(await runPass(foldBatchNorm, model))).toEqual({ 'folded into Conv before': 1 });
    const [conv] = [...model.graph.nodes];
    // a = 10 / 2 and 20 / 3; b = 1 - 5 * 3 and 2 - 20 / 3 * 4.
    expect(numbers(conv?.inputs[1]?.tensor)).toEqual([10, 20]);
    expect(numbers(conv?.inputs[2]?.tensor)).toEqual([-14, Math.fround(2 - (20 / 3) * 4)]);
    expect(conv?.outputs[0]?.name).toBe('y');
  });

  const groupCases: [string, Record<string, number | number[] | Attribute>, number[], number][] = [
    ['Conv', { pads: [1, 1, 1, 1] }, [6, 4, 3, 3], 6],
    ['Conv', { group: 2 }, [6, 2, 3, 3], 6],
    ['Conv', { group: 4 }, [8, 1, 3, 3], 8],
    ['ConvTranspose', {}, [4, 6, 2, 2], 6],
    ['ConvTranspose', { group: 2 }, [4, 3, 2, 2], 6],
  ];
  it.each(groupCases)('folds into %s before it, %j', async (opType, attributes, shape, channels) => {
    const build = new ModelBuilder();
    const x = build.input('x', [2, 4, 5, 5]);
    const convolved = build.op(opType, [x, build.weight('w', shape), build.weight('b', [channels])], 'c', attributes);
    const { model, outcome } = await folds(build, norm(build, convolved, channels, 'y'), [2, 4, 5, 5]);
    expect(countsOf(outcome)).toEqual({ [`folded into ${opType} before`]: 1 });
    expect(operators(model)).toEqual([opType]);
    // The old weight, bias and parameters are dropped; the parameters of the norm are left to remove-dead-code.
    expect([...model.graph.initializers].map(({ name }) => name)).not.toContain('w');
  });

  it.each([0, 1])('folds into Gemm before and after it, transB %i', async (transB) => {
    const build = new ModelBuilder();
    const x = build.input('x', [3, 4]);
    const factors = { transB, alpha: floatAttribute(0.5), beta: floatAttribute(2) };
    const first = build.op(
      'Gemm',
      [norm(build, x, 4, 'n0'), build.weight('w1', transB ? [5, 4] : [4, 5]), build.weight('b1', [1, 5])],
      'g1',
      factors,
    );
    const second = build.op(
      'Gemm',
      [norm(build, first, 5, 'n1'), build.weight('w2', transB ? [6, 5] : [5, 6])],
      'y',
      factors,
    );
    const { model, outcome } = await folds(build, second, [3, 4]);
    expect(countsOf(outcome)).toEqual({ 'folded into Gemm after': 1, 'folded into Gemm before': 1 });
    expect(operators(model)).toEqual(['Gemm', 'Gemm']);
  });

  it('folds into a Conv after it only where that does not pad', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 4, 6, 6]);
    const plain = build.op('Conv', [norm(build, x, 4, 'n0'), build.weight('w0', [4, 2, 3, 3])], 'c0', { group: 2 });
    const y = build.op(
      'Conv',
      [norm(build, build.op('Relu', [plain], 'r'), 4, 'n1'), build.weight('w1', [2, 4, 3, 3])],
      'y',
      { pads: [1, 1, 1, 1] },
    );
    const { model, outcome } = await folds(build, y, [1, 4, 6, 6]);
    expect(countsOf(outcome)).toEqual({ 'folded into Conv after': 1 });
    expect(messagesOf(outcome)).toEqual(['Not folded: y_node pads its input, which the normalization would shift.']);
    expect(operators(model)).toEqual(['Conv', 'Relu', 'BatchNormalization', 'Conv']);
  });

  it('leaves a weight that others share as it was for them', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 2, 3, 3]);
    const weight = build.weight('w', [2, 2, 1, 1]);
    const first = norm(build, build.op('Conv', [x, weight], 'c1'), 2, 'n');
    const { outcome } = await folds(
      build,
      build.op('Conv', [build.op('Relu', [first], 'r'), weight], 'y'),
      [1, 2, 3, 3],
    );
    expect(countsOf(outcome)).toEqual({ 'folded into Conv before': 1 });
  });

  it('keeps a norm whose input others read, one that trains, and one that stands alone', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 2, 3, 3]);
    const convolved = build.op('Conv', [x, build.weight('w', [2, 2, 1, 1])], 'c');
    const shared = norm(build, convolved, 2, 'shared');
    const alone = norm(build, build.op('Add', [shared, convolved], 'sum'), 2, 'y');
    const trains = norm(build, build.op('Conv', [alone, build.weight('v', [2, 2, 1, 1])], 'd'), 2, 'z');
    trains.producer?.attributes.set('training_mode', intAttribute(1));
    const model = build.outputs(alone, trains).model();
    const outcome = await runPass(foldBatchNorm, model);
    expect(outcome.status).toBe('unchanged');
    expect(messagesOf(outcome)).toEqual([
      'Not folded: other nodes read the output of c_node too.',
      'Not folded: no convolution or matrix product is beside it.',
      'Not folded: it is in training mode.',
    ]);
  });
});
