/** Which task the data asks of a model, told by the first batch and what the original made of it, and whether labels fit it. */
import { runnableBatches } from '../datasets/batching.ts';
import type { Dataset } from '../datasets/dataset.ts';
import type { ModelSignature } from '../datasets/signature.ts';
import type { Batch, Label } from '../lib/batch.ts';
import type { HostTensor, Session } from '../lib/engine.ts';
import { BatchRows } from '../metrics/rows.ts';
import { idsOf, isCausal } from '../metrics/tasks/perplexity.ts';
import { findTask } from '../metrics/tasks/registry.ts';
import type { FirstBatch, Task } from '../metrics/tasks/task.ts';
import { HoneError } from '../protocol/errors.ts';

export interface FirstRun {
  readonly batch: Batch;
  readonly inputs: BatchRows;
  readonly outputs: BatchRows;
  /** Samples of the batch as it was run, fill included. */
  readonly count: number;
}

/** Samples that a batch has as it is run, fill included. */
export function sizeOfBatch({ feeds }: Batch, { batchless }: Pick<Dataset, 'batchless'>): number {
  if (batchless) return 1;
  return Object.values(feeds).find(({ shape }) => shape.length > 0)?.shape[0] ?? 1;
}

interface Asked {
  readonly signature: ModelSignature;
  /** Of the original; it may be run a few times more. */
  readonly session: Session;
  readonly data: Dataset;
}

/** null when the outputs are not those of a task. */
export async function findTaskOf({ signature, session, data }: Asked, first: FirstRun): Promise<Task | null> {
  const { batch, inputs, outputs } = first;
  const { objectClasses } = data;
  const further = objectClasses === null ? [] : await furtherAnswers({ signature, session, data }, batch);
  const idLimits = signature.idLimits ?? {};
  const task = findTask({ outputs, inputs, labels: batch.labels, further, objectClasses, idLimits });
  if (task?.name !== 'perplexity') return task;
  return (await isCausalModel(session, first)) ? task : null;
}

/** Pictures that tell how a detector numbers classes: most detectors take one at a time, and one may hold no object. */
const TELLING = 16;

async function furtherAnswers({ signature, session, data }: Asked, first: Batch): Promise<FirstBatch['further']> {
  if (first.samples.length >= TELLING) return [];
  const seen = new Set(first.samples);
  const answers: { outputs: BatchRows; labels: readonly Label[] }[] = [];
  for await (const batch of runnableBatches(data, signature, { limit: TELLING })) {
    if (batch.samples.every((sample) => seen.has(sample))) continue;
    const outputs = new BatchRows(await session.run(batch.feeds), sizeOfBatch(batch, data));
    answers.push({ outputs, labels: batch.labels });
  }
  return answers;
}

/** Runs the batch again with the middle token of each text replaced, and looks whether anything before it changed. */
async function isCausalModel(
  session: Session,
  { batch: { feeds }, outputs, inputs, count }: FirstRun,
): Promise<boolean> {
  const ids = idsOf(inputs);
  const tokens = ids === null ? undefined : feeds[ids];
  if (ids === null || tokens === undefined) return false;
  const length = tokens.data.length / count;
  const middle = Math.floor(length / 2);
  if (middle === 0) return false;
  const rows = new BatchRows(await session.run({ ...feeds, [ids]: withOtherToken(tokens, length, middle) }), count);
  const name = outputs.names.find((output) => outputs.row(output, 0)?.shape[0] === length);
  const [scores, changed] = name === undefined ? [null, null] : [outputs.row(name, 0), rows.row(name, 0)];
  return scores !== null && changed !== null && isCausal(scores.values, changed.values, length, middle);
}

/** Token 0 becomes 1, and every other one 0. */
function withOtherToken(tokens: HostTensor, length: number, at: number): HostTensor {
  const data = tokens.data.slice() as BigInt64Array;
  for (let index = at; index < data.length; index += length) {
    if (data instanceof BigInt64Array) data[index] = data[index] === 0n ? 1n : 0n;
    else (data as Int32Array)[index] = (data as Int32Array)[index] === 0 ? 1 : 0;
  }
  return { ...tokens, data };
}

/** Throws `labels-invalid` when the classes that the data names cannot be those that the model tells apart. */
export function checkClasses(task: Task, { classes, classesAssumed, labelled, name }: Dataset): void {
  if (task.name !== 'classification' || classes === null || task.classes === null || !labelled) return;
  if (classes.length > task.classes || (classesAssumed && classes.length < task.classes)) {
    throw new HoneError(
      'labels-invalid',
      `${name} has ${classes.length} classes and the model tells ${task.classes} apart, so it is not known which is which. Put labels.txt, with the name of every class in the order of the outputs, beside the data.`,
    );
  }
}
