import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { hashModel } from '../../../native-workers/graph/hash.ts';
import type { Model } from '../../../native-workers/graph/model.ts';
import { definePass, type PassFacts, type PassOutcome } from '../../../native-workers/passes/pass.ts';
import { findPass } from '../../../native-workers/passes/registry.ts';
import { HoneError } from '../../../native-workers/protocol/errors.ts';
import type { Recipe } from '../../../native-workers/protocol/recipe.ts';
import { applyRecipe } from '../../../native-workers/worker/apply-recipe.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { calibrationOf, normal, operators, passContext } from '../../helpers/passes.ts';

function model(): Model {
  const build = new ModelBuilder();
  const same = build.op('Identity', [build.input('x', [2, 16])], 'same');
  return build.outputs(build.op('MatMul', [same, build.weight('w', [16, 16])], 'y')).model();
}

const recipe = (...steps: Recipe['steps']): Recipe => ({ schema: 1, name: 'test', steps });

type Find = typeof findPass;

function apply(source: Model, steps: Recipe['steps'], changes: Parameters<typeof passContext>[0] = {}, find?: Find) {
  const logs: string[] = [];
  const { engine, open, types, calibration, trial, scratch } = passContext(changes);
  const progress = async (): Promise<void> => undefined;
  const log = (level: string, message: string): void => void logs.push(`${level}: ${message}`);
  const context = { engine, open, types, calibration, trial, scratch, seed: 1, progress, log };
  return applyRecipe(source, recipe(...steps), context, find).then((applied) => ({ ...applied, logs }));
}

/** Finds a pass `test` besides the registered ones. */
function withPass(run: (model: Model) => PassOutcome, needs: PassFacts['needs'] = []): Find {
  const facts = { id: 'test', title: 'Test', summary: 'A pass.', family: 'clean', lossy: false, needs } as const;
  const pass = definePass(facts, {}, z.strictObject({}), async (given) => run(given));
  return (id) => (id === 'test' ? pass : findPass(id));
}

describe('applyRecipe', () => {
  it('runs the passes in order, counts nodes, and leaves the source as it was', async () => {
    const source = model();
    const before = hashModel(source);
    const {
      model: result,
      rows,
      expects,
      logs,
    } = await apply(source, [{ pass: 'clean' }, { pass: 'quantize-dynamic', options: { minimumWeights: 0 } }]);
    expect(hashModel(source)).toBe(before);
    expect(operators(result)).toEqual(['DynamicQuantizeLinear', 'MatMulInteger', 'Cast', 'Mul', 'Mul']);
    expect(rows.map(({ pass, status, nodesBefore, nodesAfter }) => [pass, status, nodesBefore, nodesAfter])).toEqual([
      ['clean', 'changed', 2, 1],
      ['quantize-dynamic', 'changed', 1, 5],
    ]);
    expect(rows[1]).toMatchObject({ lossy: true, counts: { 'MatMul to INT8': 1 }, options: { minimumWeights: 0 } });
    expect(expects).toMatchObject([{ kernel: 'com.microsoft:DynamicQuantizeMatMul', nodes: [{ output: 'y' }] }]);
    expect(logs[0]).toBe('info: Clean up: changed. Identity removed: 1');
  });

  it('gives the same model each time', async () => {
    const steps = [{ pass: 'clean' }, { pass: 'quantize-dynamic', options: { minimumWeights: 0 } }];
    const first = await apply(model(), steps);
    const second = await apply(model(), steps);
    expect(hashModel(first.model)).toBe(hashModel(second.model));
  });

  it('refuses unknown passes and options before it runs anything', async () => {
    let ran = false;
    const find = withPass(() => {
      ran = true;
      return { status: 'unchanged', reason: 'Nothing.' };
    });
    const wrong = [{ pass: 'test' }, { pass: 'float16', options: { bits: 16 } }];
    await expect(apply(model(), wrong, {}, find)).rejects.toMatchObject({
      code: 'invalid-options',
      message: expect.stringContaining('float16.bits'),
    });
    expect(ran).toBe(false);
    await expect(apply(model(), [{ pass: 'nothing' }])).rejects.toMatchObject({ code: 'unknown-pass' });
  });

  it('goes on without a pass that throws halfway, from the model before it', async () => {
    const find = withPass((given) => {
      for (const node of [...given.graph.nodes]) if (node.is('Identity')) node.opType = 'Broken';
      throw new Error('something went wrong');
    });
    const { model: result, rows } = await apply(model(), [{ pass: 'test' }, { pass: 'remove-identity' }], {}, find);
    expect(rows.map(({ status }) => status)).toEqual(['failed', 'changed']);
    expect(rows[0]?.error).toMatchObject({ code: 'pass-failed', message: 'test: something went wrong' });
    expect(operators(result)).toEqual(['MatMul']);
  });

  it('throws the graph away that a pass broke', async () => {
    const find = withPass((given) => {
      const [node] = given.graph.nodes;
      if (node !== undefined) given.graph.nodes.delete(node);
      return { status: 'changed', counts: {}, notes: [] };
    });
    const { model: result, rows } = await apply(model(), [{ pass: 'test' }], {}, find);
    expect(rows[0]).toMatchObject({ status: 'failed', error: { code: 'pass-broke-graph' }, nodesAfter: 2 });
    expect(operators(result)).toEqual(['Identity', 'MatMul']);
  });

  it('keeps the code of an error that a pass meant', async () => {
    const source = model();
    const { rows } = await apply(source, [
      { pass: 'quantize-weights-int8', options: { minimumWeights: 0 } },
      { pass: 'float16' },
    ]);
    expect(rows.map(({ status }) => status)).toEqual(['changed', 'unchanged']);
    const quantized = (await apply(source, [{ pass: 'quantize-weights-int8', options: { minimumWeights: 0 } }])).model;
    const again = await apply(quantized, [{ pass: 'quantize-dynamic' }]);
    expect(again.rows[0]).toMatchObject({ status: 'failed', error: { code: 'model-already-quantized' } });
    expect(again.logs[0]).toMatch(/^warning: Dynamic INT8: failed\./);
  });

  it('lets a cancel through', async () => {
    const find = withPass(() => {
      throw new HoneError('cancelled', 'The job was cancelled.');
    });
    await expect(apply(model(), [{ pass: 'test' }], {}, find)).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('skips a pass that needs calibration where there is none, and says what the others took', async () => {
    const find = withPass(() => ({ status: 'unchanged', reason: 'Nothing.' }), ['calibration']);
    expect((await apply(model(), [{ pass: 'test' }], {}, find)).rows[0]).toMatchObject({ status: 'skipped' });
    const calibration = { ...calibrationOf([{ x: normal([2, 16]) }]), samples: 2 };
    const steps = [{ pass: 'clean' }, { pass: 'float16', options: { mode: 'compute' } }];
    const { rows } = await apply(model(), steps, { calibration });
    expect(rows.map((row) => row.calibration)).toEqual([undefined, { samples: 2, random: false }]);
  });
});
