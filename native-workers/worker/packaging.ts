/**
 * Makes the packages of a model: for each target its coverage, the artifact, the check on its own runtime, and what a mobile
 * team needs beside it. A target that fails is a row; what the others made is kept.
 */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { modelCard } from '../artifacts/model-card.ts';
import { findTarget } from '../artifacts/registry.ts';
import { snippetsFor } from '../artifacts/snippets.ts';
import type { ArtifactTarget, Coverage, PreparedModel, TargetContext, WrittenArtifact } from '../artifacts/target.ts';
import { runnableBatches } from '../datasets/batching.ts';
import { openDataset } from '../datasets/open-dataset.ts';
import { seededInputs } from '../datasets/seeded-inputs.ts';
import { signatureOf } from '../datasets/signature.ts';
import { openModel } from '../formats/registry.ts';
import type { Model } from '../graph/model.ts';
import type { Engine, Feeds } from '../lib/engine.ts';
import { hashFiles } from '../lib/hash-file.ts';
import { completeOptions } from '../passes/options.ts';
import { toHoneError } from '../protocol/errors.ts';
import type { Artifact, PackageFacts } from '../protocol/facts.ts';
import type { Preprocess } from '../protocol/request.ts';
import { verifyArtifact } from '../verify/verify-artifact.ts';
import { fitBudgets } from './device-profiles.ts';
import type { JobContext } from './job.ts';
import { onnxPathOf, openModelEngine } from './model-engine.ts';
import { prepareModel } from './prepare-model.ts';
import { zipFolder } from './zip-folder.ts';

/** Inputs that each artifact is checked on: made up, and the user's own. */
const SEEDED_INPUTS = 3;
const USER_INPUTS = 8;

export interface PackagingRequest {
  readonly model: string;
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
  readonly seed: number;
}

/** What all targets share. */
interface Shared {
  readonly request: PackagingRequest;
  readonly engine: Engine;
  readonly model: Model;
  readonly source: { readonly sha256: string; readonly bytes: number };
  readonly inputs: readonly Feeds[];
  readonly labels: readonly string[] | null;
  readonly preprocess: Preprocess | null;
  readonly scratch: string;
  readonly prepared: () => Promise<PreparedModel>;
  readonly context: JobContext;
}

