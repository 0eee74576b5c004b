import { describe, expect, it } from 'vitest';
import { buildReport } from '../../../native-workers/report/build.ts';
import type { Warning } from '../../../native-workers/report/document.ts';
import type { StageFacts } from '../../../native-workers/report/input.ts';
import { goldenInput, goldenReport } from '../../helpers/report-runs.ts';

async function warningsWith(change: (facts: StageFacts) => void): Promise<Record<string, Warning['severity']>> {
  const { manifest, facts } = structuredClone(await goldenInput('mobilenet-int8'));
  change(facts);
  return Object.fromEntries(buildReport(manifest, facts).warnings.map(({ code, severity }) => [code, severity]));
}

describe('warnings', () => {
  it('put the serious first', async () => {
    const { warnings } = await goldenReport('resnet-float16');
    expect(warnings.map(({ severity }) => severity)).toEqual([
      ...warnings.filter(({ severity }) => severity === 'serious').map(() => 'serious'),
      ...warnings.filter(({ severity }) => severity === 'caution').map(() => 'caution'),
      ...warnings.filter(({ severity }) => severity === 'note').map(() => 'note'),
    ]);
  });

  it('make random calibration, a failed pass and strong drift serious', async () => {
    const { warnings } = await goldenReport('resnet-float16');
    const serious = warnings.filter(({ severity }) => severity === 'serious').map(({ code }) => code);
    expect(serious).toEqual(
      ['pass-failed', 'random-calibration', 'drift'].toSorted((a, b) => serious.indexOf(a) - serious.indexOf(b)),
    );
  });

  it('name each stage that failed or did not run', async () => {
    const { warnings } = await goldenReport('failed-hostile-names');
    expect(warnings.filter(({ code }) => code.startsWith('stage-')).map(({ code }) => code)).toEqual([
      'stage-failed',
      'stage-missing',
      'stage-missing',
    ]);
  });

  it('tell of calibration data that is little, constant or in part unreadable, once for all passes', async () => {
    const found = await warningsWith((facts) => {
      for (const row of facts.optimize?.passes ?? []) {
        row.calibration = {
          samples: 3,
          random: false,
          constant: ['x'],
          skipped: { count: 2, listed: [{ sample: 'a.png', reason: 'cut off' }] },
          notes: [{ code: 'array-converted', message: 'The array is int32.' }],
        };
      }
    });
    expect(found).toMatchObject({
      'calibration-constant': 'serious',
      'few-calibration': 'caution',
      'calibration-skipped': 'caution',
      'array-converted': 'note',
    });
    const enough = await warningsWith((facts) => {
      for (const row of facts.optimize?.passes ?? []) row.calibration = { samples: 256, random: false };
    });
    expect(Object.keys(enough).filter((code) => code.includes('calibration'))).toEqual([]);
  });

  it('tell of a pass that was to make the model smaller and left it as it was', async () => {
    const found = await warningsWith((facts) => {
      for (const row of facts.optimize?.passes ?? [])
        Object.assign(row, { status: 'unchanged', reason: 'nothing fits' });
    });
    expect(found).toMatchObject({ 'pass-unchanged': 'caution' });
    const one = await warningsWith((facts) => {
      const [row] = facts.optimize?.passes ?? [];
      if (row === undefined || facts.optimize === null) throw new Error('The golden run has passes.');
      facts.optimize.passes.push({ ...row, lossy: true, status: 'unchanged', reason: 'even enough' });
    });
    expect(one).not.toHaveProperty('pass-unchanged');
  });

  it('name a group that lost for sure, but none that may have by chance', async () => {
    const harmedWith = async (p: number) => {
      const found = await warningsWith((facts) => {
        const [metric] = facts.evaluate?.metrics ?? [];
        if (facts.evaluate === null || metric === undefined) throw new Error('The golden run has metrics.');
        const group = { samples: 50, before: 0.9, after: 0.9, delta: 0, interval: { low: -0.1, high: 0.1 }, p: 1 };
        const lost = { ...group, group: 'dark', after: 0.7, delta: -0.2, interval: { low: -0.3, high: -0.1 }, p };
        const groups = [{ ...group, group: 'bright' }, lost];
        facts.evaluate.details = {
          ...facts.evaluate.details,
          subgroups: { metric: metric.name, groups, gap: { before: 0, after: 0.2 } },
        };
      });
      return found['group-harmed'];
    };
    expect(await harmedWith(0.001)).toBe('caution');
    expect(await harmedWith(0.04)).toBeUndefined();
  });

  it('grade the drift of the machine', async () => {
    const index = (after: number) => (facts: StageFacts) => {
      if (facts.benchmark !== null) facts.benchmark.environment.machineIndex = { before: 100, after };
    };
    expect((await warningsWith(index(98)))['drift']).toBeUndefined();
    expect((await warningsWith(index(92)))['drift']).toBe('caution');
    expect((await warningsWith(index(125)))['drift']).toBe('serious');
  });

  it('tell of few samples, unfused nodes, values that are not finite and remarks of the evaluation', async () => {
    const found = await warningsWith((facts) => {
      const output = facts.evaluate?.fidelity?.outputs[0];
      if (output !== undefined) output.notFinite = 1;
      if (facts.evaluate?.dataset) facts.evaluate.dataset.samples = 20;
      if (facts.evaluate !== null)
        facts.evaluate.notes = [{ code: 'compared-on-calibration', message: 'Seen before.' }];
    });
    expect(found).toMatchObject({
      'not-finite': 'serious',
      'few-samples': 'caution',
      unfused: 'caution',
      'compared-on-calibration': 'caution',
      'virtual-machine': 'note',
    });
  });
});
