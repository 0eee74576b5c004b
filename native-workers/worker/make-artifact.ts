/** One artifact of one model: its coverage, the files, the check, and what stands beside them, as the row of the facts. */
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { withQuantization } from '../artifacts/io-quantization.ts';
import { loadsOf } from '../artifacts/loads.ts';
import type { ArtifactTarget, Coverage, TargetContext, WrittenArtifact } from '../artifacts/target.ts';
import type { Engine } from '../lib/engine.ts';
import { hashFiles } from '../lib/hash-file.ts';
import { completeOptions } from '../passes/options.ts';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import type { Artifact, Verification } from '../protocol/package-facts.ts';
import { formatBytes } from '../report/format.ts';
import { checkArtifact } from './check-artifact.ts';
import { fitBudgets } from './device-profiles.ts';
import type { JobContext } from './job.ts';
import { writePackageFiles } from './package-files.ts';
import { replaceFolder } from './package-folder.ts';
import type { PackagedModel } from './packaged-model.ts';
import type { PackagingRequest } from './packaging.ts';
import type { TargetRow } from './target-table.ts';

/** What the artifacts of a package have in common. */
export interface Shared {
  readonly request: PackagingRequest;
  readonly engine: Engine;
  readonly models: readonly PackagedModel[];
  readonly scratch: string;
  readonly context: JobContext;
}

/** A row with nothing in it. */
export function emptyArtifact(target: string, path: string, models: number): Artifact {
  return {
    target,
    status: 'cancelled',
    path: '',
    bytes: 0,
    sha256: '',
    files: [],
    requires: {},
    verified: null,
    coverage: { nodes: 0, supported: 0, unsupported: [] },
    notes: [],
    ms: 0,
    ...(models > 1 ? { model: basename(path) } : {}),
  };
}

type Row = (rest: Partial<Artifact> & Pick<Artifact, 'status'>) => Artifact;

/** What goes wrong is a row with the error. Throws `cancelled` only. */
export async function makeArtifact(
  target: ArtifactTarget,
  packaged: PackagedModel,
  shared: Shared,
  watched: TargetRow,
): Promise<Artifact> {
  const { request, context, models } = shared;
  const start = performance.now();
  let coverage: Coverage = { nodes: 0, supported: 0, unsupported: [] };
  const row: Row = (rest) => ({
    ...emptyArtifact(target.id, packaged.path, models.length),
    ...rest,
    coverage: { ...coverage, unsupported: [...coverage.unsupported] },
    ms: performance.now() - start,
  });
  try {
    await watched.step('coverage');
    const options = completeOptions(target, request.options[target.id]);
    const targetContext: TargetContext = {
      engine: shared.engine,
      source: packaged.onnx,
      scratch: shared.scratch,
      prepared: packaged.prepared,
      preprocess: packaged.knowledge.preprocess,
      companions: models.filter((each) => each !== packaged).map(({ onnx }) => onnx),
      progress: (done, total, what) => watched.progress(done, total, what),
    };
    coverage = await target.coverage(packaged.model, options, targetContext);
    const { nodes, supported, unsupported } = coverage;
    if (!request.coverageOnly && unsupported.length > 0)
      context.log('warning', `${target.title}: it cannot express ${unsupported.length} of ${nodes} nodes.`);
    if (request.coverageOnly || unsupported.length > 0)
      return row({ status: unsupported.length > 0 ? 'unsupported' : 'made' });
    await watched.step('writing', { coverage: { nodes, supported } });
    return await replaceFolder(join(request.out, target.id, packaged.folder), async (folder) => {
      const made = await target.write(packaged.model, folder, options, targetContext);
      const written = { ...made, signature: withQuantization(made.signature, packaged.model) };
      await watched.step('checking', { bytes: await sizeOf(folder, written) });
      const parts = { target, options, folder, written, packaged, request, targetContext, row: watched, context };
      const verified = await checkArtifact(parts);
      const artifact = await finish(target, folder, written, verified, row, packaged, request.budget ?? null);
      for (const { profile, bytes, budget, fits } of fitBudgets([artifact], request.budget ?? null))
        if (!fits)
          context.log(
            'warning',
            `${target.title}: ${formatBytes(bytes)} is more than the ${formatBytes(budget)} of ${profile}.`,
          );
      return artifact;
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

/** The row of a package, and the files beside its artifact. */
async function finish(
  target: ArtifactTarget,
  folder: string,
  written: WrittenArtifact,
  verified: Verification,
  row: Row,
  { name, source, knowledge, data, folder: own }: PackagedModel,
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

/** Of the main file or folder on the disk, in bytes. */
async function sizeOf(folder: string, { path, files }: WrittenArtifact): Promise<number> {
  const parts = files.filter((file) => isPartOf(file, path));
  const sizes = await Promise.all(parts.map(async (file) => (await stat(join(folder, file))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** `path` is `whole`, or inside it when that is a folder. */
function isPartOf(path: string, whole: string): boolean {
  return path === whole || path.startsWith(`${whole}/`) || path.startsWith(`${whole}\\`);
}
