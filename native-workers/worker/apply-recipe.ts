/**
 * Runs the passes of a recipe over a model. Each pass works on a copy of the graph (the weights are shared, so a copy is
 * cheap), and the copy takes the model's place only when the pass succeeded and left a valid graph: a pass that fails is a row
 * and the recipe goes on with the model before it.
 */
import { cloneModel } from '../graph/clone.ts';
import type { Model } from '../graph/model.ts';
import { validate } from '../graph/validate.ts';
import type { Engine } from '../lib/engine.ts';
import { Random } from '../lib/random.ts';
import { completeOptions } from '../passes/options.ts';
import {
  type CalibrationData,
  type ExpectedKernel,
  type Memory,
  NO_MEMORY,
  type Pass,
  type PassContext,
  type PassOutcome,
  type Trial,
} from '../passes/pass.ts';
import { findPass } from '../passes/registry.ts';
import { type ErrorCode, HoneError, toHoneError } from '../protocol/errors.ts';
import type { PassRow } from '../protocol/facts.ts';
import type { Progress } from '../protocol/messages.ts';
import type { Recipe } from '../protocol/recipe.ts';
import { WatchedCalibration } from './watched-calibration.ts';

/** What the passes are given, by whoever runs the recipe. */
export interface RecipeContext {
  readonly engine: Engine;
  readonly open: PassContext['open'];
  readonly types: PassContext['types'];
  readonly calibration: CalibrationData | null;
  /** null: passes that search are skipped. */
  readonly trial: Trial | null;
  /** Nothing is kept unless given. */
  readonly memory?: Memory;
  readonly seed: number;
  readonly scratch: string;
  progress(progress: Progress): Promise<void>;
  log(level: 'info' | 'warning', message: string): void;
}

export interface AppliedRecipe {
  readonly model: Model;
  readonly rows: readonly PassRow[];
  /** Of the passes that changed the model. */
  readonly expects: readonly ExpectedKernel[];
}

/** Errors that are not of one pass: going on would meet them again. */
const FATAL: ReadonlySet<ErrorCode> = new Set(['cancelled', 'disk-full', 'no-permission']);

/**
 * The model after all passes, and a row for each. `find` looks passes up, in the registry unless said. Throws `unknown-pass` and `invalid-options` before anything is run. The given
 * model is not changed.
 */
export async function applyRecipe(
  source: Model,
  recipe: Recipe,
  context: RecipeContext,
  find: (id: string) => Pass = findPass,
): Promise<AppliedRecipe> {
  const steps = recipe.steps.map((step) => {
    const pass = find(step.pass);
    return { pass, options: completeOptions(pass, step.options) };
  });
  let model = source;
  const rows: PassRow[] = [];
  const expects: ExpectedKernel[] = [];
  const earlier: string[] = [];
  for (const [index, { pass, options }] of steps.entries()) {
    const title = `${pass.title} (${index + 1} of ${steps.length})`;
    const watched = context.calibration === null ? null : new WatchedCalibration(context.calibration);
    const copy = cloneModel(model).model;
    const nodesBefore = countNodes(model);
    const start = performance.now();
    const result = await attempt(pass, copy, options, {
      engine: context.engine,
      open: context.open,
      types: context.types,
      calibration: watched,
      trial: context.trial,
      memory: context.memory ?? NO_MEMORY,
      // Each step has its own numbers: leaving one out does not change those of the others.
      random: new Random(context.seed + index),
      earlier: [...earlier],
      scratch: context.scratch,
      progress: (done, total, what, live) =>
        context.progress({ phase: title, done, total, detail: what, ...(live === undefined ? {} : { live }) }),
      log: (message) => context.log('info', `${pass.id}: ${message}`),
    });
    if (!(result instanceof HoneError) && result.status === 'changed') {
      model = copy;
      earlier.push(pass.id);
      expects.push(...(result.expects ?? []));
    }
    const calibration = watched?.facts();
    rows.push({
      pass: pass.id,
      title: pass.title,
      options: { ...options },
      lossy: pass.lossy,
      ...rowOf(result),
      ms: performance.now() - start,
      nodesBefore,
      nodesAfter: countNodes(model),
      ...(calibration === undefined ? {} : { calibration }),
    });
    tell(context, rows.at(-1));
  }
  return { model, rows, expects };
}

/** The outcome of one pass, or why it failed. */
async function attempt(
  pass: Pass,
  model: Model,
  options: object,
  context: PassContext,
): Promise<PassOutcome | HoneError> {
  try {
    if (pass.needs.includes('calibration') && context.calibration === null) {
      return { status: 'skipped', reason: 'It needs calibration data, and none can be made for this model.' };
    }
    if (pass.needs.includes('trial') && context.trial === null) {
      return { status: 'skipped', reason: 'It searches by running candidates, which nothing here can judge.' };
    }
    await context.progress(0, 1, pass.summary);
    const outcome = await pass.run(model, options, context);
    if (outcome.status === 'changed') prove(pass, model);
    return outcome;
  } catch (thrown) {
    const error = toHoneError(thrown);
    if (FATAL.has(error.code)) throw error;
    if (error.code !== 'internal') return error;
    return new HoneError('pass-failed', `${pass.id}: ${error.message}`, { cause: thrown });
  }
}

function prove(pass: Pass, model: Model): void {
  try {
    validate(model);
  } catch (thrown) {
    const error = toHoneError(thrown);
    throw new HoneError('pass-broke-graph', `${pass.id}: ${error.message}`, {
      cause: thrown,
      ...(error.where === undefined ? {} : { where: error.where }),
    });
  }
}

function rowOf(
  result: PassOutcome | HoneError,
): Pick<PassRow, 'status' | 'reason' | 'counts' | 'notes' | 'error' | 'details'> {
  if (result instanceof HoneError) {
    return { status: 'failed', reason: result.message, counts: {}, notes: [], error: result.toData() };
  }
  const notes = [...(result.notes ?? [])];
  const details = result.status === 'skipped' || result.details === undefined ? {} : { details: { ...result.details } };
  if (result.status !== 'changed')
    return { status: result.status, reason: result.reason, counts: {}, notes, ...details };
  return { status: 'changed', counts: { ...result.counts }, notes, ...details };
}

function tell(context: RecipeContext, row: PassRow | undefined): void {
  if (row === undefined) return;
  const counts = Object.entries(row.counts).map(([what, count]) => `${what}: ${count}`);
  const text = row.status === 'changed' ? counts.join(', ') : (row.reason ?? '');
  context.log(row.status === 'failed' ? 'warning' : 'info', `${row.title}: ${row.status}. ${text}`);
  for (const { message, caution } of row.notes)
    if (caution === true) context.log('warning', `${row.title}: ${message}`);
}

function countNodes(model: Model): number {
  let count = 0;
  for (const _node of model.graph.allNodes()) count++;
  return count;
}
