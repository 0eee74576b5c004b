import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readOnnx } from '../../../native-workers/formats/onnx/read.ts';
import { writeOnnx } from '../../../native-workers/formats/onnx/write.ts';
import { hashFile, hashFiles } from '../../../native-workers/lib/hash-file.ts';
import { findPreset } from '../../../native-workers/passes/presets.ts';
import { type OptimizeFacts, optimizeFactsSchema } from '../../../native-workers/protocol/facts.ts';
import type { Recipe } from '../../../native-workers/protocol/recipe.ts';
import type { RunRequest } from '../../../native-workers/protocol/request.ts';
import { stageOptimize } from '../../../native-workers/worker/stage-optimize.ts';
import { ModelBuilder, tinyClassifier } from '../../helpers/models.ts';
import { operators } from '../../helpers/passes.ts';
import { hasShared, SHARED } from '../../helpers/shared.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

async function optimize(model: string, recipe: Recipe, changes: Partial<RunRequest> = {}, run = temporaryFolder()) {
  const file = join(run, '02-optimize.json');
  const request: RunRequest = { model, recipe, seed: 1, benchmark: {}, budgets: {}, ...changes };
  const phases: string[] = [];
  const context = {
    progress: async ({ phase }: { phase: string }): Promise<void> => void phases.push(phase),
    log: () => undefined,
  };
  const result = await stageOptimize({ run, file, request }, context);
  const facts: OptimizeFacts = optimizeFactsSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  return { run, result, facts, phases };
}

async function tinyModel(): Promise<string> {
  const path = join(temporaryFolder(), 'tiny.model.onnx');
  await writeOnnx(tinyClassifier(), path);
  return path;
}

const dynamic: Recipe = {
  schema: 1,
  name: 'my recipe/1',
  title: 'Mine',
  steps: [{ pass: 'clean' }, { pass: 'quantize-dynamic', options: { minimumWeights: 0 } }],
};

/** A convolution of an input whose sizes, the channels too, are left open. */
async function openSizes(): Promise<string> {
  const build = new ModelBuilder();
  const image = build.input('x', ['n', null, null, null]);
  const path = join(temporaryFolder(), 'open.onnx');
  const y = build.op('Conv', [image, build.weight('w', [8, 3, 3, 3])], 'y', { kernel_shape: [3, 3] });
  await writeOnnx(build.outputs(y).model(), path);
  return path;
}

