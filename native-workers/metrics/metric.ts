/**
 * What a metric is. A task (`tasks/`) reads each answer of a model out of its outputs as a few numbers, its terms; a metric
 * is a pure function of the terms of all samples. The terms are kept in the run, so every metric can be computed again from
 * the file and without the model.
 */
import type { EvaluateFacts } from '../protocol/facts.ts';

export type TaskName = EvaluateFacts['task'];

/** One sample's answer by one model. */
export interface MetricSample {
  /** Class index or value; null where the task keeps the truth in the terms. */
  readonly label: number | null;
  /**
   * By task. Classification: classes ranked, best first, at most five. Perplexity: negative log-likelihood in nats, tokens.
   * Regression: sum of squared errors, sum of absolute errors, values. Detection and segmentation: see their tasks.
   * Empty when the model gave no numbers.
   */
  readonly terms: readonly number[];
  /** Of two classes: how much the second is preferred; larger means surer. Only their order counts. */
  readonly score?: number;
}

export interface Metric {
  /** As it stands in reports and JSON: `top-1`. */
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  readonly task: TaskName;
  readonly better: 'higher' | 'lower';
  /** `share` is 0..1; `1` is a plain number. */
  readonly unit: 'share' | '1';
  /** False where the metric has no meaning for these samples, such as top-5 of three classes. `classes`: how many the model tells apart. */
  applies(samples: readonly MetricSample[], classes: number | null): boolean;
  /** NaN where it is not defined, such as for samples without an answer. */
  value(samples: readonly MetricSample[]): number;
  /** For a metric that is the share of samples with this property: intervals and tests are then exact and need no chance. */
  success?(sample: MetricSample): boolean;
}

export const always = (): boolean => true;

/** Sum of one term over all samples; NaN when a sample has no answer. */
export function sumTerm(samples: readonly MetricSample[], term: number): number {
  let sum = 0;
  for (const sample of samples) sum += sample.terms[term] ?? Number.NaN;
  return sum;
}

export function shareOf(samples: readonly MetricSample[], success: (sample: MetricSample) => boolean): number {
  let count = 0;
  for (const sample of samples) if (success(sample)) count++;
  return count / samples.length;
}
