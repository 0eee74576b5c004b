/** Share of samples whose label is among the five best-ranked classes. */
import { type Metric, type MetricSample, shareOf } from './metric.ts';

const success = ({ label, terms }: MetricSample): boolean => label !== null && terms.slice(0, 5).includes(label);

export const top5: Metric = {
  name: 'top-5',
  summary: 'Share of samples whose right class is among the five best-ranked.',
  task: 'classification',
  better: 'higher',
  unit: 'share',
  applies: (_samples, classes) => classes === null || classes > 5,
  value: (samples) => shareOf(samples, success),
  success,
};
