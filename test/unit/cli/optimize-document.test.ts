import { describe, expect, it } from 'vitest';
import { exitCodeOfRun, optimizeDocument } from '../../../native-workers/cli/optimize-document.ts';
import { HoneError } from '../../../native-workers/protocol/errors.ts';
import type { EvaluateFacts, Manifest } from '../../../native-workers/protocol/facts.ts';
import { buildReport } from '../../../native-workers/report/build.ts';
import type { ReportDocument } from '../../../native-workers/report/document.ts';
import { testManifest } from '../../helpers/test-manifest.ts';
import { INSPECT_FACTS } from '../../helpers/worker-facts.ts';

const EVALUATED: EvaluateFacts = {
  fidelity: {
    samples: 4,
    inputs: 'user',
    outputs: [
      { name: 'a', cosine: 0.9, sqnrDb: 20, maxAbs: 0.5, reference: 2, top1Agreement: 0.75, kl: null, notFinite: 0 },
      { name: 'b', cosine: 0.99, sqnrDb: 10, maxAbs: 0.1, reference: 2, top1Agreement: null, kl: null, notFinite: 0 },
    ],
  },
  metrics: ['top-1', 'top-5'].map((name) => ({
    name,
    better: 'higher',
    unit: 'share',
    before: 0.75,
    after: 0.5,
    intervalBefore: { low: 0.2, high: 0.9 },
    intervalAfter: { low: 0.1, high: 0.8 },
    delta: -0.25,
    interval: { low: -0.7, high: 0.2 },
    p: 1,
    test: 'McNemar',
    samples: 4,
  })),
  task: 'classification',
  labels: null,
  predictions: [{ sample: 'a', label: 0, before: [0], after: [1] }],
  skipped: [],
  dataset: { name: 'test', kind: 'images', samples: 4, sha256: 'a', preprocess: null },
};

function document(manifest: Manifest, evaluate: EvaluateFacts | null = null) {
  const facts = { inspect: INSPECT_FACTS, optimize: null, evaluate, benchmark: null, package: null };
  const report: ReportDocument = buildReport(manifest, facts);
  return optimizeDocument('/runs/r', manifest, report);
}

const failure = new HoneError('data-unreadable', 'a.png is damaged.').toData();
const withStage = (name: string, row: object): Manifest => {
  const manifest = testManifest();
  return { ...manifest, stages: manifest.stages.map((stage) => (stage.name === name ? { ...stage, ...row } : stage)) };
};

describe('the document', () => {
  it('takes the worst output, and the first metric', () => {
    const { fidelity, metrics, allMetrics } = document(testManifest(), EVALUATED);
    expect(fidelity).toEqual({ cosine: 0.9, sqnrDb: 10, maxAbs: 0.5, top1Agreement: 0.75, samples: 4, inputs: 'user' });
    expect(metrics).toEqual({
      name: 'top-1',
      before: 0.75,
      after: 0.5,
      delta: -0.25,
      interval: { low: -0.7, high: 0.2 },
      p: 1,
      samples: 4,
    });
    expect(allMetrics?.map(({ name }) => name)).toEqual(['top-1', 'top-5']);
  });

  it('says why a part is not there', () => {
    const { fidelity, latency, metrics, absent } = document(
      withStage('benchmark', { status: 'failed', error: failure }),
    );
    expect([fidelity, latency, metrics]).toEqual([null, null, undefined]);
    expect(absent['latency']).toEqual({ status: 'failed', reason: 'a.png is damaged.' });
    expect(absent['metrics']).toMatchObject({ status: 'not-measured', reason: expect.any(String) });
  });

  it('has absolute paths', () => {
    const models = [
      { id: 'source', path: '/models/tiny.onnx', bytes: 1, sha256: 'a', parent: null, label: 'Original' },
      { id: 'optimized', path: 'tiny.int8.onnx', bytes: 1, sha256: 'b', parent: 'source', label: 'INT8' },
    ];
    const { models: shown, report } = document(testManifest({ models }));
    expect(shown.map(({ path }) => path)).toEqual(['/models/tiny.onnx', '/runs/r/tiny.int8.onnx']);
    expect(report).toBe('/runs/r/report.json');
  });

  it('stands without a report', () => {
    const shown = optimizeDocument('/runs/r', testManifest({ status: 'failed', error: failure }), null);
    expect(shown).toMatchObject({ error: failure, report: null, size: null, verdict: null, budgets: [] });
    expect(Object.keys(shown.absent)).toEqual(['fidelity', 'metrics', 'latency', 'size']);
  });
});

describe('the exit code', () => {
  const budgets = { request: { budgets: { maxMs: 1 } } };

  it('is 0 for a run that is done', () => {
    expect(exitCodeOfRun(document(testManifest()))).toBe(0);
  });

  it('is 1 for a budget that could not be checked', () => {
    const shown = document(testManifest(budgets));
    expect(shown.budgets).toMatchObject([{ id: 'maxMs', status: 'not-measured' }]);
    expect(exitCodeOfRun(shown)).toBe(1);
  });

  it('is that of what ended the run, or of a stage that failed, before any budget', () => {
    expect(exitCodeOfRun(document(testManifest({ ...budgets, status: 'failed', error: failure })))).toBe(3);
    expect(exitCodeOfRun(document(withStage('evaluate', { status: 'failed', error: failure })))).toBe(3);
    expect(exitCodeOfRun(document(testManifest({ status: 'cancelled' })))).toBe(4);
  });
});
