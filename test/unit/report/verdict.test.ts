import { describe, expect, it } from 'vitest';
import { buildReport } from '../../../native-workers/report/build.ts';
import type { ReportDocument } from '../../../native-workers/report/document.ts';
import type { ReportManifest, StageFacts } from '../../../native-workers/report/input.ts';
import { goldenInput, goldenReport } from '../../helpers/report-runs.ts';

async function verdictWith(
  change: (input: { manifest: ReportManifest; facts: StageFacts }) => void,
): Promise<ReportDocument['verdict']> {
  const input = structuredClone(await goldenInput('mobilenet-int8'));
  change(input);
  return buildReport(input.manifest, input.facts).verdict;
}

/** Gives every variant the run times of the original, so that there is nothing to find. */
function makeEqual({ facts }: { facts: StageFacts }): void {
  const [first] = facts.benchmark?.variants ?? [];
  for (const variant of facts.benchmark?.variants ?? []) variant.blocks = structuredClone(first?.blocks ?? []);
}

describe('verdict', () => {
  it('says how much faster, with the interval', async () => {
    const { verdict } = await goldenReport('mobilenet-int8');
    expect(verdict).toMatchObject({ speed: 'faster', size: 'smaller', accuracy: 'inconclusive', budgets: 'met' });
    expect(verdict.sentence).toMatch(
      /^The optimised model runs \d\.\d+× as fast \(95 % interval \d\.\d+× to \d\.\d+×\) and is \d+\.\d % smaller/,
    );
  });

  it('says slower when it is', async () => {
    const { verdict } = await goldenReport('resnet-float16');
    expect(verdict).toMatchObject({ speed: 'slower', accuracy: 'close', budgets: 'missed' });
    expect(verdict.sentence).toContain('is slower, taking 1.36× as long');
    expect(verdict.sentence).toContain('accuracy itself was not measured');
  });

  it('calls equal times inconclusive and not faster', async () => {
    const verdict = await verdictWith(makeEqual);
    expect(verdict.speed).toBe('inconclusive');
    expect(verdict.sentence).toContain('shows no proven difference in speed');
  });

  it('calls outputs that are not finite far off', async () => {
    const verdict = await verdictWith(({ facts }) => {
      const output = facts.evaluate?.fidelity?.outputs[0];
      if (facts.evaluate !== null) facts.evaluate.dataset = null;
      if (output !== undefined) output.notFinite = 7;
    });
    expect(verdict.accuracy).toBe('far');
    expect(verdict.sentence).toContain('7 values that are not finite');
  });

  it.each([
    [1, 13, 0.999995, 'inconclusive', '92.3 % (95 % interval 66.7 to 98.6 %)'],
    [0, 13, 0.999995, 'close', '100.0 % (95 % interval 77.2 to 100.0 %)'],
    [0, 13, 0.98, 'far', 'cosine 0.98000'],
    [9, 60, 0.999995, 'far', '85.0 % (95 % interval 73.9 to 91.9 %)'],
    [10, 1000, 0.999995, 'close', '99.0 % (95 % interval 98.17 to 99.46 %)'],
    [52, 1000, 0.999995, 'inconclusive', '94.8 % (95 % interval 93.2 to 96.0 %)'],
  ])('judges %d changed answers of %d at a cosine of %d: %s', async (flips, answers, cosine, answer, words) => {
    const verdict = await verdictWith(({ facts }) => {
      const fidelity = facts.evaluate?.fidelity;
      if (facts.evaluate === null || fidelity === undefined || fidelity === null) throw new Error('no fidelity');
      facts.evaluate.dataset = null;
      fidelity.outputs = fidelity.outputs
        .slice(0, 1)
        .map((output) => ({ ...output, cosine, top1Agreement: 1 - flips / answers, answers, notFinite: 0 }));
    });
    expect(verdict.accuracy).toBe(answer);
    expect(verdict.sentence).toContain(words);
  });

  it('gives a change of the size that rounds to nothing no sign', async () => {
    const verdict = await verdictWith(({ manifest, facts }) => {
      manifest.source = { ...manifest.source, bytes: 1_000_000 };
      if (facts.optimize?.model) facts.optimize.model.bytes = 999_900;
    });
    expect(verdict.sentence).toContain('is as large as before');
  });

  it('says that nothing was made when nothing was', async () => {
    const { verdict } = await goldenReport('failed-hostile-names');
    expect(verdict).toMatchObject({ speed: 'not-measured', size: 'not-measured', accuracy: 'not-measured' });
    expect(verdict.sentence).toMatch(/^No optimised model was made/);
  });

  it('judges a metric by the interval of the paired difference', async () => {
    const judged = (low: number, high: number, better: 'higher' | 'lower' = 'higher') =>
      verdictWith(({ facts }) => {
        const metric = facts.evaluate?.metrics[0];
        if (metric !== undefined) Object.assign(metric, { interval: { low, high }, delta: (low + high) / 2, better });
      });
    expect((await judged(-0.05, -0.01)).accuracy).toBe('worse');
    expect((await judged(0.01, 0.05)).accuracy).toBe('better');
    expect((await judged(0.01, 0.05, 'lower')).accuracy).toBe('worse');
    expect((await judged(-0.01, 0.02)).accuracy).toBe('inconclusive');
    expect((await judged(0, 0)).accuracy).toBe('same');
  });
});
