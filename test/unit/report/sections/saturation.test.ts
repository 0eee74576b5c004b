import { describe, expect, it } from 'vitest';
import { buildReport } from '../../../../native-workers/report/build.ts';
import { renderCsv } from '../../../../native-workers/report/csv.ts';
import { renderMarkdown } from '../../../../native-workers/report/markdown.ts';
import { saturation } from '../../../../native-workers/report/sections/saturation.ts';
import { goldenInput } from '../../../helpers/report-runs.ts';

const FACTS = {
  samples: 16,
  agreement: 0.9375,
  change: 0.02,
  layers: [{ node: 'conv_1', share: 0.00002, error: 0.12 }],
  left: ['odd'],
};

async function inputWith(forecast: unknown, features = ['avx2']) {
  const input = structuredClone(await goldenInput('mobilenet-int8'));
  const row = input.facts.optimize?.passes.find(({ pass }) => pass === 'quantize-static');
  if (row !== undefined) row.details = { ...row.details, saturation: forecast };
  if (input.facts.benchmark !== null) input.facts.benchmark.environment.features = features;
  return input;
}

const sectionWith = async (...given: Parameters<typeof inputWith>) => saturation.build(await inputWith(...given));

describe('saturation', () => {
  it('gives the agreement with the interval that so few samples allow', async () => {
    const outcome = await sectionWith(FACTS);
    // Wilson's interval of 15 of 16, by hand: center 0.8528, half 0.1360.
    expect(outcome).toMatchObject({
      status: 'measured',
      data: {
        samples: 16,
        verdict: 'large',
        machine: 'affected',
        agreement: { share: 0.9375, interval: { low: expect.closeTo(0.717, 3), high: expect.closeTo(0.989, 3) } },
        layers: FACTS.layers,
        left: ['odd'],
      },
    });
  });

  it('knows a machine that has the loss from one that has not', async () => {
    const machineWith = async (features: string[]) => {
      const outcome = await sectionWith(FACTS, features);
      return outcome.status === 'measured' ? outcome.data.machine : null;
    };
    expect(await machineWith(['avx2', 'avx512_vnni'])).toBe('safe');
    expect(await machineWith(['avx2', 'avx_vnni'])).toBe('safe');
    expect(await machineWith(['neon'])).toBe('safe');
    expect(await machineWith([])).toBe('unknown');
  });

  it('tells little loss from none', async () => {
    const verdictOf = async (forecast: unknown) => {
      const outcome = await sectionWith(forecast);
      return outcome.status === 'measured' ? outcome.data.verdict : null;
    };
    expect(await verdictOf({ ...FACTS, agreement: 1, change: 0.001 })).toBe('small');
    expect(await verdictOf({ ...FACTS, agreement: 1, change: 0, layers: [] })).toBe('none');
    expect(await verdictOf({ ...FACTS, agreement: null, change: 0.2 })).toBe('large');
  });

  it('says why there is none: safe by itself, or not emulated', async () => {
    expect(await sectionWith({ safe: true, reason: 'pair-safe' })).toEqual({
      status: 'not-applicable',
      reason: 'pair-safe',
    });
    expect(await sectionWith({ safe: false, reason: 'too large' })).toEqual({
      status: 'not-measured',
      reason: 'too large',
    });
    expect((await sectionWith(undefined)).status).toBe('not-applicable');
  });

  it('warns where the accuracy of the report does not hold the loss', async () => {
    const warned = async (features: string[], forecast: unknown = FACTS) => {
      const { manifest, facts } = await inputWith(forecast, features);
      return buildReport(manifest, facts).warnings.some(({ code }) => code === 'saturation');
    };
    expect(await warned(['avx2', 'avx512_vnni'])).toBe(true);
    expect(await warned(['avx2'])).toBe(false);
    expect(await warned(['avx2', 'avx512_vnni'], { ...FACTS, agreement: 1, change: 0 })).toBe(false);
  });

  it('stands in the Markdown and the CSV', async () => {
    const { manifest, facts } = await inputWith(FACTS);
    const report = buildReport(manifest, facts);
    expect(renderMarkdown(report)).toContain('93.8 % of the answers stay the same');
    expect(renderMarkdown(report)).toContain('| conv\\_1 | 12.0 % | 20.0 in a million |');
    expect(renderCsv(report)).toContain('saturation,conv_1,,,,error,,,0.12,share');
  });
});
