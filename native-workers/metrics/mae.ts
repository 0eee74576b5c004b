/** Mean absolute error, in the unit of the labels. */
import { always, type Metric, sumTerm } from './metric.ts';

export const mae: Metric = {
  name: 'mae',
  summary: 'Mean absolute difference from the label, in its unit.',
  task: 'regression',
  better: 'lower',
  unit: '1',
  applies: always,
  value: (samples) => sumTerm(samples, 1) / sumTerm(samples, 2),
};
