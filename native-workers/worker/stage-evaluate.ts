/** The evaluate stage of a run: fidelity to the original and accuracy, before against after, and the raw answers behind both. */

import { basename, join } from 'node:path';
import { writeFileAtomic } from '../lib/atomic-file.ts';
import { judge } from '../metrics/evaluate.ts';
import { type EvaluateFacts, evaluateFactsSchema, type Manifest } from '../protocol/facts.ts';
import type { RunRequest } from '../protocol/request.ts';
import { readManifest } from '../report/facts-files.ts';
import { type Evaluation, evaluateModels, type Note } from './evaluation.ts';
import type { Job } from './job.ts';
import { openModelEngine } from './model-engine.ts';

/** Samples of the calibration data that outputs are compared on, where there is no other data. */
const CALIBRATION_SAMPLES = 256;

export const stageEvaluate: Job<'stage-evaluate'> = async ({ run, file, request }, context) => {
  const manifest = await readManifest(run);
  const after = optimisedPath(run, manifest);
  if (after === null) return { models: [], skipped: 'The run made no model to compare with the original.' };
  const data = dataOf(request);
  const evaluation = await evaluateModels(
    {
      engine: await openModelEngine(),
      before: manifest.source.path,
      after,
      data: data.path,
      preprocess: request.preprocess,
      samples: data.samples,
      seed: request.seed,
      seen: isSeen(data.notes),
    },
    context,
  );
  await context.progress({ phase: 'computing metrics', done: 0, total: null });
  const facts = factsOf(evaluation, request.seed, data.notes);
  await writeFileAtomic(join(run, basename(file)), JSON.stringify(evaluateFactsSchema.parse(facts)));
  for (const { message } of facts.notes ?? []) context.log('warning', message);
  return { models: [] };
};

/** The model that the optimize stage made. */
function optimisedPath(run: string, { models }: Manifest): string | null {
  const model = models.find(({ id }) => id === 'optimized') ?? models.findLast(({ id }) => id !== 'source');
  return model === undefined ? null : join(run, model.path);
}

interface DataChoice {
  readonly path: string | null;
  readonly samples: number | undefined;
  readonly notes: readonly Note[];
}

function dataOf({ evaluation, calibration, samples }: RunRequest): DataChoice {
  if (evaluation !== undefined) return { path: evaluation, samples, notes: [] };
  if (calibration === undefined) return { path: null, samples, notes: [] };
  const note = {
    code: 'compared-on-calibration',
    message:
      'No evaluation data was given; the models are compared on the calibration data, which flatters the optimised one.',
  };
  return { path: calibration, samples: Math.min(samples ?? CALIBRATION_SAMPLES, CALIBRATION_SAMPLES), notes: [note] };
}

const isSeen = (notes: readonly Note[]): boolean => notes.some(({ code }) => code === 'compared-on-calibration');

/** `notes`: those of the choice of the data. Metrics are left out for data that calibration has seen. */
export function factsOf(evaluation: Evaluation, seed: number, notes: readonly Note[]): EvaluateFacts {
  const { task, before, after, groups, samples, labelled } = evaluation;
  const seen = isSeen(notes);
  const isJudged = task !== null && !seen && (labelled || task.name === 'perplexity');
  const { metrics, details } = isJudged
    ? judge({ task: task.name, classes: task.classes, before, after, groups }, seed)
    : { metrics: [], details: {} };
  const unmeasured: Note[] =
    isJudged && metrics.length === 0
      ? [
          {
            code: 'metric-not-defined',
            message: 'No metric has a finite value: some outputs are not numbers, or no sample has a label.',
          },
        ]
      : [];
  return {
    fidelity: evaluation.fidelity,
    metrics,
    task: task?.name ?? 'none',
    labels: evaluation.classes === null ? null : [...evaluation.classes],
    predictions: samples.map((sample, index) => {
      const [was, is] = [before[index], after[index]];
      const score =
        was?.score === undefined || is?.score === undefined ? {} : { score: { before: was.score, after: is.score } };
      return {
        sample,
        label: seen ? null : (was?.label ?? null),
        before: [...(was?.terms ?? [])],
        after: [...(is?.terms ?? [])],
        ...(groups === null ? {} : { group: groups[index] ?? '' }),
        ...score,
      };
    }),
    skipped: evaluation.skipped,
    dataset: evaluation.dataset,
    ...(Object.keys(details).length === 0 ? {} : { details: { ...details } }),
    notes: [...notes, ...evaluation.notes, ...unmeasured],
  };
}
