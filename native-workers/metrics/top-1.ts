/** Share of samples whose best-ranked class is the label. */
import { always, type Metric, type MetricSample, shareOf } from './metric.ts';

const success = ({ label, terms }: MetricSample): boolean => label !== null && terms[0] === label;

export const top1: Metric = {
  name: 'top-1',
  summary: 'Share of samples whose best-ranked class is the right one.',
  task: 'classification',
  better: 'higher',
  unit: 'share',
  applies: always,
  value: (samples) => shareOf(samples, success),
  success,
};
