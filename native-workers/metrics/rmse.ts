/** Root of the mean squared error, in the unit of the labels. */
import { always, type Metric, sumTerm } from './metric.ts';

export const rmse: Metric = {
  name: 'rmse',
  summary: 'Root of the mean squared difference from the label, in its unit.',
  task: 'regression',
  better: 'lower',
  unit: '1',
  applies: always,
  value: (samples) => Math.sqrt(sumTerm(samples, 0) / sumTerm(samples, 2)),
};
