/**
 * `hone optimize --dry-run`: what each pass would do, and the memory, disk and time that the run needs. Estimates from the
 * structure alone, each with how it was derived; nothing is read but the structure, and nothing is run.
 */
import { availableParallelism, freemem } from 'node:os';
import { DEFAULT_SECONDS, defaultThreads, totalTime } from '../bench/plan.ts';
import { freeBytes } from '../host/disk.ts';
import { type Forecast, floatWeights, forecastPass } from '../passes/forecast.ts';
import { completeOptions } from '../passes/options.ts';
import { findPass } from '../passes/registry.ts';
import type { InspectFacts } from '../protocol/facts.ts';
import type { Recipe } from '../protocol/recipe.ts';
import type { RunRequest } from '../protocol/request.ts';
import { formatBytes } from '../report/format.ts';
import type { CommandResult } from './cli.ts';
import { duration, pairs, plain, table } from './text.ts';

interface Estimate {
  readonly value: number;
  /** How it was derived. */
  readonly basis: string;
}

export interface DryRun {
  readonly recipe: Recipe;
  /** Why Hone chose the recipe; null when the user did. */
  readonly reason: string | null;
  readonly passes: readonly (Forecast & { readonly pass: string; readonly options: object })[];
  readonly size: { readonly before: number; readonly after: number };
  /** Peak of one process, bytes. */
  readonly memory: Estimate & { readonly free: number };
  /** Of the run folder while it works, bytes. */
  readonly disk: Estimate & { readonly free: number };
  /** Milliseconds. */
  readonly time: Estimate;
}

/** A Node process with ONNX Runtime loaded and no model, measured on Linux x64; rounded up. */
const PROCESS_BYTES = 150e6;
/** Weights of a loaded model: as read, and as packed for its kernels. */
const COPIES_WHEN_LOADED = 2;
/** What passes and hashing get through in a second, on a disk and core of some years ago. */
const BYTES_A_SECOND = 200e6;
/** Multiply-adds a second of one core in float32, taken low: far below what AVX2 can do at its best. */
const MACS_A_SECOND = 4e9;
/** Samples used where the user sets no limit. */
const SAMPLES = 256;
/** Starting a process, opening a model, writing a report. */
const STAGE_MS = 1500;

export async function dryRun(
  request: RunRequest,
  model: InspectFacts,
  reason: string | null,
  library: string,
): Promise<CommandResult> {
  const free = { memory: freemem(), disk: await freeBytes(library) };
  const plan = planRun(request, model, reason, free);
  return { json: { dryRun: true, ...plan }, text: dryRunText(plan) };
}

export function planRun(
  request: RunRequest,
  model: InspectFacts,
  reason: string | null,
  free: { readonly memory: number; readonly disk: number },
): DryRun {
  const left = floatWeights(model);
  const passes = request.recipe.steps.map((step) => {
    const pass = findPass(step.pass);
    const options = completeOptions(pass, step.options);
    return { pass: step.pass, options, ...forecastPass(pass, { ...options }, model, left) };
  });
  const saved = passes.reduce(
    (sum, { weightBytesBefore, weightBytesAfter }) => sum + weightBytesBefore - weightBytesAfter,
    0,
  );
  const before = model.bytes.total;
  const after = Math.max(0, before - saved);
  return {
    recipe: request.recipe,
    reason,
    passes,
    size: { before, after },
    memory: {
      value: PROCESS_BYTES + COPIES_WHEN_LOADED * model.bytes.weights + largestTensor(model),
      basis: 'one process with the original model loaded and its weights packed; passes hold one tensor at a time',
      free: free.memory,
    },
    disk: {
      value: before + after,
      basis: 'the optimised model, and one working copy of the original for the engine',
      free: free.disk,
    },
    time: timeOf(request, model),
  };
}

function largestTensor({ tensors }: InspectFacts): number {
  return Math.max(0, ...tensors.map(({ bytes }) => bytes));
}

function timeOf({ benchmark, samples, calibration, recipe }: RunRequest, model: InspectFacts): Estimate {
  const settings = [benchmark.provider, benchmark.threads, benchmark.batch].reduce(
    (count, list) => count * (list?.length ?? 1),
    1,
  );
  const measuring = totalTime(benchmark.seconds ?? DEFAULT_SECONDS, settings * 2);
  const streaming = ((3 * model.bytes.total) / BYTES_A_SECOND) * 1000;
  const threads = Math.min(defaultThreads(), availableParallelism());
  const run = ((model.macs ?? 0) / (MACS_A_SECOND * threads)) * 1000;
  const calibrates =
    recipe.steps.some(({ pass }) => findPass(pass).needs.includes('calibration')) && calibration !== undefined;
  const runs = (samples ?? SAMPLES) * (calibrates ? 4 : 2);
  const unknown = model.macs === null ? '; its multiply-adds are not known, so evaluation is not counted' : '';
  return {
    value: measuring + streaming + run * runs + 5 * STAGE_MS,
    basis: `${duration(measuring)} of benchmark, three passes over the file, and ${runs} runs for evaluation${calibrates ? ' and calibration' : ''}${unknown}`,
  };
}

function dryRunText({ recipe, reason, passes, size, memory, disk, time }: DryRun): string {
  const rows = passes.map(({ pass, text, weightBytesBefore, weightBytesAfter }) => [
    pass,
    weightBytesBefore === 0 ? '' : `${formatBytes(weightBytesBefore)} to ${formatBytes(weightBytesAfter)}`,
    plain(text),
  ]);
  const tight = (needed: number, free: number): string => (needed > free ? ', which is more than is free' : '');
  return [
    `recipe ${recipe.name}${reason === null ? '' : `, chosen because ${reason}`}`,
    table([{ title: 'pass' }, { title: 'weights, at best' }, { title: 'what it would do' }], rows),
    pairs([
      ['size', `${formatBytes(size.before)} to about ${formatBytes(size.after)} at best`],
      ['memory', `about ${formatBytes(memory.value)}${tight(memory.value, memory.free)}: ${memory.basis}`],
      ['disk', `about ${formatBytes(disk.value)}${tight(disk.value, disk.free)}: ${disk.basis}`],
      ['time', `about ${duration(time.value)}: ${time.basis}`],
    ]),
    'Nothing was changed. These are estimates from the structure of the model.',
  ].join('\n\n');
}
