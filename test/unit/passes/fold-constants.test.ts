import { describe, expect, it } from 'vitest';
import { floatsAttribute, tensorAttribute } from '../../../native-workers/graph/attribute.ts';
import { FileData } from '../../../native-workers/graph/tensor-data.ts';
import { scalarTensor, tensorFromInt64 } from '../../../native-workers/graph/tensor-values.ts';
import { tensorType } from '../../../native-workers/graph/types.ts';
import { foldConstants } from '../../../native-workers/passes/fold-constants.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import {
  countsOf,
  initializer,
  messagesOf,
  normal,
  numbers,
  operators,
  relativeDifference,
  runModel,
  runPass,
} from '../../helpers/passes.ts';

describe('fold-constants', () => {
  it('makes initializers of Constant nodes and computes what depends on them', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [3]);
    const a = build.op('Constant', [], 'a', { value_floats: floatsAttribute([1, 2, 3]) });
    const b = build.op('Constant', [], 'b', { value: tensorAttribute(scalarTensor('float32', 10)) });
    const product = build.op('Mul', [a, b], 'product');
    const model = build.outputs(build.op('Add', [x, build.op('Neg', [product], 'negative')], 'y')).model();
    const counts = countsOf(await runPass(foldConstants, model));
    expect(counts).toEqual({ 'Constant nodes to initializers': 2, 'nodes folded': 2 });
    expect(operators(model)).toEqual(['Add']);
    expect(numbers(initializer(model, 'negative').tensor)).toEqual([-10, -20, -30]);
    expect(model.graph.initializers.size).toBe(1);
  });

  it('is unchanged where nothing is constant', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [4]);
    const model = build.outputs(build.op('Add', [x, build.weight('w', [4])], 'y')).model();
    expect((await runPass(foldConstants, model)).status).toBe('unchanged');
  });

  it('takes the shape of a value where the engine knows all of it', async () => {
    const build = new ModelBuilder();
    const fixed = build.input('fixed', [2, 3]);
    const free = build.input('free', ['n', 3]);
    const shape = build.op('Shape', [build.op('Relu', [fixed], 'active')], 'shape');
    const other = build.op('Shape', [free], 'other');
    const y = build.op('Concat', [shape, other], 'y', { axis: 0 });
    y.type = tensorType('int64', null);
    const model = build.outputs(y).model();
    await runPass(foldConstants, model);
    expect(numbers(initializer(model, 'shape').tensor)).toEqual([2, 3]);
    expect(operators(model)).toEqual(['Relu', 'Shape', 'Concat']);
  });

  it('does not store a result that is larger than it frees and than the limit', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1]);
    const shape = build.graph.addInitializer('shape', tensorFromInt64([100, 1000, 1000], [3]));
    const huge = build.op('ConstantOfShape', [shape], 'huge');
    const model = build.outputs(build.op('Add', [x, huge], 'y')).model();
    expect((await runPass(foldConstants, model)).status).toBe('unchanged');
    expect(operators(model)).toEqual(['ConstantOfShape', 'Add']);
  });

  it('stores a large transposed weight in place of the weight, on disk', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 512]);
    const weight = build.weight('weight', [1024, 512]);
    const turned = build.op('Transpose', [weight], 'turned', { perm: [1, 0] });
    const model = build.outputs(build.op('MatMul', [x, turned], 'y')).model();
    const feeds = { x: normal([1, 512]) };
    const before = await runModel(model, feeds);
    await runPass(foldConstants, model, { maxBytes: 0 });
    expect(operators(model)).toEqual(['MatMul']);
    expect([...model.graph.initializers].map(({ name }) => name)).toEqual(['turned']);
    expect(initializer(model, 'turned').tensor?.data).toBeInstanceOf(FileData);
    expect(relativeDifference(before['y'], (await runModel(model, feeds))['y'])).toBeLessThan(1e-6);
  });

  it('keeps a weight transposed where another node reads it as it is, unless the copy is small', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 64]);
    const weight = build.weight('weight', [64, 64]);
    const turned = build.op('Transpose', [weight], 'turned', { perm: [1, 0] });
    const model = build.outputs(build.op('MatMul', [build.op('MatMul', [x, weight], 'a'), turned], 'y')).model();
    expect((await runPass(foldConstants, model, { maxBytes: 16383 })).status).toBe('unchanged');
    expect(countsOf(await runPass(foldConstants, model, { maxBytes: 16384 }))).toEqual({ 'nodes folded': 1 });
  });

  it('leaves outputs, defaults of inputs, random numbers and unknown operators', async () => {
    const build = new ModelBuilder();
    const option = build.weight('option', [4]);
    build.graph.inputs.push(option);
    const weight = build.weight('weight', [4]);
    const public_ = build.op('Neg', [weight], 'public');
    const own = build.op('Own', [weight], 'own', {}, 'com.example');
    const random = build.op('RandomNormalLike', [weight], 'random');
    const model = build.outputs(public_, own, random, build.op('Neg', [option], 'optional')).model();
    expect((await runPass(foldConstants, model)).status).toBe('unchanged');
  });

  it('leaves DequantizeLinear, which keeps the model small', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [4]);
    const codes = build.graph.addInitializer('codes', scalarTensor('int8', 3));
    const scale = build.graph.addInitializer('scale', scalarTensor('float32', 0.5));
    const model = build.outputs(build.op('Add', [x, build.op('DequantizeLinear', [codes, scale], 'w')], 'y')).model();
    expect((await runPass(foldConstants, model)).status).toBe('unchanged');
  });

  it('goes on without a node that the engine refuses, and says so', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [2]);
    const a = build.weight('a', [2]);
    const axes = build.graph.addInitializer('axes', tensorFromInt64([9], [1]));
    const wrong = build.op('Unsqueeze', [a, axes], 'wrong');
    const right = build.op('Neg', [a], 'right');
    const model = build.outputs(build.op('Add', [build.op('Add', [x, right], 'sum'), wrong], 'y')).model();
    const outcome = await runPass(foldConstants, model);
    expect(countsOf(outcome)).toEqual({ 'nodes folded': 1 });
    expect(messagesOf(outcome)).toEqual([expect.stringMatching(/^Not folded: /)]);
    expect(operators(model)).toContain('Unsqueeze');
  });
});
