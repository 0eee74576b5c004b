/** Harmonic mean of precision and recall; mean over the classes. */
import { macroMean } from './confusion.ts';
import { always, type Metric } from './metric.ts';

export const f1: Metric = {
  name: 'macro-f1',
  summary: 'Harmonic mean of precision and recall; mean over the classes.',
  task: 'classification',
  better: 'higher',
  unit: 'share',
  applies: always,
  value: (samples) => macroMean(samples, 'f1'),
};
