import { describe, expect, it } from 'vitest';
import type { EvaluateFacts } from '../../../native-workers/protocol/facts.ts';
import { buildReport } from '../../../native-workers/report/build.ts';
import type { ReportManifest, StageFacts } from '../../../native-workers/report/input.ts';
import { goldenInput } from '../../helpers/report-runs.ts';

type Input = { manifest: ReportManifest; facts: StageFacts };

async function reportWith(change: (input: Input) => void): Promise<ReturnType<typeof buildReport>> {
  const input = structuredClone(await goldenInput('mobilenet-int8'));
  change(input);
  return buildReport(input.manifest, input.facts);
}

function evaluationOf({ facts }: Input): EvaluateFacts {
  if (facts.evaluate === null) throw new Error('The golden run has an evaluation.');
  return facts.evaluate;
}

describe('buildReport', () => {
  it('gives the same document for the same facts', async () => {
    const [one, other] = [await reportWith(() => undefined), await reportWith(() => undefined)];
    expect(one).toEqual(other);
    expect(one.digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it('does not depend on the report stage, on the status or on when the manifest was written', async () => {
    const { manifest, facts } = await goldenInput('mobilenet-int8');
    const later = {
      ...manifest,
      updated: '2030-01-01T00:00:00.000Z',
      status: 'done' as const,
      stages: [...manifest.stages, { name: 'report' as const, status: 'done' as const, ms: 1, peakRss: 1 }],
    };
    expect(buildReport(later, facts).digest).toBe(buildReport(manifest, facts).digest);
  });

  it('changes its digest with any fact', async () => {
    const changed = await reportWith(({ facts }) => {
      const times = facts.benchmark?.variants[0]?.blocks[3];
      if (times !== undefined) times[0] = (times[0] ?? 0) + 0.0001;
    });
    expect(changed.digest).not.toBe((await reportWith(() => undefined)).digest);
  });

  it('keeps changed, unchanged, skipped and failed passes apart', async () => {
    const report = await reportWith(({ facts }) => {
      const pass = facts.optimize?.passes[1];
      if (pass !== undefined) pass.status = 'failed';
    });
    const passes = report.sections.passes;
    expect(passes.status === 'measured' && passes.data.totals).toEqual({
      changed: 2,
      unchanged: 0,
      skipped: 1,
      failed: 1,
    });
  });

  it('keeps not measured, not applicable and failed apart', async () => {
    const skipped = await reportWith(({ manifest, facts }) => {
      facts.benchmark = null;
      manifest.stages = manifest.stages.map((stage) =>
        stage.name === 'benchmark' ? { ...stage, status: 'skipped', reason: 'No time was given.' } : stage,
      );
    });
    expect(skipped.sections.latency).toEqual({ status: 'not-measured', reason: 'No time was given.' });

    const error = { code: 'worker-hung', kind: 'environment', message: 'It hung.' } as const;
    const failed = await reportWith(({ manifest, facts }) => {
      facts.benchmark = null;
      manifest.stages = manifest.stages.map((stage) =>
        stage.name === 'benchmark' ? { ...stage, status: 'failed', error } : stage,
      );
    });
    expect(failed.sections.latency).toEqual({ status: 'failed', error });
    expect(failed.verdict.speed).toBe('failed');
    expect(failed.run.status).toBe('partial');

    const unlabelled = await reportWith((input) => {
      Object.assign(evaluationOf(input), { metrics: [], predictions: [] });
    });
    expect(unlabelled.sections.accuracy.status).toBe('not-applicable');
  });

  it('says failed where a variant could not be timed', async () => {
    const error = { code: 'runtime-failed', kind: 'environment', message: 'No kernel.' } as const;
    const report = await reportWith(({ facts }) => {
      for (const variant of facts.benchmark?.variants ?? []) {
        if (variant.model === 'optimized') Object.assign(variant, { blocks: [], error });
      }
    });
    expect(report.sections.latency).toEqual({ status: 'failed', error });
    expect(report.table.find((row) => row.id === 'latency-p50')?.after.status).toBe('failed');
  });

  it('sorts flips into broken, fixed and changed', async () => {
    const report = await reportWith((input) => {
      evaluationOf(input).predictions = [
        { sample: 'broken', label: 1, before: [1, 2], after: [2, 1] },
        { sample: 'fixed', label: 1, before: [2, 1], after: [1, 2] },
        { sample: 'changed', label: 1, before: [2, 1], after: [3, 1] },
        { sample: 'no label', label: null, before: [2, 1], after: [3, 1] },
        { sample: 'same', label: 1, before: [1, 2], after: [1, 3] },
        { sample: 'no answer', label: 1, before: [1, 2], after: [] },
      ];
    });
    const accuracy = report.sections.accuracy;
    if (accuracy.status !== 'measured') throw new Error('There are labels.');
    expect(accuracy.data.flips).toMatchObject({ compared: 6, broken: 2, fixed: 1, changed: 2 });
    expect(accuracy.data.flips.rows.map(({ sample, kind, after }) => [sample, kind, after])).toEqual([
      ['broken', 'broken', 'great white shark'],
      ['no answer', 'broken', 'no answer'],
      ['fixed', 'fixed', 'goldfish'],
      ['changed', 'changed', 'tiger shark'],
      ['no label', 'changed', 'tiger shark'],
    ]);
  });

  it('does not take a NaN for a number', async () => {
    await expect(
      reportWith(({ facts }) => {
        const times = facts.benchmark?.variants[0]?.blocks[0];
        if (times !== undefined) times[0] = Number.NaN;
      }),
    ).rejects.toThrow(/not finite/);
  });
});
