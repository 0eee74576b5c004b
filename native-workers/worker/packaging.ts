/**
 * Makes the packages of models: for each target its coverage, the artifact, the check on its own runtime, and what a mobile
 * team needs beside it. A target that fails is a row; what the others made is kept.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { artifactName, freeName } from '../artifacts/file-name.ts';
import { withQuantization } from '../artifacts/io-quantization.ts';
import { loadsOf } from '../artifacts/loads.ts';
import { findTarget } from '../artifacts/registry.ts';
import type {
  ArtifactSignature,
  ArtifactTarget,
  Coverage,
  PreparedModel,
  TargetContext,
  WrittenArtifact,
} from '../artifacts/target.ts';
import { openModel } from '../formats/registry.ts';
import type { Model } from '../graph/model.ts';
import type { Engine, Feeds } from '../lib/engine.ts';
import { hashFiles } from '../lib/hash-file.ts';
import { completeOptions } from '../passes/options.ts';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import type { Artifact, PackageFacts, Verification } from '../protocol/facts.ts';
import type { Preprocess } from '../protocol/request.ts';
import { verifyArtifact } from '../verify/verify-artifact.ts';
import { artifactMetrics } from './artifact-metrics.ts';
import { bisectArtifact } from './bisect-artifact.ts';
import { fitBudgets } from './device-profiles.ts';
import type { JobContext } from './job.ts';
import { onnxPathOf, openModelEngine } from './model-engine.ts';
import { writePackageFiles } from './package-files.ts';
import { makeOutFolder, refuseForeign, replaceFolder } from './package-folder.ts';
import { type Knowledge, packageKnowledge } from './package-knowledge.ts';
import { prepareModel } from './prepare-model.ts';
import { zipFolder } from './zip-folder.ts';

/** Labelled samples that the metric is measured on, unless said. */
const METRIC_SAMPLES = 200;

export interface PackagingRequest {
  readonly model: string;
  /** Further models of the same package, each in a folder of its name. Data and preprocessing are the first model's. */
  readonly with?: readonly string[] | undefined;
  /** Where the model came from, when `model` was made of it: its licence and labels are there. */
  readonly origin?: string | undefined;
  readonly targets: readonly string[];
  /** Each target gets a folder in it. */
  readonly out: string;
  readonly coverageOnly: boolean;
  readonly zip: boolean;
  readonly data?: string | undefined;
  readonly preprocess?: Preprocess | undefined;
  /** By target. */
  readonly options: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly budget?: number | undefined;
  /** Most labelled samples for the metric. */
  readonly samples?: number | undefined;
  readonly seed: number;
}

/** One model of the package, with what all targets need of it. */
interface Packaged {
  readonly path: string;
  readonly name: string;
  /** Folder in that of the target; '' for the first model. */
  readonly folder: string;
  readonly model: Model;
  /** As the engine opens it. */
  readonly onnx: string;
  readonly source: { readonly sha256: string; readonly bytes: number };
  readonly knowledge: Knowledge;
  readonly data: string | undefined;
  readonly prepared: (batch?: number) => Promise<PreparedModel>;
}

interface Shared {
  readonly request: PackagingRequest;
  readonly engine: Engine;
  readonly models: readonly Packaged[];
  readonly scratch: string;
  readonly context: JobContext;
}

type Row = (rest: Partial<Artifact> & Pick<Artifact, 'status'>) => Artifact;

/**
 * Throws what opening models and data throws, `invalid-options` for targets and folders that cannot be, and `cancelled`. A target
 * that cannot be made, for want of room on the disk too, is a row with the error.
 */
