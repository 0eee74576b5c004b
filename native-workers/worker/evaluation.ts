/**
 * One or two models run on the same batches, in turn, and what their answers are worth. The answers are kept as the terms of
 * metrics; outputs are not. The evaluate stage and the evaluate job are two ways to ask for this.
 */
import { runnableBatches } from '../datasets/batching.ts';
import type { Dataset } from '../datasets/dataset.ts';
import { type OpenOptions, openDataset } from '../datasets/open-dataset.ts';
import { seededInputs } from '../datasets/seeded-inputs.ts';
import { type ModelSignature, signatureOf } from '../datasets/signature.ts';
import { openModel } from '../formats/registry.ts';
import type { Engine, Feeds, Session } from '../lib/engine.ts';
import { Fidelity } from '../metrics/fidelity.ts';
import type { MetricSample } from '../metrics/metric.ts';
import { BatchRows } from '../metrics/rows.ts';
import type { Task } from '../metrics/tasks/task.ts';
import { HoneError } from '../protocol/errors.ts';
import type { EvaluateFacts, FidelityFacts } from '../protocol/facts.ts';
import type { Preprocess } from '../protocol/request.ts';
import { checkClasses, findTaskOf, sizeOfBatch } from './evaluation-task.ts';
import { refusedGuess } from './guessed-inputs.ts';
import type { JobContext } from './job.ts';

/** Random inputs that two models are compared on where there is no data. */
const SEEDED_SAMPLES = 32;

export interface EvaluationRequest {
  readonly engine: Engine;
  /** Path of the model, or of the original when there are two. */
  readonly before: string;
  readonly after: string | null;
  /** null: random inputs. */
  readonly data: string | null;
  readonly preprocess?: Preprocess | undefined;
  /** Most samples; all of the data, or 32 random ones, unless said. */
  readonly samples?: number | undefined;
  readonly seed: number;
  /** The data has been seen by calibration, so nothing is judged by its labels and they need not fit the model. */
  readonly seen?: boolean;
}

export type Note = NonNullable<EvaluateFacts['notes']>[number];

export interface Evaluation {
  /** null when the outputs are not those of a task that Hone knows. */
  readonly task: Task | null;
  /** One a sample, in the same order; `after` is empty for one model. */
  readonly samples: readonly string[];
  readonly before: readonly MetricSample[];
  readonly after: readonly MetricSample[];
  readonly groups: readonly string[] | null;
  readonly fidelity: FidelityFacts | null;
  readonly labelled: boolean;
  readonly classes: readonly string[] | null;
  readonly skipped: EvaluateFacts['skipped'];
  readonly dataset: EvaluateFacts['dataset'];
  readonly notes: readonly Note[];
}

/**
 * Throws what opening data and models throws, `outputs-not-finite` when the original gives no finite number, and
 * `labels-invalid` for a label or a number of classes that the model cannot have.
 */
export async function evaluateModels(request: EvaluationRequest, context: JobContext): Promise<Evaluation> {
  await context.progress({ phase: 'opening the model', done: 0, total: null });
  const before = await request.engine.open(request.before);
  const sessions = [before];
  let data: Dataset | null = null;
  try {
    const after = request.after === null ? null : await request.engine.open(request.after);
    if (after !== null) sessions.push(after);
    const signature = await signatureOfFile(request.before, before);
    data = await openData(request, signature);
    return await compareOnData({ request, signature, before, after, data }, context);
  } finally {
    await data?.close();
    for (const session of sessions) await session.release();
  }
}

/** From the graph, which knows ranks and tables that the engine does not tell; from the engine where only that can read it. */
export async function signatureOfFile(path: string, session: Session): Promise<ModelSignature> {
  try {
    return signatureOf(await openModel(path));
  } catch {
    return { inputs: session.inputs, outputs: session.outputs };
  }
}

async function openData(
  { data, before, preprocess, samples, seed }: EvaluationRequest,
  signature: ModelSignature,
): Promise<Dataset> {
  if (data === null) return seededInputs(signature, samples ?? SEEDED_SAMPLES, seed);
  const options: OpenOptions = { model: before, ...(preprocess === undefined ? {} : { preprocess }) };
  return openDataset(data, signature, options);
}

export interface DataComparison {
  readonly request: EvaluationRequest;
  readonly signature: ModelSignature;
  readonly before: Session;
  readonly after: Session | null;
  readonly data: Dataset;
}

