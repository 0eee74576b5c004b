/** The terms of a metric as the report counts them. */
import type { MetricFacts } from '../protocol/facts.ts';
import type { Unit } from './parts.ts';

/** Shares are 0..1; every other metric keeps its own scale. */
export function unitOfMetric({ unit }: Pick<MetricFacts, 'unit'>): Unit {
  return unit === 'share' || unit === 'dB' || unit === 'ms' || unit === 'count' ? unit : '1';
}

/**
 * What a metric lost, as a share: of the metric itself for shares (0.01 is one percentage point), else of its value before
 * (a perplexity from 20 to 21 lost 0.05). Negative when it gained.
 */
export function lossOf(metric: Pick<MetricFacts, 'unit' | 'better' | 'before' | 'delta'>): number {
  const loss = metric.better === 'higher' ? -metric.delta : metric.delta;
  if (unitOfMetric(metric) === 'share') return loss;
  return metric.before === 0 ? loss : loss / Math.abs(metric.before);
}

/** As people say it: the names are made for JSON. */
const LABELS: Readonly<Record<string, string>> = {
  'top-1': 'top-1 accuracy',
  'top-5': 'top-5 accuracy',
  'macro-precision': 'precision, mean of classes',
  'macro-recall': 'recall, mean of classes',
  'macro-f1': 'F1, mean of classes',
  auc: 'AUC',
  map: 'mAP, overlaps 0.50 to 0.95',
  'map-50': 'mAP, overlap 0.50',
  'mean-iou': 'mean IoU',
  rmse: 'RMSE',
  mae: 'MAE',
};

export function labelOfMetric({ name }: Pick<MetricFacts, 'name'>): string {
  return LABELS[name] ?? name;
}