export async function makePackages(request: PackagingRequest, context: JobContext): Promise<PackageFacts> {
  const targets = request.targets.map(findTarget);
  refuseRepeated(request.targets, 'target');
  refuseRepeated([request.model, ...(request.with ?? [])], 'model');
  if (!request.coverageOnly) {
    await makeOutFolder(request.out);
    for (const { id } of targets) await refuseForeign(join(request.out, id));
  }
  await context.progress({ phase: 'opening the model', done: 0, total: targets.length });
  const engine = await openModelEngine();
  const scratch = await mkdtemp(join(tmpdir(), 'package-'));
  try {
    const models: Packaged[] = [];
    for (const path of [request.model, ...(request.with ?? [])])
      models.push(await openPackaged(path, request, models, engine, scratch));
    const shared: Shared = { request, engine, models, scratch, context };
    const artifacts: Artifact[] = [];
    for (const [index, target] of targets.entries()) {
      await context.progress({ phase: target.title, done: index, total: targets.length });
      for (const packaged of models) artifacts.push(await makeArtifact(target, packaged, shared));
      if (request.zip && artifacts.some((each) => each.target === target.id && each.path !== ''))
        await zipFolder(join(request.out, target.id), join(request.out, `${target.id}.zip`));
    }
    return { artifacts, sizes: fitBudgets(artifacts, request.budget ?? null) };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function refuseRepeated(names: readonly string[], what: string): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new HoneError('invalid-options', `The ${what} ${twice} is listed twice.`);
}

async function openPackaged(
  path: string,
  request: PackagingRequest,
  before: readonly Packaged[],
  engine: Engine,
  scratch: string,
): Promise<Packaged> {
  const isFirst = before.length === 0;
  const model = await openModel(path);
  const { sha256, bytes } = await hashFiles([path]);
  const knowledge: Knowledge = request.coverageOnly
    ? { inputs: [], labels: null, preprocess: null, license: { name: null, files: [] }, notes: [] }
    : await packageKnowledge({
        model,
        path,
        origin: isFirst ? (request.origin ?? path) : path,
        seed: request.seed,
        ...(isFirst ? { data: request.data, preprocess: request.preprocess } : {}),
      });
  const prepared = new Map<number, Promise<PreparedModel>>();
  return {
    path,
    name: basename(path).replace(/\.[^.]+$/, ''),
    folder: isFirst
      ? ''
      : freeName(
          `${artifactName(path)}-model`,
          before.map(({ folder }) => folder),
        ),
    model,
    onnx: await onnxPathOf(path),
    source: { sha256, bytes },
    knowledge,
    data: isFirst ? request.data : undefined,
    prepared: (batch = 1) => {
      const made = prepared.get(batch) ?? prepareModel(model, engine, scratch, batch);
      prepared.set(batch, made);
      return made;
    },
  };
}

async function makeArtifact(target: ArtifactTarget, packaged: Packaged, shared: Shared): Promise<Artifact> {
  const { request, context } = shared;
  const start = performance.now();
  let coverage: Coverage = { nodes: 0, supported: 0, unsupported: [] };
  const row: Row = (rest) => ({
    target: target.id,
    path: '',
    bytes: 0,
    sha256: '',
    files: [],
    requires: {},
    verified: null,
    notes: [],
    ...(shared.models.length > 1 ? { model: basename(packaged.path) } : {}),
    ...rest,
    coverage: { ...coverage, unsupported: [...coverage.unsupported] },
    ms: performance.now() - start,
  });
  try {
    const options = completeOptions(target, request.options[target.id]);
    const targetContext: TargetContext = {
      engine: shared.engine,
      source: packaged.onnx,
      scratch: shared.scratch,
      prepared: packaged.prepared,
      preprocess: packaged.knowledge.preprocess,
      companions: shared.models.filter((each) => each !== packaged).map(({ onnx }) => onnx),
      progress: (done, total, what) => context.progress({ phase: target.title, done, total, detail: what }),
    };
    coverage = await target.coverage(packaged.model, options, targetContext);
    if (!request.coverageOnly && coverage.unsupported.length > 0)
      context.log(
        'warning',
        `${target.title}: it cannot express ${coverage.unsupported.length} of ${coverage.nodes} nodes.`,
      );
    if (request.coverageOnly || coverage.unsupported.length > 0) {
      return row({ status: coverage.unsupported.length > 0 ? 'unsupported' : 'made' });
    }
    return await replaceFolder(join(request.out, target.id, packaged.folder), async (folder) => {
      const made = await target.write(packaged.model, folder, options, targetContext);
      const written = { ...made, signature: withQuantization(made.signature, packaged.model) };
      const verified = await checked(target, options, folder, written, packaged, shared, targetContext);
      return await finish(target, folder, written, verified, row, packaged, request.budget ?? null);
    });
  } catch (thrown) {
    const error = withFolder(toHoneError(thrown), request.out);
    if (error.code === 'cancelled') throw error;
    context.log('warning', `${target.title}: ${error.message}`);
    return row({ status: 'failed', error: error.toData() });
  }
}

/** The system does not say which file a full disk was for. */
function withFolder(error: HoneError, folder: string): HoneError {
  if (error.code !== 'disk-full') return error;
  return new HoneError('disk-full', `There is no room left on the disk of ${folder} for the package.`, {
    where: { file: folder },
    cause: error,
  });
}

/** Runs what was written; looks for the culprit when it is wrong, and measures the user's metric when it runs. */
async function checked(
  target: ArtifactTarget,
  options: object,
  folder: string,
  written: WrittenArtifact,
  packaged: Packaged,
  { engine, request, context }: Shared,
  targetContext: TargetContext,
): Promise<Verification> {
  const { knowledge, model, data } = packaged;
  const path = join(folder, written.path);
  const inputs = knowledge.inputs.filter((feeds) => fits(feeds, written.signature));
  const reference = await engine.open(packaged.onnx, { threads: 1, ...target.referenceOptions?.(options) });
  const tolerance = written.tolerance ?? target.tolerance;
  let verified = await verifyArtifact({
    target: { ...target, tolerance },
    path,
    signature: written.signature,
    reference,
    inputs,
    progress: (done, total, what) => context.progress({ phase: target.title, done, total, detail: what }),
  }).finally(() => reference.release());
  context.log(verified.status === 'passed' ? 'info' : 'warning', `${target.title}: ${outcomeOf(verified)}`);
  const attempt = async (what: string, work: () => Promise<Partial<Verification>>): Promise<void> => {
    try {
      verified = { ...verified, ...(await work()) };
    } catch (thrown) {
      const error = toHoneError(thrown);
      if (error.code === 'cancelled') throw error;
      context.log('warning', `${target.title}: ${what}: ${error.message}`);
    }
  };
  if (verified.status === 'failed' && verified.samples > 0 && verified.errors.length === 0) {
    await attempt('the operator that differs could not be looked for', async () => {
      const diverges = await bisectArtifact({
        target,
        options,
        model,
        context: targetContext,
        inputs,
      });
      return diverges === null ? {} : { diverges };
    });
  }
  if (data !== undefined && (verified.status === 'passed' || verified.status === 'failed')) {
    await attempt('the metric could not be measured', async () => {
      const metrics = await artifactMetrics(
        {
          engine,
          source: packaged.onnx,
          model,
          target,
          path,
          written,
          data,
          preprocess: request.preprocess,
          samples: request.samples ?? METRIC_SAMPLES,
          seed: request.seed,
        },
        context,
      );
      return metrics.length === 0 ? {} : { metrics };
    });
  }
  return verified;
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

/** The row of a package, and the files beside its artifact. */
async function finish(
  target: ArtifactTarget,
  folder: string,
  written: WrittenArtifact,
  verified: Verification,
  row: Row,
  { name, source, knowledge, data, folder: own }: Packaged,
  budget: number | null,
): Promise<Artifact> {
  const place = (path: string): string => join(target.id, own, path);
  const hashed = await Promise.all(
    written.files.map(async (path) => ({ path, ...(await hashFiles([join(folder, path)])) })),
  );
  const parts = hashed.filter(({ path }) => isPartOf(path, written.path));
  const [only] = parts;
  const artifact = row({
    status: 'made',
    path: place(written.path),
    bytes: parts.reduce((sum, file) => sum + file.bytes, 0),
    sha256:
      parts.length === 1 && only !== undefined
        ? only.sha256
        : (await hashFiles(parts.map(({ path }) => join(folder, path)))).sha256,
    files: hashed.map(({ path, bytes, sha256 }) => ({ path: place(path), bytes, sha256 })),
    requires: { ...written.requires },
    verified,
    notes: [...written.notes, ...knowledge.notes],
    loads: [...(written.loads ?? loadsOf(written.requires))],
  });
  const sizes = fitBudgets([artifact], budget);
  await writePackageFiles({ folder, name, source, artifact, written, knowledge, data, sizes });
  return artifact;
}

/** `path` is `whole`, or inside it when that is a folder. */
function isPartOf(path: string, whole: string): boolean {
  return path === whole || path.startsWith(`${whole}/`) || path.startsWith(`${whole}\\`);
}
