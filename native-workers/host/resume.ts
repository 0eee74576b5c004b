/**
 * What must hold before a run goes on: something is left to do, the finished files are what their stages wrote, and the source
 * model is the one that the run began with.
 */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { temporaryPathFor } from '../lib/atomic-file.ts';
import { hashFile, hashFiles } from '../lib/hash-file.ts';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import type { Manifest, ModelFile, StageName } from '../protocol/facts.ts';
import { type RunRequest, runRequestSchema } from '../protocol/request.ts';
import { schemaText } from '../protocol/schema-text.ts';
import { pendingRow } from './run.ts';
import { readManifest, removeLeftovers, stageFile } from './run-store.ts';
import type { Supervisor } from './supervisor.ts';

/** With the lock held: the manifest with its unfinished stages pending again, and the request to go on with. */
export async function prepareResume(
  supervisor: Supervisor,
  folder: string,
): Promise<{ manifest: Manifest; request: RunRequest }> {
  const manifest = await readManifest(folder);
  const request = requestOf(manifest, folder);
  const unfinished = manifest.stages.some((row) => row.status !== 'done' && row.status !== 'skipped');
  if (!unfinished && manifest.error === undefined) {
    throw new HoneError('run-not-resumable', `The run ${manifest.id} is ${manifest.status}; nothing is left to do.`);
  }
  await removeLeftovers(folder);
  await checkFiles(folder, manifest);
  await checkSource(supervisor, folder, manifest, request);
  const { error: _error, ...rest } = manifest;
  // The report tells of all stages, so it is made again with whatever is done again.
  const stages = manifest.stages.map((row) =>
    row.status === 'done' && !(row.name === 'report' && unfinished) ? row : pendingRow(row.name),
  );
  return { manifest: { ...rest, status: 'running', stages }, request };
}

function requestOf(manifest: Manifest, folder: string): RunRequest {
  const { source, recipe, seed } = manifest;
  const request = runRequestSchema.safeParse({ ...manifest.request, model: source.path, recipe, seed });
  if (request.success) return request.data;
  const message = `manifest.json holds no valid request: ${schemaText(request.error)}`;
  throw new HoneError('run-corrupt', message, { where: { file: join(folder, 'manifest.json') } });
}

async function checkFiles(folder: string, manifest: Manifest): Promise<void> {
  for (const row of manifest.stages) {
    if (row.status !== 'done' || row.file === undefined || row.name === 'report') continue;
    const file = join(folder, row.file);
    const found = await hashFile(file).catch((thrown: unknown) => toHoneError(thrown));
    if (found instanceof HoneError) throw corrupt(`${row.file} cannot be read: ${found.message}`, file);
    if (found.sha256 !== row.sha256) throw corrupt(`${row.file} is not what the ${row.name} stage wrote.`, file);
  }
  for (const model of manifest.models) {
    if (model.parent !== null) await checkModel(folder, model);
  }
}

async function checkModel(folder: string, model: ModelFile): Promise<void> {
  const file = resolve(folder, model.path);
  if (!existsSync(file)) throw corrupt(`The model ${model.path} is gone.`, file);
  // Packages for other runtimes are made again where it matters; what later stages read is ONNX with its weights beside it.
  if (!file.endsWith('.onnx')) return;
  const { sha256 } = await hashFiles([file, `${file}.data`].filter((path) => existsSync(path)));
  if (sha256 !== model.sha256) throw corrupt(`${model.path} is not the model that the run made.`, file);
}

function corrupt(message: string, file: string): HoneError {
  return new HoneError('run-corrupt', message, { where: { file } });
}

/** The inspect stage knows how a model is hashed together with its external data, so it is asked again. */
async function checkSource(
  supervisor: Supervisor,
  folder: string,
  manifest: Manifest,
  request: RunRequest,
): Promise<void> {
  const inspected: StageName = 'inspect';
  if (manifest.stages.find((row) => row.name === inspected)?.status !== 'done') return;
  const file = temporaryPathFor(join(folder, stageFile(inspected)));
  let models: ModelFile[];
  try {
    ({
      result: { models },
    } = await supervisor.runJob('stage-inspect', { run: folder, file, request }, { scratch: folder }));
  } finally {
    await rm(file, { force: true });
  }
  const source = models.find((model) => model.id === 'source');
  if (source !== undefined && source.sha256 !== manifest.source.sha256) {
    throw new HoneError('run-not-resumable', `${manifest.source.name} has changed since the run began.`, {
      where: { file: manifest.source.path },
    });
  }
}
