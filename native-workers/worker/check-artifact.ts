/**
 * Runs each main file of an artifact on its own runtime; looks for the culprit when one is wrong, and measures the user's metric
 * when the first runs.
 */
import { join } from 'node:path';
import type { ArtifactSignature, ArtifactTarget, TargetContext, WrittenArtifact } from '../artifacts/target.ts';
import type { Feeds } from '../lib/engine.ts';
import { toHoneError } from '../protocol/errors.ts';
import type { Verification } from '../protocol/package-facts.ts';
import { verifyArtifact } from '../verify/verify-artifact.ts';
import { artifactMetrics } from './artifact-metrics.ts';
import { bisectArtifact } from './bisect-artifact.ts';
import type { JobContext } from './job.ts';
import type { PackagedModel } from './packaged-model.ts';
import type { PackagingRequest } from './packaging.ts';
import type { TargetRow } from './target-table.ts';

/** Labelled samples that the metric is measured on, unless said. */
const METRIC_SAMPLES = 200;

export interface CheckRequest {
  readonly target: ArtifactTarget;
  readonly options: object;
  readonly folder: string;
  readonly written: WrittenArtifact;
  readonly packaged: PackagedModel;
  readonly request: PackagingRequest;
  readonly targetContext: TargetContext;
  readonly row: TargetRow;
  readonly context: JobContext;
}

/** Throws `cancelled`, and what the source model throws on the engine. */
export async function checkArtifact(check: CheckRequest): Promise<Verification> {
  const { written, options, packaged } = check;
  const { variants = [], path } = written;
  const main = await checkFile(check, path, written.options ?? options, variants.length > 0);
  const others: Verification[] = [];
  for (const variant of variants) others.push(await checkFile(check, variant.path, variant.options, true));
  const broken = [main, ...others].find(({ status }) => status === 'failed' || status === 'refused');
  const metrics = packaged.data === undefined || !hasRun(main) ? {} : await measured(check, packaged.data);
  if (others.length === 0) return { ...main, ...metrics };
  return {
    ...main,
    ...metrics,
    ...(broken === undefined || broken === main
      ? {}
      : { status: broken.status, reason: `${broken.file}: ${broken.reason ?? broken.status}` }),
    variants: others,
  };
}

async function checkFile(
  check: CheckRequest,
  path: string,
  options: object,
  isOneOfSeveral: boolean,
): Promise<Verification> {
  const { target, folder, written, packaged, targetContext, row, context } = check;
  const { knowledge, model } = packaged;
  const inputs = knowledge.inputs.filter((feeds) => fits(feeds, written.signature));
  const named = isOneOfSeveral ? { file: path } : {};
  const reference = await targetContext.engine.open(packaged.onnx, {
    threads: 1,
    ...target.referenceOptions?.(options),
  });
  const verified = await verifyArtifact({
    target: { ...target, tolerance: written.tolerance ?? target.tolerance },
    path: join(folder, path),
    signature: written.signature,
    reference,
    inputs,
    watch: (checks) => row.check(checks, named.file),
  }).finally(() => reference.release());
  const title = isOneOfSeveral ? `${target.title}, ${path}` : target.title;
  context.log(verified.status === 'passed' ? 'info' : 'warning', `${title}: ${outcomeOf(verified)}`);
  if (verified.status !== 'failed' || verified.samples === 0 || verified.errors.length > 0)
    return { ...named, ...verified };
  await row.step('searching');
  const found = await attempt(check, 'the operator that differs could not be looked for', async () => {
    const diverges = await bisectArtifact({ target, options, model, context: targetContext, inputs });
    return diverges === null ? {} : { diverges };
  });
  return { ...named, ...verified, ...found };
}

function hasRun({ status }: Verification): boolean {
  return status === 'passed' || status === 'failed';
}

async function measured(check: CheckRequest, data: string): Promise<Partial<Verification>> {
  const { target, folder, written, packaged, request, targetContext, row, context } = check;
  await row.step('measuring');
  return attempt(check, 'the metric could not be measured', async () => {
    const metrics = await artifactMetrics(
      {
        engine: targetContext.engine,
        source: packaged.onnx,
        model: packaged.model,
        target,
        path: join(folder, written.path),
        written,
        data,
        preprocess: request.preprocess,
        samples: request.samples ?? METRIC_SAMPLES,
        seed: request.seed,
      },
      { ...context, progress: ({ done, total, detail }) => row.progress(done, total, detail) },
    );
    return metrics.length === 0 ? {} : { metrics };
  });
}

/** What goes wrong beside the check itself is a warning. */
async function attempt(
  { target, context }: CheckRequest,
  what: string,
  work: () => Promise<Partial<Verification>>,
): Promise<Partial<Verification>> {
  try {
    return await work();
  } catch (thrown) {
    const error = toHoneError(thrown);
    if (error.code === 'cancelled') throw error;
    context.log('warning', `${target.title}: ${what}: ${error.message}`);
    return {};
  }
}

/** For who watches: one sentence as soon as a check has ended. */
function outcomeOf({ status, runtime, samples, maxAbs, cosine, reason }: Verification): string {
  const numbers =
    maxAbs === null || cosine === null
      ? ''
      : `, largest difference ${maxAbs.toPrecision(2)}, cosine ${cosine.toFixed(6)}`;
  return `${status} on ${runtime}, ${samples} samples${numbers}.${reason === undefined ? '' : ` ${reason}`}`;
}

/** Whether an artifact whose sizes were fixed takes these inputs: of texts of any length it takes those of one. */
function fits(feeds: Feeds, { inputs }: ArtifactSignature): boolean {
  return inputs.every(({ source, shape }) => {
    const given = feeds[source]?.shape;
    return given === undefined || shape.every((dim, axis) => typeof dim !== 'number' || dim === given[axis]);
  });
}
