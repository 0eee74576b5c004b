/**
 * What a run would find wrong with its data only after the stages that take long, found before the first of them: data sets
 * that cannot be opened or do not fit the model, labels that the model cannot have, data on which it gives no finite number, and
 * a batch that it does not take. One batch of each data set is run, more only while no number was finite, and the labels are
 * looked at that are known without reading samples.
 */
import { checkBatch } from '../bench/inputs.ts';
import { runnableBatches } from '../datasets/batching.ts';
import type { BatchOptions, Dataset } from '../datasets/dataset.ts';
import { openDataset } from '../datasets/open-dataset.ts';
import { seededInputs } from '../datasets/seeded-inputs.ts';
import { type ModelSignature, signatureOf } from '../datasets/signature.ts';
import type { Model } from '../graph/model.ts';
import type { Batch } from '../lib/batch.ts';
import type { Feeds, Session } from '../lib/engine.ts';
import { BatchRows, numbersOf } from '../metrics/rows.ts';
import { findPass } from '../passes/registry.ts';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import type { RunRequest } from '../protocol/request.ts';
import { checkClasses, findTaskOf, sizeOfBatch } from './evaluation-task.ts';
import { tryGuess } from './guessed-inputs.ts';
import type { JobContext } from './job.ts';
import { openModelEngine } from './model-engine.ts';

/** Throws what the later stages would: `data-empty`, `data-mismatch`, `labels-invalid`, `outputs-not-finite` … */
export async function checkData(model: Model, request: RunRequest, context: JobContext): Promise<void> {
  const { calibration, evaluation, preprocess } = request;
  const signature = signatureOf(model);
  const paths = [calibration, evaluation].filter((path) => path !== undefined);
  const sets: Dataset[] = [];
  let session: Session | null = null;
  try {
    const options = { model: request.model, ...(preprocess === undefined ? {} : { preprocess }) };
    for (const path of paths)
      sets.push(await openDataset(path, signature, { ...options, finite: path !== evaluation }));
    if (!sets.some(({ batchless }) => batchless)) checkBatches(signature, request);
    if (calibration === undefined) await checkGuess(signature, request);
    if (sets.length === 0) return;
    session = await openOriginal(request.model);
    if (session === null) return;
    for (const [index, data] of sets.entries()) {
      await context.progress({ phase: 'checking the data', done: index, total: sets.length, detail: data.name });
      await checkDataset(data, { signature, session, request, judged: paths[index] === evaluation }).catch(
        (thrown: unknown) => {
          throw inFile(toHoneError(thrown), paths[index] ?? data.name);
        },
      );
    }
  } finally {
    await session?.release();
    for (const data of sets) await data.close();
  }
}

/** Names of samples are row numbers or paths within the data, so the error says which data. */
function inFile(error: HoneError, file: string): HoneError {
  return error.where === undefined
    ? new HoneError(error.code, error.message, { where: { file }, cause: error })
    : error;
}

/** A recipe that calibrates without data does so on inputs that are made up, which a model of open sizes may not take. */
async function checkGuess(signature: ModelSignature, { model, recipe, seed }: RunRequest): Promise<void> {
  const calibrates = recipe.steps.some(({ pass }) => findPass(pass).needs.includes('calibration'));
  if (!calibrates || signature.inputs.some(({ type }) => type.kind !== 'tensor')) return;
  await tryGuess(await openModelEngine(), model, seededInputs(signature, 1, seed), signature);
}

/** Null where the engine does not take the model: a pass may mend that, and the stage that needs it says it otherwise. */
async function openOriginal(path: string): Promise<Session | null> {
  const engine = await openModelEngine();
  return engine.open(path).catch((thrown: unknown) => {
    if (thrown instanceof HoneError && thrown.code === 'runtime-rejected-model') return null;
    throw thrown;
  });
}

function checkBatches({ inputs }: ModelSignature, { benchmark }: RunRequest): void {
  for (const batch of benchmark.batch ?? []) checkBatch(inputs, batch);
}

interface DataCheck {
  readonly signature: ModelSignature;
  readonly session: Session;
  readonly request: RunRequest;
  /** Whether accuracy is measured on it, so that its labels matter. */
  readonly judged: boolean;
}

async function checkDataset(data: Dataset, check: DataCheck): Promise<void> {
  const { signature, session, request, judged } = check;
  const options = { limit: Math.min(request.samples ?? data.samples, data.samples), seed: request.seed };
  let batches = 0;
  for await (const batch of runnableBatches(data, signature, options)) {
    const outputs = await session.run(batch.feeds);
    if (batches++ === 0 && judged && data.labelled) await checkLabels(data, check, batch, outputs, options);
    if (holdsFinite(outputs)) return;
  }
  throw new HoneError(
    'outputs-not-finite',
    `Every number that the model gives is NaN or infinite, on all samples of ${data.name}.`,
  );
}

/** Those of the first batch, and all that are known without reading samples. */
async function checkLabels(
  data: Dataset,
  { signature, session }: DataCheck,
  batch: Batch,
  tensors: Feeds,
  options: BatchOptions,
): Promise<void> {
  const count = sizeOfBatch(batch, data);
  const [inputs, outputs] = [new BatchRows(batch.feeds, count), new BatchRows(tensors, count)];
  const task = await findTaskOf({ signature, session, data }, { batch, inputs, outputs, count });
  if (task === null) return;
  checkClasses(task, data);
  batch.samples.forEach((sample, index) => void task.check({ sample, label: batch.labels[index] ?? null }));
  const known = [...data.knownLabels(options)];
  // Masks are labels that are read with their pictures, and texts are their own.
  if (known.every(({ label }) => label === null)) return;
  for (const each of known) task.check(each);
}

/** False where all numbers of all outputs are NaN or infinite; outputs without numbers say nothing. */
function holdsFinite(outputs: Feeds): boolean {
  const numbers = Object.values(outputs).map((tensor) => numbersOf(tensor) ?? new Float32Array());
  return numbers.every(({ length }) => length === 0) || numbers.some((values) => values.some(Number.isFinite));
}
