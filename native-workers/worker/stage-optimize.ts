/**
 * The optimize stage of a run: applies the recipe, writes the model into the run folder, and proves on the real runtime that it
 * loads and that the kernels that the passes meant are there. What happened stands in its facts file, pass by pass.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { runnableBatches } from '../datasets/batching.ts';
import type { Dataset } from '../datasets/dataset.ts';
import { openDataset } from '../datasets/open-dataset.ts';
import { seededInputs } from '../datasets/seeded-inputs.ts';
import { type ModelSignature, signatureOf } from '../datasets/signature.ts';
import { writeOnnx } from '../formats/onnx/write.ts';
import { openModel } from '../formats/registry.ts';
import type { Model } from '../graph/model.ts';
import { writeFileAtomic } from '../lib/atomic-file.ts';
import type { Engine, Feeds } from '../lib/engine.ts';
import { hashFiles } from '../lib/hash-file.ts';
import { type FusionFacts, fusionFacts } from '../passes/fusion.ts';
import type { CalibrationData, ExpectedKernel } from '../passes/pass.ts';
import { toHoneError } from '../protocol/errors.ts';
import type { ModelFile, OptimizeFacts } from '../protocol/facts.ts';
import type { RunRequest } from '../protocol/request.ts';
import { applyRecipe } from './apply-recipe.ts';
import { modelOpener, typesOf } from './engine-models.ts';
import { tryGuess } from './guessed-inputs.ts';
import { inspectModel } from './inspect.ts';
import type { Job, JobContext } from './job.ts';
import { openModelEngine } from './model-engine.ts';
import { ModelTrial } from './model-trial.ts';
import { RunMemory } from './run-memory.ts';

/** Inputs made up for calibration when the user gave none. */
const RANDOM_SAMPLES = 32;
/** Samples used for calibration unless the request says: more change ranges by less than their rounding. */
const CALIBRATION_SAMPLES = 256;

export const stageOptimize: Job<'stage-optimize'> = async ({ run, file, request }, context) => {
  await context.progress({ phase: 'opening the model', done: 0, total: null });
  const source = await openModel(request.model);
  const engine = await openModelEngine();
  const scratch = await mkdtemp(join(tmpdir(), 'optimize-'));
  const calibration = await openCalibration(request, signatureOf(source), engine, scratch, context);
  const memory = new RunMemory(join(run, 'measured'));
  const trial = new ModelTrial(engine, scratch, request, context, memory);
  try {
    const { model, rows, expects } = await applyRecipe(source, request.recipe, {
      engine,
      open: modelOpener(engine, scratch),
      types: typesOf(engine, scratch),
      calibration: calibration?.data ?? null,
      trial,
      memory,
      seed: request.seed,
      scratch,
      progress: (progress) => context.progress(progress),
      log: (level, message) => context.log(level, message),
    });
    const written = await writeModel(model, run, request, context);
    await context.progress({ phase: 'loading the result', done: 0, total: null });
    const path = join(run, written.path);
    await (await engine.open(path)).release();
    const fusion = await checkFusion(engine, path, written.bytes, scratch, expects, context);
    const result = await openModel(path);
    const facts: OptimizeFacts = {
      passes: [...rows],
      model: written,
      inspect: await inspectModel(result, engine),
      fusion,
    };
    await writeFileAtomic(join(run, basename(file)), `${JSON.stringify(facts, null, 1)}\n`);
    await memory.forget();
    return { models: [written] };
  } finally {
    await calibration?.close();
    await trial.close();
    await rm(scratch, { recursive: true, force: true });
  }
};

/** Writes the model beside the facts, under the names of the source and the recipe. */
async function writeModel(model: Model, run: string, request: RunRequest, context: JobContext): Promise<ModelFile> {
  const name = basename(request.model).replace(/\.[^.]+$/, '');
  const path = `${name}.${request.recipe.name.replace(/[^\w.-]+/g, '_')}.onnx`;
  await context.progress({ phase: 'writing the model', done: 0, total: null });
  const { files } = await writeOnnx(model, join(run, path));
  const { sha256, bytes } = await hashFiles(files);
  return {
    id: 'optimized',
    path,
    bytes,
    sha256,
    parent: 'source',
    label: request.recipe.title ?? request.recipe.name,
  };
}

/**
 * Above this many bytes the optimised graph is saved with its weights in another file: what the engine folds can be four
 * times as large, and protobuf ends at 2 GB. And it is not saved at all when no pass expects anything of it, as the engine
 * writes all weights with it.
 */
const LARGE = 256 << 20;

/**
 * The kernels of the graph that the engine makes of the saved model: at the level `extended`, since the levels above change
 * the layout of convolutions and with it their names. Null, with a warning, when the engine cannot save its graph.
 */
async function checkFusion(
  engine: Engine,
  path: string,
  bytes: number,
  scratch: string,
  expects: readonly ExpectedKernel[],
  context: JobContext,
): Promise<FusionFacts | null> {
  if (bytes > LARGE && expects.length === 0) return null;
  await context.progress({ phase: 'checking what the engine fused', done: 0, total: null });
  const optimizedModelPath = join(scratch, 'fused.onnx');
  const external = { 'session.optimized_model_external_initializers_file_name': 'fused.data' };
  try {
    const session = await engine.open(path, {
      optimization: 'extended',
      optimizedModelPath,
      ...(bytes > LARGE ? { config: external } : {}),
    });
    await session.release();
    const facts = fusionFacts((await openModel(optimizedModelPath)).graph, expects);
    for (const { kernel, expected, found, missing } of facts.expected) {
      if (found < expected)
        context.log('warning', `${kernel}: ${found} of ${expected} fused; not: ${missing.join(', ')}.`);
    }
    return facts;
  } catch (thrown) {
    const error = toHoneError(thrown);
    if (error.code === 'cancelled') throw error;
    context.log('warning', `What the engine fused could not be read: ${error.message}`);
    return null;
  }
}

/** The user's calibration data, or random inputs that are said to be so; null when none can be made for the model. */
async function openCalibration(
  request: RunRequest,
  signature: ModelSignature,
  engine: Engine,
  scratch: string,
  context: JobContext,
): Promise<{ data: CalibrationData; close: () => Promise<void> } | null> {
  const { calibration, preprocess, model, seed } = request;
  let dataset: Dataset;
  if (calibration !== undefined) {
    const known = preprocess === undefined ? {} : { preprocess };
    dataset = await openDataset(calibration, signature, { model, finite: true, keepIn: scratch, ...known });
  } else {
    try {
      dataset = seededInputs(signature, RANDOM_SAMPLES, seed);
      await tryGuess(engine, model, dataset, signature);
    } catch (thrown) {
      const error = toHoneError(thrown);
      if (error.code === 'cancelled') throw error;
      context.log('warning', `No random inputs can be made for calibration: ${error.message}`);
      return null;
    }
  }
  const limit = Math.min(dataset.samples, request.samples ?? CALIBRATION_SAMPLES);
  const data: CalibrationData = {
    samples: limit,
    random: calibration === undefined,
    batchless: dataset.batchless,
    notes: dataset.notes,
    identity: async () => [calibration === undefined ? 'random' : await dataset.sha256(), seed, dataset.preprocess],
    get skipped() {
      return dataset.skipped;
    },
    async *batches(batchSize, most = limit): AsyncGenerator<Feeds> {
      const size = batchSize === undefined ? {} : { batchSize };
      const options = { limit: Math.min(limit, most), seed, ...size };
      for await (const { feeds } of runnableBatches(dataset, signature, options)) yield feeds;
    },
  };
  return { data, close: () => dataset.close() };
}