describe('stageOptimize', () => {
  it('leaves static INT8 out where random inputs of guessed sizes are refused, and says that it needs data', async () => {
    const recipe: Recipe = { schema: 1, name: 'int8', steps: [{ pass: 'quantize-static' }] };
    const { facts } = await optimize(await openSizes(), recipe);
    expect(facts.passes[0]).toMatchObject({ status: 'skipped', reason: expect.stringContaining('calibration data') });
  });

  it('writes the model under a safe name, with its hash, facts, and what the engine fused', async () => {
    const source = await tinyModel();
    const { run, result, facts, phases } = await optimize(source, dynamic);
    const path = join(run, 'tiny.model.my_recipe_1.onnx');
    const { sha256, bytes } = await hashFile(path);
    const model = {
      id: 'optimized',
      path: 'tiny.model.my_recipe_1.onnx',
      bytes,
      sha256,
      parent: 'source',
      label: 'Mine',
    };
    expect(result).toEqual({ models: [model] });
    expect(facts.model).toEqual(model);
    expect(facts.passes.map(({ pass, status }) => [pass, status])).toEqual([
      ['clean', 'unchanged'],
      ['quantize-dynamic', 'changed'],
    ]);
    expect(facts.fusion?.expected).toEqual([
      { kernel: 'com.microsoft:DynamicQuantizeMatMul', expected: 1, found: 1, missing: [] },
    ]);
    expect(facts.fusion?.operators).toMatchObject({ 'com.microsoft:FusedConv': 1 });
    expect(facts.inspect).toMatchObject({
      quantized: true,
      quantization: 'dynamic',
      nodes: operators(readOnnx(path)).length,
    });
    expect(phases).toContain('checking what the engine fused');
  });

  it('gives the same bytes each time', async () => {
    const source = await tinyModel();
    const hashes = [await optimize(source, dynamic), await optimize(source, dynamic)].map(
      ({ facts }) => facts.model?.sha256,
    );
    expect(hashes[0]).toBe(hashes[1]);
  });

  it('writes the model as it was where nothing can be done, and says so', async () => {
    const { run, facts } = await optimize(await tinyModel(), findPreset('clean'));
    expect(facts.passes.map(({ status, reason }) => [status, reason])).toEqual([
      ['unchanged', 'There is nothing to clean up.'],
    ]);
    expect(operators(readOnnx(join(run, facts.model?.path ?? '')))).toEqual(operators(tinyClassifier()));
  });

  it('fails with the name of the option, the pass or the data that is wrong', async () => {
    const source = await tinyModel();
    const wrong: Recipe = { schema: 1, name: 'wrong', steps: [{ pass: 'clean', options: { colour: 1 } }] };
    await expect(optimize(source, wrong)).rejects.toMatchObject({ code: 'invalid-options' });
    const calibration = join(temporaryFolder(), 'none.npz');
    await expect(optimize(source, dynamic, { calibration })).rejects.toMatchObject({ code: 'file-missing' });
  });

  it('fails where the runtime refuses the result', async () => {
    const build = new ModelBuilder();
    const odd = build.op('Odd', [build.input('x', [1])], 'y', {}, 'com.example');
    const model = build.outputs(odd).model();
    model.opsets.set('com.example', 1);
    const source = join(temporaryFolder(), 'odd.onnx');
    await writeOnnx(model, source);
    await expect(optimize(source, findPreset('clean'))).rejects.toMatchObject({ code: 'runtime-rejected-model' });
  });

  it('fails on a file that is no model', async () => {
    const source = join(temporaryFolder(), 'text.onnx');
    writeFileSync(source, 'hello, this is text');
    await expect(optimize(source, dynamic)).rejects.toMatchObject({ code: 'file-not-a-model' });
  });

  it('hashes files together as one', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'whole'), 'abcd');
    writeFileSync(join(folder, 'a'), 'ab');
    writeFileSync(join(folder, 'b'), 'cd');
    expect(await hashFiles([join(folder, 'a'), join(folder, 'b')])).toEqual(await hashFile(join(folder, 'whole')));
  });
});

describe.skipIf(!hasShared)('stageOptimize on real models', () => {
  it.each(['clean', 'int8-dynamic', 'int8-weights', 'float16', 'float16-compute'])(
    'runs the preset %s on a transformer',
    async (name) => {
      const { facts } = await optimize(join(SHARED, 'models/langid-bert/model.onnx'), findPreset(name));
      expect(facts.passes.every(({ status }) => status === 'changed')).toBe(true);
      for (const { expected, found } of facts.fusion?.expected ?? []) expect(found).toBe(expected);
      // 9.0 MB in float32.
      const share = (facts.model?.bytes ?? 0) / 9_002_801;
      const most = { clean: 1, 'int8-dynamic': 0.28, 'int8-weights': 0.28, float16: 0.51, 'float16-compute': 0.51 }[
        name
      ];
      expect(share).toBeLessThan(most ?? 0);
    },
  );

  it('calibrates on the data of the request', async () => {
    const calibration = join(SHARED, 'models/data/langid/calib.npz');
    const recipe: Recipe = { schema: 1, name: 'half', steps: [{ pass: 'float16', options: { mode: 'compute' } }] };
    const model = join(SHARED, 'models/langid-bert/model.onnx');
    const { facts } = await optimize(model, recipe, { calibration, samples: 32 });
    expect(facts.passes[0]?.calibration).toEqual({ samples: 32, random: false });
  });
});
