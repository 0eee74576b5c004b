/** What a model is asked to do, and how its answer to one sample is read out of its outputs as the terms of metrics. */
import type { Label, ObjectClasses } from '../../lib/batch.ts';
import type { MetricSample, TaskName } from '../metric.ts';
import type { BatchRows } from '../rows.ts';

export interface LabelOfSample {
  readonly sample: string;
  readonly label: Label;
}

export interface Question extends LabelOfSample {
  /** Index of the sample in the batch. */
  readonly index: number;
  readonly inputs: BatchRows;
}

export interface Task {
  readonly name: TaskName;
  /** Classes that the model tells apart; null where there are none. */
  readonly classes: number | null;
  /** What was found out about the model that a reader of the metric should know. */
  readonly notes?: readonly { readonly code: string; readonly message: string }[];
  /** Throws `labels-invalid`, naming the sample, for a label that cannot be one of this task. */
  check(question: LabelOfSample): void;
  /** The answer in `outputs` to a question whose label is checked here too. */
  answer(outputs: BatchRows, question: Question): MetricSample;
}

/** What a task is chosen by: the first batch and what the original model made of it. */
export interface FirstBatch {
  readonly outputs: BatchRows;
  readonly inputs: BatchRows;
  readonly labels: readonly Label[];
  /** Answers to more samples, where the first batch is small and a task must see several. */
  readonly further: readonly { readonly outputs: BatchRows; readonly labels: readonly Label[] }[];
  /** The classes of labelled boxes; null where the data has none. */
  readonly objectClasses: ObjectClasses | null;
  /** By input: how many ids it may look up; see the data set's signature. */
  readonly idLimits: Readonly<Record<string, number>>;
}

/** The task, or null when the outputs are not those of one. */
export type TaskFinder = (first: FirstBatch) => Task | null;
