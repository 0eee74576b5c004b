/**
 * Area under the ROC curve of a classifier of two classes: the chance that a sample of the second class has a higher score
 * than one of the first, ties counted half (the Mann-Whitney statistic).
 */
import type { Metric, MetricSample } from './metric.ts';

export const auc: Metric = {
  name: 'auc',
  summary: 'Chance that a sample of the second class is scored above one of the first.',
  task: 'classification',
  better: 'higher',
  unit: 'share',
  applies: (samples) =>
    samples.every(({ score }) => score !== undefined) &&
    samples.some(({ label }) => label === 0) &&
    samples.some(({ label }) => label === 1),
  value: rankSum,
};

function rankSum(samples: readonly MetricSample[]): number {
  const sorted = samples.toSorted((a, b) => (a.score ?? 0) - (b.score ?? 0));
  let positives = 0;
  let rankTotal = 0;
  for (let from = 0; from < sorted.length; ) {
    let to = from + 1;
    while (to < sorted.length && sorted[to]?.score === sorted[from]?.score) to++;
    // Equal scores share the mean of their ranks, which count from 1.
    const rank = (from + 1 + to) / 2;
    for (; from < to; from++) {
      if (sorted[from]?.label === 1) {
        positives++;
        rankTotal += rank;
      }
    }
  }
  const negatives = sorted.length - positives;
  return (rankTotal - (positives * (positives + 1)) / 2) / (positives * negatives);
}
