/** The facts of an evaluation from the answers of both models: metrics, tests, subgroups and the tables by class. */
import type { EvaluateFacts, MetricFacts } from '../protocol/facts.ts';
import { compareMetric } from './compare.ts';
import { type ClassRow, classRows, confusionMatrix } from './confusion.ts';
import { iouByClass } from './mean-iou.ts';
import type { MetricSample, TaskName } from './metric.ts';
import { metricsOf } from './registry.ts';
import { bySubgroup, type SubgroupFacts } from './subgroups.ts';

/** More classes than this make a matrix that nobody reads, and that grows with their square. */
const MOST_MATRIX_CLASSES = 100;

export interface Answers {
  readonly task: TaskName;
  readonly classes: number | null;
  /** The same samples in the same order. */
  readonly before: readonly MetricSample[];
  readonly after: readonly MetricSample[];
  readonly groups: readonly string[] | null;
}

/** What `details` of the evaluate facts holds; each part only where it has a meaning. */
export interface EvaluateDetails {
  /** Counts by label (row) and answer (column). */
  readonly confusion?: { readonly before: number[][]; readonly after: number[][] };
  readonly classes?: { readonly before: readonly ClassRow[]; readonly after: readonly ClassRow[] };
  readonly iou?: { readonly before: ReturnType<typeof iouByClass>; readonly after: ReturnType<typeof iouByClass> };
  readonly subgroups?: SubgroupFacts;
}

/** Samples whose truth is known: in a classification those with a label; other tasks have none without. */
export function judgedIndexes({ task, before }: Pick<Answers, 'task' | 'before'>): number[] {
  return before.flatMap(({ label }, index) => (task === 'classification' && label === null ? [] : [index]));
}

export function judge(answers: Answers, seed: number): { metrics: MetricFacts[]; details: EvaluateDetails } {
  const indexes = judgedIndexes(answers);
  if (indexes.length === 0) return { metrics: [], details: {} };
  const pick = <Item>(items: readonly Item[]): Item[] => indexes.map((index) => items[index] as Item);
  const [before, after] = [pick(answers.before), pick(answers.after)];
  const fitting = metricsOf(answers.task).filter(
    (metric) => metric.applies(before, answers.classes) && metric.applies(after, answers.classes),
  );
  const metrics = fitting.flatMap((metric) => compareMetric(metric, before, after, seed) ?? []);
  const first = fitting[0];
  const subgroups =
    answers.groups === null || first === undefined
      ? null
      : bySubgroup(first, before, after, pick(answers.groups), seed);
  return { metrics, details: { ...tables(answers, before, after), ...(subgroups === null ? {} : { subgroups }) } };
}

function tables(
  { task, classes }: Answers,
  before: readonly MetricSample[],
  after: readonly MetricSample[],
): EvaluateDetails {
  if (task === 'segmentation') return { iou: { before: iouByClass(before), after: iouByClass(after) } };
  if (task !== 'classification') return {};
  const rows = { classes: { before: classRows(before), after: classRows(after) } };
  if (classes === null || classes > MOST_MATRIX_CLASSES) return rows;
  return { ...rows, confusion: { before: confusionMatrix(before, classes), after: confusionMatrix(after, classes) } };
}

/** The metrics of a run computed again from the answers it kept, by the names of those it reported. */
export function recomputeMetrics(facts: EvaluateFacts, seed: number): MetricFacts[] {
  const { task, predictions } = facts;
  const indexes = judgedIndexes({ task, before: sideOf(predictions, 'before') });
  const pick = (samples: readonly MetricSample[]): MetricSample[] =>
    indexes.map((index) => samples[index] as MetricSample);
  const [before, after] = [pick(sideOf(predictions, 'before')), pick(sideOf(predictions, 'after'))];
  const names = new Set(facts.metrics.map(({ name }) => name));
  return metricsOf(task)
    .filter(({ name }) => names.has(name))
    .flatMap((metric) => compareMetric(metric, before, after, seed) ?? []);
}

function sideOf(predictions: EvaluateFacts['predictions'], side: 'before' | 'after'): MetricSample[] {
  return predictions.map(({ label, score, [side]: terms }) => ({
    label,
    terms,
    ...(score === undefined ? {} : { score: score[side] }),
  }));
}
