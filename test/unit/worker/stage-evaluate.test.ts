import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { recomputeMetrics } from '../../../native-workers/metrics/evaluate.ts';
import { type EvaluateFacts, evaluateFactsSchema } from '../../../native-workers/protocol/facts.ts';
import type { JobResult } from '../../../native-workers/protocol/jobs.ts';
import type { RunRequest } from '../../../native-workers/protocol/request.ts';
import { stageEvaluate } from '../../../native-workers/worker/stage-evaluate.ts';
import { floats, longs, type TestArray, texts, writeNpz } from '../../helpers/npz.ts';
import { temporaryFolder } from '../../helpers/temp.ts';
import { testManifest } from '../../helpers/test-manifest.ts';
import { tinyOnnx } from '../../helpers/tiny-onnx.ts';

const scaled = (factors: readonly number[]): Uint8Array =>
  tinyOnnx({
    nodes: [{ type: 'Mul', inputs: ['x', 'factors'], outputs: ['scores'] }],
    inputs: [{ name: 'x', shape: ['n', factors.length] }],
    outputs: [{ name: 'scores', shape: ['n', factors.length] }],
    weights: [{ name: 'factors', shape: [factors.length], data: Float32Array.from(factors) }],
  });

interface Stage {
  readonly result: JobResult<'stage-evaluate'>;
  /** null when the stage wrote none. */
  readonly facts: EvaluateFacts | null;
  readonly log: readonly string[];
  readonly progress: readonly string[];
}

async function runStage(changes: Partial<RunRequest>, after: readonly number[] | null = [1, 1, 2]): Promise<Stage> {
  const run = temporaryFolder();
  const source = join(run, 'source.onnx');
  writeFileSync(source, scaled([1, 1, 1]));
  if (after !== null) writeFileSync(join(run, 'tiny.int8.onnx'), scaled(after));
  const model = {
    id: 'optimized',
    path: 'tiny.int8.onnx',
    bytes: 1,
    sha256: 'ab'.repeat(32),
    parent: 'source',
    label: 'INT8',
  };
  const manifest = testManifest({
    source: { path: source, name: 'source.onnx', bytes: 1, sha256: 'cd'.repeat(32) },
    models: after === null ? [] : [model],
  });
  writeFileSync(join(run, 'manifest.json'), JSON.stringify(manifest));
  const request: RunRequest = {
    model: source,
    recipe: { schema: 1, name: 't', steps: [] },
    seed: 3,
    benchmark: {},
    budgets: {},
    ...changes,
  };
  const [log, progress]: [string[], string[]] = [[], []];
  const context = {
    log: (_: string, message: string): void => void log.push(message),
    progress: async ({ phase, done, total }: { phase: string; done: number; total: number | null }): Promise<void> =>
      void progress.push(`${phase} ${done}/${total}`),
  };
  const result = await stageEvaluate({ run, file: '03-evaluate.json', request }, context);
  const facts =
    result.skipped === undefined
      ? evaluateFactsSchema.parse(JSON.parse(readFileSync(join(run, '03-evaluate.json'), 'utf8')))
      : null;
  return { result, facts, log, progress };
}

const data = (arrays: Readonly<Record<string, TestArray>>): Promise<string> =>
  writeNpz(join(temporaryFolder(), 'data.npz'), arrays);

/** The largest number in turn; the third class gains on the others when its factor grows. */
const FORTY = floats(
  [40, 3],
  Array.from({ length: 40 }, (_, row) =>
    [0, 1, 2].map((column) => (column === row % 3 ? 3 : column === 2 ? 2 : 1)),
  ).flat(),
);
const LABELS = Array.from({ length: 40 }, (_, row) => row % 3);

