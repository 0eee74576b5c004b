import { describe, expect, it } from 'vitest';
import type { EvaluateFacts } from '../../../native-workers/protocol/facts.ts';
import { buildReport } from '../../../native-workers/report/build.ts';
import { renderMarkdown } from '../../../native-workers/report/markdown.ts';
import { goldenInput } from '../../helpers/report-runs.ts';

async function markdownWith(changes: Partial<EvaluateFacts>): Promise<string> {
  const { manifest, facts } = await goldenInput('mobilenet-int8');
  if (facts.evaluate === null) throw new Error('no evaluation');
  return renderMarkdown(buildReport(manifest, { ...facts, evaluate: { ...facts.evaluate, ...changes } }));
}

type Prediction = EvaluateFacts['predictions'][number];
const answered = (sample: number, label: number, before: number, after: number): Prediction => ({
  sample: String(sample),
  label,
  before: [before],
  after: [after],
});

describe('accuracy in Markdown', () => {
  it('shows the whole matrix of a few classes, with what it was where it changed', async () => {
    const predictions = [answered(0, 0, 0, 1), answered(1, 1, 1, 1), answered(2, 1, 1, 1), answered(3, 2, 1, 2)];
    const text = await markdownWith({ predictions, labels: ['a|b', 'b', 'c'] });
    expect(text).toContain('|  | a\\|b | b | c |');
    expect(text).toContain('| a\\|b | 0 (1) | 1 (0) |  |');
    expect(text).toContain('| b |  | 2 |  |');
    expect(text).toContain('| c |  | 0 (1) | 1 (0) |');
    expect(text).not.toContain('most confused');
  });

  it('lists the most confused pairs of many classes, and says how many it leaves out', async () => {
    // Class k is taken for its neighbour k times, of 40 classes.
    const predictions = Array.from({ length: 40 }, (_, label) =>
      Array.from({ length: label }, (_, index) => answered(label * 100 + index, label, label, (label + 1) % 40)),
    ).flat();
    const text = await markdownWith({ predictions, labels: null });
    expect(text).toContain('The most confused classes');
    expect(text).toContain('| class 39 | class 0 | 0 | 39 |');
    expect(text).toContain('| class 20 | class 21 | 0 | 20 |');
    expect(text).not.toContain('| class 19 | class 20 |');
    expect(text).toContain('19 more pairs are confused less.');
    expect(text).toContain('Recall, precision and F1 of 39 classes');
    expect(text).toContain('19 more are in the full report.');
    expect(text).not.toContain('Confusion matrix');
  });

  it('lists the samples that could not be read', async () => {
    const text = await markdownWith({ skipped: [{ sample: 'a|b.png', reason: 'no picture' }] });
    expect(text).toContain('1 sample could not be read');
    expect(text).toContain('| a\\|b.png | no picture |');
  });

  it('lists the calibration samples that were left out', async () => {
    const { manifest, facts } = structuredClone(await goldenInput('mobilenet-int8'));
    const listed = Array.from({ length: 30 }, (_, place) => ({ sample: `${place}.png`, reason: 'cut off' }));
    const pass = facts.optimize?.passes.at(-1);
    if (pass === undefined) throw new Error('no pass');
    pass.calibration = { samples: 9, random: false, skipped: { count: 500, listed } };
    const text = renderMarkdown(buildReport(manifest, facts));
    expect(text).toContain('500 calibration samples left out');
    expect(text).toContain('| 19.png | cut off |');
    expect(text).not.toContain('| 20.png |');
    expect(text).toContain('480 more are in the full report.');
  });

  it('shows the overlap of each class of a segmentation', async () => {
    const iou = {
      before: [
        { class: 0, iou: 0.9 },
        { class: 1, iou: 0.5 },
      ],
      after: [
        { class: 0, iou: 0.8 },
        { class: 1, iou: 0.51 },
      ],
    };
    const text = await markdownWith({ task: 'segmentation', labels: ['road', 'sky'], details: { iou } });
    expect(text).toContain('Intersection over union of 2 classes, the largest losses first');
    expect(text).toContain('| road | 90.0 % | 80.0 % | −10.00 points |\n| sky | 50.0 % | 51.0 % | +1.00 points |');
  });

  it('shows the subgroups and the gap between them', async () => {
    const group = { before: 0.9, after: 0.8, delta: -0.1, interval: { low: -0.2, high: 0 }, p: 0.04, samples: 50 };
    const subgroups = {
      metric: 'top-1',
      groups: [
        { ...group, group: 'night' },
        { ...group, group: 'day', after: 0.9, delta: 0 },
      ],
      gap: { before: 0, after: 0.1 },
    };
    const text = await markdownWith({ details: { subgroups } });
    expect(text).toContain('| night | 50 | 90.00 % | 80.00 % | −10.00 points (−20.00 to 0.00 points) |');
    expect(text).toContain('The gap between the best and the worst group: 0.00 points before, 10.00 points after.\n');
    subgroups.groups.push({ ...group, group: 'dusk', samples: 9 });
    const withSmall = await markdownWith({ details: { subgroups } });
    expect(withSmall).toContain('10.00 points after. Groups of fewer than 10 samples do not count.');
  });
});