export async function makePackages(request: PackagingRequest, context: JobContext): Promise<PackageFacts> {
  const targets = request.targets.map(findTarget);
  await context.progress({ phase: 'opening the model', done: 0, total: targets.length });
  const model = await openModel(request.model);
  const engine = await openModelEngine();
  const scratch = await mkdtemp(join(tmpdir(), 'package-'));
  try {
    const inputs = request.coverageOnly
      ? { feeds: [], labels: null, preprocess: null }
      : await checkInputs(request, model);
    const { sha256, bytes } = await hashFiles([request.model]);
    const { feeds, ...known } = inputs;
    let prepared: Promise<PreparedModel> | null = null;
    const shared: Shared = {
      prepared: () => {
        prepared ??= prepareModel(model, engine, scratch);
        return prepared;
      },
      request,
      engine,
      model,
      source: { sha256, bytes },
      inputs: feeds,
      ...known,
      scratch,
      context,
    };
    const artifacts: Artifact[] = [];
    for (const target of targets) artifacts.push(await makeArtifact(target, shared));
    return { artifacts, sizes: fitBudgets(artifacts, request.budget ?? null) };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function checkInputs(
  request: PackagingRequest,
  model: Model,
): Promise<{ feeds: Feeds[]; labels: readonly string[] | null; preprocess: Preprocess | null }> {
  const signature = signatureOf(model);
  const feeds: Feeds[] = [];
  const seeded = seededInputs(signature, SEEDED_INPUTS, request.seed);
  for await (const batch of seeded.batches(1)) feeds.push(batch.feeds);
  if (request.data === undefined) return { feeds, labels: null, preprocess: request.preprocess ?? null };
  const { preprocess, seed } = request;
  const data = await openDataset(request.data, signature, {
    model: request.model,
    ...(preprocess === undefined ? {} : { preprocess }),
  });
  try {
    for await (const batch of runnableBatches(data, signature, { limit: USER_INPUTS, seed })) feeds.push(batch.feeds);
    return { feeds, labels: data.classes, preprocess: data.preprocess };
  } finally {
    await data.close();
  }
}

async function makeArtifact(target: ArtifactTarget, shared: Shared): Promise<Artifact> {
  const { model, request, context } = shared;
  const start = performance.now();
  let coverage: Coverage = { nodes: 0, supported: 0, unsupported: [] };
  const row = (rest: Partial<Artifact> & Pick<Artifact, 'status'>): Artifact => ({
    target: target.id,
    path: '',
    bytes: 0,
    sha256: '',
    files: [],
    requires: {},
    verified: null,
    notes: [],
    ...rest,
    coverage: { ...coverage, unsupported: [...coverage.unsupported] },
    ms: performance.now() - start,
  });
  try {
    const options = completeOptions(target, request.options[target.id]);
    const targetContext: TargetContext = {
      engine: shared.engine,
      source: await onnxPathOf(request.model),
      scratch: shared.scratch,
      prepared: shared.prepared,
      progress: (done, total, what) => context.progress({ phase: target.title, done, total, detail: what }),
    };
    coverage = await target.coverage(model, options, targetContext);
    if (request.coverageOnly || coverage.unsupported.length > 0) {
      return row({ status: coverage.unsupported.length > 0 ? 'unsupported' : 'made' });
    }
    const folder = join(request.out, target.id);
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const written = await target.write(model, folder, options, targetContext);
    return await finish(target, folder, written, row, shared);
  } catch (thrown) {
    const error = toHoneError(thrown);
    if (error.code === 'cancelled' || error.code === 'disk-full') throw error;
    context.log('warning', `${target.title}: ${error.message}`);
    return row({ status: 'failed', error: error.toData() });
  }
}

/** Checks what was written, and puts card, snippets, labels and checksums beside it. */
async function finish(
  target: ArtifactTarget,
  folder: string,
  written: WrittenArtifact,
  row: (rest: Partial<Artifact> & Pick<Artifact, 'status'>) => Artifact,
  shared: Shared,
): Promise<Artifact> {
  const { request, context, labels, preprocess, source } = shared;
  const reference = await shared.engine.open(request.model, { threads: 1 });
  const verified = await verifyArtifact({
    target: { ...target, tolerance: written.tolerance ?? target.tolerance },
    path: join(folder, written.path),
    signature: written.signature,
    reference,
    inputs: shared.inputs,
    progress: (done, total, what) => context.progress({ phase: target.title, done, total, detail: what }),
  }).finally(() => reference.release());
  if (verified.status !== 'passed')
    context.log('warning', `${target.title}: ${verified.status}. ${verified.reason ?? ''}`);

  const files = await Promise.all(
    written.files.map(async (path) => ({ path: join(target.id, path), ...(await hashFiles([join(folder, path)])) })),
  );
  const bytes = files
    .filter(({ path }) => isPartOf(path, join(target.id, written.path)))
    .reduce((sum, file) => sum + file.bytes, 0);
  const main = written.files.filter((path) => isPartOf(path, written.path)).map((path) => join(folder, path));
  const { sha256 } = await hashFiles(main);
  const made = row({
    status: 'made',
    path: join(target.id, written.path),
    bytes,
    sha256,
    files: files.map(({ path, bytes: size, sha256: hash }) => ({ path, bytes: size, sha256: hash })),
    requires: { ...written.requires },
    verified,
    notes: [...written.notes],
  });
  const name = basename(request.model).replace(/\.[^.]+$/, '');
  const license = shared.model.metadata.get('license') ?? null;
  const card = modelCard({ name, source, artifact: made, signature: written.signature, preprocess, labels, license });
  await writeFile(join(folder, 'MODEL_CARD.md'), card);
  for (const snippet of snippetsFor({
    target: target.id,
    file: written.path,
    signature: written.signature,
    preprocess,
    labels,
  })) {
    await writeFile(join(folder, snippet.file), snippet.text);
  }
  await writeFile(join(folder, 'signature.json'), `${JSON.stringify(written.signature, null, 2)}\n`);
  if (preprocess !== null) await writeFile(join(folder, 'preprocess.json'), `${JSON.stringify(preprocess, null, 2)}\n`);
  if (labels !== null) await writeFile(join(folder, 'labels.txt'), `${labels.join('\n')}\n`);
  await writeFile(
    join(folder, 'SHA256SUMS'),
    made.files.map((file) => `${file.sha256}  ${file.path.slice(target.id.length + 1)}\n`).join(''),
  );
  if (request.zip) await zipFolder(folder, `${folder}.zip`);
  return made;
}

/** `path` is `whole`, or inside it when that is a folder. */
function isPartOf(path: string, whole: string): boolean {
  return path === whole || path.startsWith(`${whole}/`) || path.startsWith(`${whole}\\`);
}
