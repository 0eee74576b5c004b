/** Every metric, the first of a task being its headline. A new metric: its file, its test, and its line here. */
import { auc } from './auc.ts';
import { f1 } from './f1.ts';
import { mae } from './mae.ts';
import { meanAveragePrecision, meanAveragePrecision50 } from './mean-average-precision.ts';
import { meanIou } from './mean-iou.ts';
import type { Metric, TaskName } from './metric.ts';
import { perplexity } from './perplexity.ts';
import { precision } from './precision.ts';
import { recall } from './recall.ts';
import { rmse } from './rmse.ts';
import { top1 } from './top-1.ts';
import { top5 } from './top-5.ts';

export const METRICS: readonly Metric[] = [
  top1,
  top5,
  precision,
  recall,
  f1,
  auc,
  perplexity,
  rmse,
  mae,
  meanAveragePrecision,
  meanAveragePrecision50,
  meanIou,
];

export function metricsOf(task: TaskName): readonly Metric[] {
  return METRICS.filter((metric) => metric.task === task);
}