/** Runs both models over `data`, which stays open, as do the sessions. */
export async function compareOnData(
  { request, signature, before, after, data }: DataComparison,
  context: JobContext,
): Promise<Evaluation> {
  const isSeeded = data.kind === 'seeded';
  const isSeen = request.seen === true;
  const total = Math.min(request.samples ?? data.samples, data.samples);
  const fidelity = after === null ? null : new Fidelity();
  const notes: Note[] = [...data.notes];
  const answers = {
    samples: [] as string[],
    before: [] as MetricSample[],
    after: [] as MetricSample[],
    groups: [] as string[],
  };
  let task: Task | null | undefined;
  let done = 0;
  await context.progress({ phase: 'evaluating', done, total });
  for await (const batch of runnableBatches(data, signature, { limit: total, seed: request.seed })) {
    const count = sizeOfBatch(batch, data);
    const outputs = await before.run(batch.feeds).catch((thrown: unknown) => {
      throw isSeeded ? refusedGuess(thrown, signature) : thrown;
    });
    const changed = after === null ? null : await after.run(batch.feeds);
    const [inputRows, rows] = [new BatchRows(batch.feeds, count), new BatchRows(outputs, count)];
    if (task === undefined) {
      const first = { batch, outputs: rows, inputs: inputRows, count };
      task = isSeeded ? null : await findTaskOf({ signature, session: before, data }, first);
      if (task !== null && !isSeen) checkClasses(task, data);
      if (task === null && data.labelled) notes.push(unknownTask(outputs));
      notes.push(...(task?.notes ?? []));
    }
    if (changed !== null) fidelity?.add(outputs, changed, batch.samples.length, count);
    if (task !== null) {
      const changedRows = changed === null ? null : new BatchRows(changed, count);
      for (const [index, sample] of batch.samples.entries()) {
        // Class folders of calibration data need not be the classes of the model.
        const isUnjudged = isSeen && task.name === 'classification';
        const label = isUnjudged ? null : (batch.labels[index] ?? null);
        const question = { index, sample, label, inputs: inputRows };
        answers.samples.push(sample);
        answers.before.push(task.answer(rows, question));
        if (changedRows !== null) answers.after.push(task.answer(changedRows, question));
        if (batch.groups !== undefined) answers.groups.push(batch.groups[index] ?? '');
      }
    }
    done += batch.samples.length;
    await context.progress({ phase: 'evaluating', done: Math.min(done, total), total });
  }
  if (fidelity !== null) notes.push(...finiteNotes(fidelity, request.before));
  else if (answers.before.length > 0 && answers.before.every(({ terms }) => terms.length === 0))
    throw notFinite(request.before);
  return {
    task: task ?? null,
    ...answers,
    groups: data.grouped && task !== null ? answers.groups : null,
    fidelity:
      fidelity === null ? null : { samples: done, inputs: isSeeded ? 'seeded' : 'user', outputs: fidelity.outputs() },
    labelled: data.labelled,
    classes: data.classes,
    skipped: [...data.skipped],
    dataset: isSeeded
      ? null
      : { name: data.name, kind: data.kind, samples: done, sha256: await data.sha256(), preprocess: data.preprocess },
    notes,
  };
}

function unknownTask(outputs: Feeds): Note {
  const shapes = Object.entries(outputs).map(([name, { dtype, shape }]) => `'${name}' ${dtype} [${shape.join(', ')}]`);
  return {
    code: 'task-unknown',
    message: `The data has labels, but no metric fits outputs of the form ${shapes.join(', ')}; only fidelity is measured.`,
  };
}

function finiteNotes(fidelity: Fidelity, model: string): Note[] {
  if (fidelity.referenceIsNotFinite) throw notFinite(model);
  const broken = fidelity.referenceNotFinite.map(({ name, count }) => ({
    code: 'outputs-not-finite',
    message: `The original gives ${count} numbers in '${name}' that are NaN or infinite; they are left out of the comparison.`,
  }));
  const variant = fidelity.outputs().filter(({ notFinite }) => notFinite > 0);
  return [
    ...broken,
    ...variant.map(({ name, notFinite }) => ({
      code: 'outputs-not-finite',
      message: `The optimised model gives ${notFinite} numbers in '${name}' that are NaN or infinite where the original's are not.`,
    })),
    ...fidelity.incomparable.map((name) => ({
      code: 'outputs-not-compared',
      message: `The output '${name}' holds no numbers, or its shape is not the same in both models; it is not compared.`,
    })),
  ];
}

function notFinite(model: string): HoneError {
  return new HoneError('outputs-not-finite', `Every number that the model gives is NaN or infinite, on all samples.`, {
    where: { file: model },
  });
}
