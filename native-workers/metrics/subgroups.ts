/** A metric by subgroup: compression can hurt groups unequally while the mean over all hardly moves. */
import type { MetricFacts } from '../protocol/facts.ts';
import { compareMetric } from './compare.ts';
import type { Metric, MetricSample } from './metric.ts';

export interface SubgroupFacts {
  readonly metric: string;
  readonly groups: readonly (Pick<MetricFacts, 'before' | 'after' | 'delta' | 'interval' | 'p' | 'samples'> & {
    readonly group: string;
  })[];
  /** Best group minus worst, over the groups of at least `LEAST_SAMPLES`; null with fewer than two of them. */
  readonly gap: { readonly before: number; readonly after: number } | null;
}

/** Smaller groups are listed, but do not set the gap: their values are mostly chance. */
export const LEAST_SAMPLES = 10;

export function bySubgroup(
  metric: Metric,
  before: readonly MetricSample[],
  after: readonly MetricSample[],
  groups: readonly string[],
  seed: number,
): SubgroupFacts {
  const members = new Map<string, number[]>();
  groups.forEach((group, index) => {
    const found = members.get(group);
    if (found === undefined) members.set(group, [index]);
    else found.push(index);
  });
  const pick = (samples: readonly MetricSample[], indexes: readonly number[]): MetricSample[] =>
    indexes.map((index) => samples[index] as MetricSample);
  const rows = [...members]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([group, indexes]) => {
      const facts = compareMetric(metric, pick(before, indexes), pick(after, indexes), seed);
      if (facts === null) return [];
      return [
        {
          group,
          before: facts.before,
          after: facts.after,
          delta: facts.delta,
          interval: facts.interval,
          p: facts.p,
          samples: facts.samples,
        },
      ];
    });
  const large = rows.filter(({ samples }) => samples >= LEAST_SAMPLES);
  const spread = (values: readonly number[]): number => Math.max(...values) - Math.min(...values);
  const gap =
    large.length < 2
      ? null
      : { before: spread(large.map((row) => row.before)), after: spread(large.map((row) => row.after)) };
  return { metric: metric.name, groups: rows, gap };
}
