import { describe, expect, it } from 'vitest';
import { hashModel } from '../../../native-workers/graph/hash.ts';
import type { Model } from '../../../native-workers/graph/model.ts';
import { Random } from '../../../native-workers/lib/random.ts';
import type { CalibrationData, PassOutcome, Trial } from '../../../native-workers/passes/pass.ts';
import { quantizeSearch } from '../../../native-workers/passes/quantize-search.ts';
import { quantizeStatic } from '../../../native-workers/passes/quantize-static.ts';
import type { Budgets } from '../../../native-workers/protocol/request.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { float32, operators, runPass } from '../../helpers/passes.ts';

/** Six products in a row. */
function chain(): Model {
  const build = new ModelBuilder();
  let data = build.input('x', ['batch', 16]);
  for (let layer = 0; layer < 6; layer++) {
    data = build.op(
      'Tanh',
      [build.op('MatMul', [data, build.weight(`w${layer}`, [16, 16], 0.4)], `p${layer}`)],
      `t${layer}`,
    );
  }
  return build.outputs(data).model();
}

const calibration: CalibrationData = {
  samples: 8,
  random: false,
  async *batches() {
    const random = new Random(3);
    yield {
      x: float32(
        [8, 16],
        Array.from({ length: 128 }, () => random.normal()),
      ),
    };
  },
};

const integerLayers = (model: Model): number =>
  [...model.graph.nodes].filter(
    (node) => node.opType === 'DequantizeLinear' && node.inputs[0]?.tensor?.dtype === 'int8',
  ).length;

/** Judges by the number of quantized layers alone: `dropOf` points lost, `msOf` milliseconds. */
function fakeTrial(
  budgets: Budgets,
  dropOf: (layers: number) => number,
  msOf: (layers: number) => number = (layers) => 10 - layers,
): Trial {
  return {
    budgets,
    evaluate: async (model) => ({ metric: 'top-1', drop: dropOf(integerLayers(model)), samples: 100 }),
    measure: async (models) => models.map((model) => msOf(integerLayers(model))),
    profile: async (model) =>
      new Map([...model.graph.nodes].filter((node) => node.opType === 'MatMul').map((node) => [node.name, 10 / 6])),
    bytes: (model) => 1_000_000 * (7 - integerLayers(model)),
  };
}

async function search(trial: Trial, options: object = {}): Promise<{ outcome: PassOutcome; model: Model }> {
  const model = chain();
  return { outcome: await runPass(quantizeSearch, model, options, { calibration, trial }), model };
}

const pointsOf = (outcome: PassOutcome): { chosen: boolean; drop: number; ms: number; float: string[] }[] =>
  (outcome.status === 'skipped' ? [] : (outcome.details?.['search'] ?? [])) as never;

describe('quantize-search', () => {
  it('quantizes everything where that loses nothing', async () => {
    const { outcome, model } = await search(fakeTrial({}, () => 0));
    expect(outcome).toMatchObject({
      status: 'changed',
      counts: { 'layers to INT8': 6, 'layers left float by the search': 0 },
    });
    expect(integerLayers(model)).toBe(6);
    expect(pointsOf(outcome).filter(({ chosen }) => chosen)).toHaveLength(1);
  });

  it('takes the fastest mix within the accuracy asked for', async () => {
    const { outcome, model } = await search(fakeTrial({ maxDrop: 0.35 }, (layers) => layers * 0.1));
    expect(integerLayers(model)).toBe(3);
    expect(pointsOf(outcome).find(({ chosen }) => chosen)).toMatchObject({ drop: expect.closeTo(0.3, 9), ms: 7 });
  });

  it('stays float and says by how much the accuracy is missed', async () => {
    const { outcome, model } = await search(fakeTrial({ maxDrop: 0.2 }, () => 1.5));
    expect(outcome).toMatchObject({ status: 'unchanged', reason: expect.stringContaining('1.30 too many') });
    expect(operators(model)).not.toContain('QuantizeLinear');
    expect(pointsOf(outcome).find(({ chosen }) => chosen)?.float).toEqual(['all layers']);
  });

  it('gives the same model as static INT8 that leaves the layers of a point float', async () => {
    const searched = await search(fakeTrial({ maxDrop: 0.35 }, (layers) => layers * 0.1));
    const exclude = pointsOf(searched.outcome).find(({ chosen }) => chosen)?.float ?? [];
    expect(exclude).toHaveLength(3);
    const picked = chain();
    await runPass(quantizeStatic, picked, { exclude }, { calibration });
    expect(hashModel(picked)).toBe(hashModel(searched.model));
  });

  it('never hands over a model that is slower', async () => {
    const { outcome, model } = await search(
      fakeTrial(
        {},
        () => 0,
        (layers) => 10 + layers,
      ),
    );
    expect(outcome).toMatchObject({
      status: 'unchanged',
      reason: expect.stringContaining('faster than the float model'),
    });
    expect(integerLayers(model)).toBe(0);
  });

  it('takes no mix without a quantized layer for faster than float, as it is the same by another clock', async () => {
    const trial = fakeTrial({}, () => 0);
    const measure = async (models: readonly Model[]): Promise<number[]> =>
      models.map((model, place) => (place === 0 ? 10 : integerLayers(model) === 0 ? 9.9 : 12));
    // No layer gains anything.
    const profile = async (model: Model): Promise<Map<string, number>> =>
      new Map([...model.graph.nodes].map((node) => [node.name, integerLayers(model) === 0 ? 1 : 2]));
    const { outcome } = await search({ ...trial, measure, profile });
    expect(pointsOf(outcome).filter(({ float }) => float.length === 6)).toEqual([]);
    expect(outcome).toMatchObject({ status: 'unchanged' });
  });

  it('says so when the latency asked for is not reached, and gives the fastest', async () => {
    const { outcome, model } = await search(fakeTrial({ maxMs: 1 }, () => 0));
    expect(integerLayers(model)).toBe(6);
    expect(JSON.stringify(outcome.notes)).toContain('3.00 ms too slow');
  });

  it('says so when no mix is small enough', async () => {
    const { outcome } = await search(fakeTrial({ maxMb: 0.5 }, () => 0));
    expect(outcome).toMatchObject({ status: 'unchanged', reason: expect.stringContaining('0.50 MB') });
  });
});
