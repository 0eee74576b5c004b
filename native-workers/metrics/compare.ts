/** One metric of two models on the same samples: values, intervals and the paired test that fits the metric. */
import type { MetricFacts } from '../protocol/facts.ts';
import type { Metric, MetricSample } from './metric.ts';
import { type Interval, mcnemarExact, pairedBootstrap, pairedShareInterval, wilsonInterval } from './statistics.ts';

/** Enough for two digits of a 95 % interval. */
const ROUNDS = 1000;
/** Numbers that the rounds of one bootstrap may look at: large sets need fewer rounds, and their rounds are dear. */
const WORK = 4e7;

/**
 * `before` and `after` hold the same samples in the same order. null when a value is not a finite number: then the outputs
 * were not.
 */
export function compareMetric(
  metric: Metric,
  before: readonly MetricSample[],
  after: readonly MetricSample[],
  seed: number,
): MetricFacts | null {
  const values = { before: metric.value(before), after: metric.value(after) };
  if (!Number.isFinite(values.before) || !Number.isFinite(values.after)) return null;
  const judged =
    metric.success === undefined ? byBootstrap(metric, before, after, seed) : byPairs(metric.success, before, after);
  if (judged === null) return null;
  return {
    name: metric.name,
    better: metric.better,
    unit: metric.unit,
    ...values,
    ...judged,
    delta: values.after - values.before,
    samples: before.length,
  };
}

/** One model's metric with its interval; null when it is not a finite number. */
export function measureMetric(
  metric: Metric,
  samples: readonly MetricSample[],
  seed: number,
): { value: number; interval: Interval } | null {
  const facts = compareMetric(metric, samples, samples, seed);
  return facts === null ? null : { value: facts.before, interval: facts.intervalBefore };
}

type Judged = Pick<MetricFacts, 'intervalBefore' | 'intervalAfter' | 'interval' | 'p' | 'test'>;

function byPairs(
  success: (sample: MetricSample) => boolean,
  before: readonly MetricSample[],
  after: readonly MetricSample[],
): Judged {
  let lost = 0;
  let gained = 0;
  let right = 0;
  before.forEach((sample, index) => {
    const was = success(sample);
    const is = success(after[index] as MetricSample);
    if (was) right++;
    if (was && !is) lost++;
    if (!was && is) gained++;
  });
  const samples = before.length;
  return {
    intervalBefore: wilsonInterval(right, samples),
    intervalAfter: wilsonInterval(right - lost + gained, samples),
    interval: pairedShareInterval(lost, gained, samples),
    p: mcnemarExact(lost, gained),
    test: 'McNemar exact',
  };
}

function byBootstrap(
  metric: Metric,
  before: readonly MetricSample[],
  after: readonly MetricSample[],
  seed: number,
): Judged | null {
  const work = before.reduce((sum, sample) => sum + sample.terms.length + 4, 0);
  const rounds = Math.round(Math.min(ROUNDS, Math.max(ROUNDS / 5, WORK / work)));
  const found = pairedBootstrap(before, after, (samples) => metric.value(samples), { seed, rounds });
  if (found === null) return null;
  return {
    intervalBefore: found.before,
    intervalAfter: found.after,
    interval: found.difference,
    p: found.p,
    test: `paired bootstrap, ${rounds} rounds`,
  };
}
