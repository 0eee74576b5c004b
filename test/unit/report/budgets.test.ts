import { describe, expect, it } from 'vitest';
import { buildReport } from '../../../native-workers/report/build.ts';
import type { ReportDocument } from '../../../native-workers/report/document.ts';
import { lossOf } from '../../../native-workers/report/metric.ts';
import { type GoldenRun, goldenInput } from '../../helpers/report-runs.ts';

async function withBudgets(run: GoldenRun, budgets: Record<string, number>): Promise<ReportDocument> {
  const { manifest, facts } = structuredClone(await goldenInput(run));
  manifest.request = { ...manifest.request, budgets };
  return buildReport(manifest, facts);
}

describe('budgets', () => {
  it('are none when none was set', async () => {
    const { budgets, verdict } = await withBudgets('mobilenet-int8', {});
    expect(budgets).toEqual([]);
    expect(verdict.budgets).toBe('none');
  });

  it('are met at the limit and missed above it, by how much', async () => {
    const met = await withBudgets('mobilenet-int8', { maxMb: 3.729132 });
    const file = met.budgets[0]?.actual ?? 0;
    expect((await withBudgets('mobilenet-int8', { maxMb: file / 1e6 })).budgets[0]).toMatchObject({
      status: 'met',
      margin: 0,
    });
    const missed = await withBudgets('mobilenet-int8', { maxMb: 3 });
    expect(missed.budgets[0]).toMatchObject({ status: 'missed', unit: 'bytes', limit: 3e6, margin: 3e6 - file });
    expect(missed.verdict.sentence).toContain('it misses the budget for size on disk by');
  });

  it('takes the drop of the first metric in points', async () => {
    const { budgets } = await withBudgets('mobilenet-int8', { maxDrop: 1 });
    expect(budgets[0]).toMatchObject({ unit: 'points', limit: 0.01, status: 'met' });
    expect(budgets[0]?.actual).toBeCloseTo(0.0025);
  });

  it('is not missed by what floating point adds', async () => {
    const { budgets } = await withBudgets('mobilenet-int8', { maxDrop: 0.25 });
    expect(budgets[0]?.actual).toBeGreaterThan(0.0025);
    expect(budgets[0]?.status).toBe('met');
    expect((await withBudgets('mobilenet-int8', { maxDrop: 0.2499 })).budgets[0]?.status).toBe('missed');
  });

  it('takes top-1 agreement where there are no labels', async () => {
    expect((await withBudgets('resnet-float16', { maxDrop: 0.5 })).budgets[0]).toMatchObject({
      label: 'Answers unlike the original',
      actual: 0,
      status: 'met',
    });
  });

  it('says not measured, seriously, where nothing was measured', async () => {
    const { budgets, verdict, warnings } = await withBudgets('failed-hostile-names', { maxMs: 5 });
    expect(budgets[0]).toMatchObject({ status: 'not-measured', actual: null, margin: null });
    expect(verdict.budgets).toBe('not-measured');
    expect(warnings.find(({ code }) => code === 'budget-not-measured')?.severity).toBe('serious');
  });
});

describe('lossOf', () => {
  it('is in points for shares, relative for other metrics, and turned round where lower is better', () => {
    expect(lossOf({ unit: 'share', better: 'higher', before: 0.8, delta: -0.02 })).toBeCloseTo(0.02);
    expect(lossOf({ unit: 'share', better: 'higher', before: 0.8, delta: 0.02 })).toBeCloseTo(-0.02);
    expect(lossOf({ unit: '1', better: 'lower', before: 20, delta: 1 })).toBeCloseTo(0.05);
  });
});
