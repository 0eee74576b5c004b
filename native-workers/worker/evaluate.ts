/** `hone eval`: the accuracy of one model on labelled data, or how near it is to another and which answers differ. */

import { measureMetric } from '../metrics/compare.ts';
import { judgedIndexes } from '../metrics/evaluate.ts';
import type { MetricSample } from '../metrics/metric.ts';
import { metricsOf } from '../metrics/registry.ts';
import { HoneError } from '../protocol/errors.ts';
import type { JobResult } from '../protocol/jobs.ts';
import { type Evaluation, evaluateModels } from './evaluation.ts';
import type { Job } from './job.ts';
import { openModelEngine } from './model-engine.ts';

export const evaluate: Job<'evaluate'> = async ({ model, against, data, preprocess, samples, seed }, context) => {
  if (data === undefined && against === undefined) {
    throw new HoneError('data-missing', 'There is nothing to measure: no data, and no model to compare with.');
  }
  const evaluation = await evaluateModels(
    {
      engine: await openModelEngine(),
      before: against ?? model,
      after: against === undefined ? null : model,
      data: data ?? null,
      preprocess,
      samples,
      seed,
    },
    context,
  );
  const answers = against === undefined ? evaluation.before : evaluation.after;
  const metrics = metricsFor(evaluation, answers, seed);
  if (metrics.length === 0 && against === undefined) {
    throw new HoneError(
      'labels-invalid',
      `${evaluation.dataset?.name ?? 'The data'} has no labels that a metric could use; give a model to compare with.`,
    );
  }
  return {
    metrics,
    ...(evaluation.fidelity === null ? {} : { fidelity: evaluation.fidelity }),
    ...(against === undefined || evaluation.task?.name !== 'classification' ? {} : { flips: flipsOf(evaluation) }),
    skipped: evaluation.skipped,
    ...(evaluation.notes.length === 0 ? {} : { notes: [...evaluation.notes] }),
  };
};

function metricsFor(
  { task, labelled }: Evaluation,
  answers: readonly MetricSample[],
  seed: number,
): JobResult<'evaluate'>['metrics'] {
  if (task === null || !(labelled || task.name === 'perplexity')) return [];
  const judged = judgedIndexes({ task: task.name, before: answers }).map((index) => answers[index] as MetricSample);
  if (judged.length === 0) return [];
  return metricsOf(task.name)
    .filter((metric) => metric.applies(judged, task.classes))
    .flatMap((metric) => {
      const measured = measureMetric(metric, judged, seed);
      return measured === null ? [] : [{ name: metric.name, ...measured, samples: judged.length }];
    });
}

/** Samples whose best-ranked class is not the same, by name where classes have names. */
function flipsOf({ samples, before, after, classes }: Evaluation): NonNullable<JobResult<'evaluate'>['flips']> {
  const nameOf = ({ terms }: MetricSample): string =>
    terms[0] === undefined ? 'no answer' : (classes?.[terms[0]] ?? String(terms[0]));
  return samples.flatMap((sample, index) => {
    const [was, is] = [before[index] as MetricSample, after[index] as MetricSample];
    return was.terms[0] === is.terms[0] ? [] : [{ sample, before: nameOf(was), after: nameOf(is) }];
  });
}
