/** Of the samples of a class, the share that are found; mean over the classes. */
import { macroMean } from './confusion.ts';
import { always, type Metric } from './metric.ts';

export const recall: Metric = {
  name: 'macro-recall',
  summary: 'Of the samples of a class, the share that are found; mean over the classes.',
  task: 'classification',
  better: 'higher',
  unit: 'share',
  applies: always,
  value: (samples) => macroMean(samples, 'recall'),
};
