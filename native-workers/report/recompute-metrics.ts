/** Metrics computed again from the answers that a report holds, for `verify`. */
import type { EvaluateFacts, MetricFacts } from '../protocol/facts.ts';

export interface RecomputedMetric {
  readonly metric: string;
  /** null when the facts say what the answers say; else how they differ. */
  readonly differs: string | null;
}

/** How many of the first ranks count as right, by the name of the metric. */
const RANKS: Readonly<Record<string, number>> = { top1: 1, top5: 5 };

/** Only metrics that are a function of the kept answers; the others are not in the result. */
export function recomputeMetrics(facts: EvaluateFacts | null): RecomputedMetric[] {
  if (facts === null || facts.task !== 'classification') return [];
  const labelled = facts.predictions.filter((prediction) => prediction.label !== null);
  return facts.metrics.flatMap((metric) => {
    const ranks = RANKS[metric.name.toLowerCase().replace(/[^a-z0-9]|accuracy/g, '')];
    if (ranks === undefined || labelled.length === 0) return [];
    const share = (side: 'before' | 'after'): number =>
      labelled.filter((row) => row.label !== null && row[side].slice(0, ranks).includes(row.label)).length /
      labelled.length;
    return [{ metric: metric.name, differs: differenceOf(metric, share('before'), share('after'), labelled.length) }];
  });
}

function differenceOf(metric: MetricFacts, before: number, after: number, samples: number): string | null {
  const near = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-9;
  if (metric.samples !== samples)
    return `It names ${metric.samples} samples, but there are ${samples} labelled answers.`;
  if (near(metric.before, before) && near(metric.after, after) && near(metric.delta, after - before)) return null;
  return `It states ${metric.before} and ${metric.after}, but the answers give ${before} and ${after}.`;
}