describe('stageEvaluate', () => {
  it('writes metrics, fidelity and the raw answers that they follow from', async () => {
    const evaluation = await data({ x: FORTY, labels: longs([40], LABELS) });
    const { facts, result, progress } = await runStage({ evaluation });
    expect(result).toEqual({ models: [] });
    expect(facts).toMatchObject({
      task: 'classification',
      fidelity: { samples: 40, inputs: 'user', outputs: [{ name: 'scores', top1Agreement: 13 / 40 }] },
      dataset: { name: 'data.npz', kind: 'npz', samples: 40, preprocess: null },
      skipped: [],
    });
    // Classes 0 and 1, 27 samples, are lost to the third.
    expect(facts?.metrics[0]).toMatchObject({
      name: 'top-1',
      unit: 'share',
      better: 'higher',
      before: 1,
      after: 13 / 40,
      test: 'McNemar exact',
      samples: 40,
    });
    expect(facts?.metrics[0]?.p).toBeCloseTo(2 ** -26, 12);
    expect(facts?.metrics.every(({ interval, delta }) => interval.low <= delta && delta <= interval.high)).toBe(true);
    expect(facts?.predictions).toHaveLength(40);
    expect(facts?.predictions[0]).toEqual({ sample: '0', label: 0, before: [0, 2, 1], after: [2, 0, 1] });
    expect(facts?.details).toMatchObject({
      confusion: {
        before: [
          [14, 0, 0],
          [0, 13, 0],
          [0, 0, 13],
        ],
        after: [
          [0, 0, 14],
          [0, 0, 13],
          [0, 0, 13],
        ],
      },
      classes: { after: [{ class: 0, recall: 0 }, { class: 1 }, { class: 2, recall: 1 }] },
    });
    expect(progress.at(0)).toBe('opening the model 0/null');
    expect(progress).toContain('evaluating 32/40');
    expect(progress).toContain('evaluating 40/40');
  });

  it('writes what its metrics can be computed from again', async () => {
    const evaluation = await data({ x: FORTY, labels: longs([40], LABELS) });
    const { facts } = await runStage({ evaluation });
    expect(facts).not.toBeNull();
    if (facts === null) return;
    expect(recomputeMetrics(facts, 3)).toEqual(facts.metrics);
    const altered = {
      ...facts,
      predictions: facts.predictions.map((prediction) => ({ ...prediction, after: prediction.before })),
    };
    expect(recomputeMetrics(altered, 3)).not.toEqual(facts.metrics);
  });

  it('gives metrics by subgroup', async () => {
    const group = texts(LABELS.map((label) => (label === 2 ? 'safe' : 'hurt')));
    const { facts } = await runStage({ evaluation: await data({ x: FORTY, labels: longs([40], LABELS), group }) });
    expect(facts?.details?.['subgroups']).toMatchObject({
      metric: 'top-1',
      gap: { before: 0, after: 1 },
      groups: [
        { group: 'hurt', before: 1, after: 0 },
        { group: 'safe', before: 1, after: 1 },
      ],
    });
    expect(facts?.predictions[0]?.group).toBe('hurt');
  });

  it('compares on the calibration data where there is no other, and takes no accuracy from it', async () => {
    const { facts, log } = await runStage({
      calibration: await data({ x: FORTY, labels: longs([40], LABELS) }),
      samples: 10,
    });
    expect(facts).toMatchObject({ metrics: [], fidelity: { samples: 10, inputs: 'user' } });
    expect(facts?.notes?.map(({ code }) => code)).toContain('compared-on-calibration');
    expect(facts?.predictions.every(({ label }) => label === null)).toBe(true);
    expect(log.join(' ')).toContain('calibration data');
  });

  it('compares on random inputs where there is no data', async () => {
    const { facts } = await runStage({});
    expect(facts).toMatchObject({
      task: 'none',
      metrics: [],
      predictions: [],
      dataset: null,
      fidelity: { samples: 32, inputs: 'seeded' },
    });
    expect((await runStage({})).facts).toEqual(facts);
  });

  it('compares unlabelled data and keeps the answers', async () => {
    const { facts } = await runStage({ evaluation: await data({ x: FORTY }) });
    expect(facts).toMatchObject({ task: 'classification', metrics: [], fidelity: { samples: 40 } });
    expect(facts?.predictions[0]).toEqual({ sample: '0', label: null, before: [0, 2, 1], after: [2, 0, 1] });
  });

  it('says so when there is nothing to compare', async () => {
    const { result, facts } = await runStage({}, null);
    expect(result.skipped).toContain('no model');
    expect(facts).toBeNull();
  });

  it('reports a model that gives no numbers any more', async () => {
    const evaluation = await data({ x: FORTY, labels: longs([40], LABELS) });
    const { facts } = await runStage({ evaluation }, [1, 1, Number.NaN]);
    expect(facts).toMatchObject({
      fidelity: { outputs: [{ notFinite: 40 }] },
      metrics: [{ name: 'top-1', before: 1, after: 0 }, {}, {}, {}],
    });
    expect(facts?.notes?.map(({ code }) => code)).toContain('outputs-not-finite');
    expect(facts?.predictions[0]?.after).toEqual([]);
  });
});
