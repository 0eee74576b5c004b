/** Of the answers that name a class, the share that are right; mean over the classes. */
import { macroMean } from './confusion.ts';
import { always, type Metric } from './metric.ts';

export const precision: Metric = {
  name: 'macro-precision',
  summary: 'Of the answers that name a class, the share that are right; mean over the classes.',
  task: 'classification',
  better: 'higher',
  unit: 'share',
  applies: always,
  value: (samples) => macroMean(samples, 'precision'),
};
