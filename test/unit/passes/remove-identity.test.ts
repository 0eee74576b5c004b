import { describe, expect, it } from 'vitest';
import { tensorFromInt64, tensorFromNumbers } from '../../../native-workers/graph/tensor-values.ts';
import { tensorType } from '../../../native-workers/graph/types.ts';
import { removeIdentity } from '../../../native-workers/passes/remove-identity.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { countsOf, normal, operators, relativeDifference, runModel, runPass } from '../../helpers/passes.ts';

const constant = (build: ModelBuilder, name: string, values: number[]) =>
  build.graph.addInitializer(name, tensorFromInt64(values, [values.length]));

describe('remove-identity', () => {
  it('removes identities between nodes and keeps the name and type of the output', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', ['n', 4]);
    const y = build.op('Identity', [build.op('Relu', [build.op('Identity', [x], 'same')], 'active')], 'y');
    y.type = tensorType('float32', ['rows', 4]);
    const model = build.outputs(y).model();
    expect(countsOf(await runPass(removeIdentity, model))).toEqual({ 'Identity removed': 2 });
    expect(operators(model)).toEqual(['Relu']);
    expect(model.graph.outputs.map(({ name, type }) => [name, type])).toEqual([
      ['y', tensorType('float32', ['rows', 4])],
    ]);
  });

  it('keeps an identity that makes an output of an input', async () => {
    const build = new ModelBuilder();
    const model = build.outputs(build.op('Identity', [build.input('x', [4])], 'y')).model();
    expect((await runPass(removeIdentity, model)).status).toBe('unchanged');
    expect(operators(model)).toEqual(['Identity']);
  });

  it('keeps an identity that makes two outputs of one value', async () => {
    const build = new ModelBuilder();
    const active = build.op('Relu', [build.input('x', [4])], 'active');
    const model = build.outputs(active, build.op('Identity', [active], 'again')).model();
    await runPass(removeIdentity, model);
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['active', 'again']);
    expect(operators(model)).toEqual(['Relu', 'Identity']);
  });

  it('removes dropout at inference, and keeps it where the mask is read or it trains', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [4]);
    const train = build.graph.addInitializer('train', tensorFromNumbers('bool', [1], []));
    const a = build.op('Dropout', [x], 'a');
    const b = build.op('Dropout', [a, null, train], 'b');
    const model = build.outputs(build.op('Relu', [b], 'y')).model();
    expect(countsOf(await runPass(removeIdentity, model))).toEqual({ 'Dropout removed': 1 });
    expect(operators(model)).toEqual(['Dropout', 'Relu']);
  });

  it('removes casts, reshapes, pads and slices that change nothing, by types that the engine infers', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [2, 8]);
    let value = build.op('Cast', [build.op('Relu', [x], 'active')], 'cast', { to: 1 });
    value = build.op('Reshape', [value, constant(build, 'shape', [2, 8])], 'reshaped');
    value = build.op('Pad', [value, constant(build, 'pads', [0, 0, 0, 0])], 'padded');
    value = build.op(
      'Slice',
      [value, constant(build, 'starts', [0]), constant(build, 'ends', [2 ** 40]), constant(build, 'axes', [1])],
      'sliced',
    );
    value = build.op('Concat', [value], 'joined', { axis: 0 });
    const model = build.outputs(build.op('Neg', [value], 'y')).model();
    const feeds = { x: normal([2, 8]) };
    const before = await runModel(model, feeds);
    await runPass(removeIdentity, model);
    expect(operators(model)).toEqual(['Relu', 'Neg']);
    expect(relativeDifference(before['y'], (await runModel(model, feeds))['y'])).toBe(0);
  });

  it('keeps a reshape of symbolic shape, a cast to another type and a slice that cuts', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', ['n', 8]);
    let value = build.op('Reshape', [x, constant(build, 'shape', [-1, 8])], 'reshaped');
    value = build.op('Slice', [value, constant(build, 'starts', [0]), constant(build, 'ends', [4])], 'sliced');
    value = build.op('Cast', [value], 'cast', { to: 11 });
    value.type = tensorType('float64', null);
    const model = build.outputs(value).model();
    expect((await runPass(removeIdentity, model)).status).toBe('unchanged');
    expect(operators(model)).toEqual(['Reshape', 'Slice', 'Cast']);
  });

  it('merges transposes, away altogether when they undo each other', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [2, 3, 4]);
    const once = build.op('Transpose', [x], 'once', { perm: [1, 2, 0] });
    const back = build.op('Transpose', [once], 'back', { perm: [2, 0, 1] });
    const twice = build.op('Transpose', [once], 'twice', { perm: [1, 2, 0] });
    const model = build.outputs(build.op('Neg', [back], 'y'), twice).model();
    const feeds = { x: normal([2, 3, 4]) };
    const before = await runModel(model, feeds);
    expect(countsOf(await runPass(removeIdentity, model))).toEqual({ 'Transpose merged': 2, 'Transpose removed': 1 });
    const after = await runModel(model, feeds);
    expect(relativeDifference(before['y'], after['y'])).toBe(0);
    expect(relativeDifference(before['twice'], after['twice'])).toBe(0);
  });

  it('merges reshapes unless the second copies a dimension', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', ['n', 12]);
    const once = build.op('Reshape', [x, constant(build, 'a', [-1, 3, 4])], 'once');
    const merged = build.op('Reshape', [once, constant(build, 'b', [-1, 6])], 'merged');
    const copying = build.op('Reshape', [once, constant(build, 'c', [0, 12])], 'copying');
    const model = build.outputs(merged, copying).model();
    expect(countsOf(await runPass(removeIdentity, model))).toEqual({ 'Reshape merged': 1 });
    expect(merged.producer?.inputs[0]).toBe(x);
    expect(copying.producer?.inputs[0]).toBe(once);
  });

  it('leaves operators of other domains alone, whatever they are called', async () => {
    const build = new ModelBuilder();
    const own = build.op('Identity', [build.input('x', [4])], 'own', {}, 'com.example');
    const model = build.outputs(build.op('Relu', [own], 'y')).model();
    expect((await runPass(removeIdentity, model)).status).toBe('unchanged');
    expect(operators(model)).toEqual(['com.example:Identity', 'Relu']);
  });
});
