/** Perplexity of a causal language model: the exponential of the mean negative log-likelihood of the next token. */
import { always, type Metric, sumTerm } from './metric.ts';

export const perplexity: Metric = {
  name: 'perplexity',
  summary: 'Exponential of the mean negative log-likelihood of each next token.',
  task: 'perplexity',
  better: 'lower',
  unit: '1',
  applies: always,
  value: (samples) => Math.exp(sumTerm(samples, 0) / sumTerm(samples, 1)),
};
