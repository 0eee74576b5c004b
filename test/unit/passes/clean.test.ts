import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runnableBatches } from '../../../native-workers/datasets/batching.ts';
import { seededInputs } from '../../../native-workers/datasets/seeded-inputs.ts';
import { signatureOf } from '../../../native-workers/datasets/signature.ts';
import { readOnnx } from '../../../native-workers/formats/onnx/read.ts';
import { tensorFromFloat32, tensorFromInt64 } from '../../../native-workers/graph/tensor-values.ts';
import { clean } from '../../../native-workers/passes/clean.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { countsOf, operators, relativeDifference, runModel, runPass } from '../../helpers/passes.ts';
import { hasShared, SHARED } from '../../helpers/shared.ts';

describe('clean', () => {
  it('goes on until one pass has opened the way for the other', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 2, 3, 3]);
    const convolved = build.op('Conv', [x, build.weight('w', [2, 2, 1, 1])], 'c');
    // The identity stands between Conv and norm, whose variance is computed from constants.
    const same = build.op('Identity', [convolved], 'same');
    const ones = build.graph.addInitializer('ones', tensorFromFloat32(Float32Array.of(1, 1), [2]));
    const variance = build.op('Add', [ones, ones], 'variance');
    const y = build.op('BatchNormalization', [same, ones, ones, ones, variance], 'y');
    const model = build.outputs(y).model();
    const counts = countsOf(await runPass(clean, model));
    expect(operators(model)).toEqual(['Conv']);
    expect(counts).toMatchObject({ 'nodes folded': 1, 'Identity removed': 1, 'folded into Conv before': 1 });
  });

  it('has nothing to do the second time', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', ['n', 4]);
    const shape = build.graph.addInitializer('shape', tensorFromInt64([-1, 2, 2], [3]));
    const model = build.outputs(build.op('Reshape', [build.op('Identity', [x], 'i'), shape], 'y')).model();
    expect((await runPass(clean, model)).status).toBe('changed');
    expect((await runPass(clean, model)).status).toBe('unchanged');
  });

  it('does only what it is asked for', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 4]);
    const a = build.weight('a', [4]);
    const model = build.outputs(build.op('Add', [x, build.op('Neg', [a], 'b')], 'y')).model();
    expect((await runPass(clean, model, { foldConstants: false })).status).toBe('unchanged');
  });

  it('takes the weights of models before IR version 4 off the list of inputs', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [4]);
    const weight = build.weight('w', [4]);
    build.graph.inputs.push(weight);
    const model = build.outputs(build.op('Add', [x, weight], 'y')).model(8, 3);
    expect(countsOf(await runPass(clean, model))).toEqual({ 'IR version raised to 4': 1 });
    expect(model.irVersion).toBe(4);
    expect(model.graph.inputs.map(({ name }) => name)).toEqual(['x']);
  });
});

describe.skipIf(!hasShared)('clean on real models', () => {
  it.each([
    'models/langid-bert/model.onnx',
    'models/glyphs-resnet/model.onnx',
    'models/glyphs-mobilenetv2/model.onnx',
    'models/tiny-llama/model.onnx',
    'real/mnist.onnx',
    'real/pytorch_super_resolution.onnx',
    'real/Ultraface_version-RFB-320.onnx',
  ])('gives the same answers: %s', async (path) => {
    const model = readOnnx(join(SHARED, path));
    const source = readOnnx(join(SHARED, path));
    const signature = signatureOf(source);
    const names = [signature.inputs, signature.outputs].map((values) => values.map(({ name }) => name));
    await runPass(clean, model);
    const after = signatureOf(model);
    expect([after.inputs, after.outputs].map((values) => values.map(({ name }) => name))).toEqual(names);
    expect(after.outputs.map(({ type }) => type)).toEqual(signature.outputs.map(({ type }) => type));
    for await (const { feeds } of runnableBatches(seededInputs(signature, 2, 7), signature, { batchSize: 1 })) {
      const expected = await runModel(source, feeds);
      const actual = await runModel(model, feeds);
      for (const [name, tensor] of Object.entries(expected)) {
        expect(relativeDifference(tensor, actual[name])).toBeLessThan(2e-6);
      }
    }
  });
});
