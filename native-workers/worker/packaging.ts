/**
 * Makes the packages of models: for each target its coverage, the artifact, the check on its own runtime, and what a mobile
 * team needs beside it. A target that fails is a row; what the others made is kept.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { findTarget } from '../artifacts/registry.ts';
import { hashFiles } from '../lib/hash-file.ts';
import { HoneError } from '../protocol/errors.ts';
import type { Artifact, PackageFacts } from '../protocol/package-facts.ts';
import type { Preprocess } from '../protocol/request.ts';
import { fitBudgets } from './device-profiles.ts';
import type { JobContext } from './job.ts';
import { emptyArtifact, makeArtifact } from './make-artifact.ts';
import { openModelEngine } from './model-engine.ts';
import { makeOutFolder, refuseForeign } from './package-folder.ts';
import { openPackagedModel, type PackagedModel } from './packaged-model.ts';
import { TargetTable } from './target-table.ts';
import { zipFolder } from './zip-folder.ts';

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

/**
 * `keep` gets the facts after each artifact, with those that are not made yet as cancelled: what stays when the job is ended
 * there. Throws what opening models and data throws, `invalid-options` for targets and folders that cannot be, and `cancelled`. A
 * target that cannot be made, for want of room on the disk too, is a row with the error.
 */
export async function makePackages(
  request: PackagingRequest,
  context: JobContext,
  keep: (facts: PackageFacts) => Promise<void> = async () => undefined,
): Promise<PackageFacts> {
  const targets = request.targets.map(findTarget);
  const paths = [request.model, ...(request.with ?? [])];
  refuseRepeated(request.targets, 'target');
  refuseRepeated(paths, 'model');
  if (!request.coverageOnly) {
    await makeOutFolder(request.out);
    for (const { id } of targets) await refuseForeign(join(request.out, id));
  }
  const table = new TargetTable(context);
  const rows = targets.flatMap((target) =>
    paths.map((path) => ({
      target,
      path,
      watched: table.add(target.id, target.title, paths.length > 1 ? basename(path) : undefined),
    })),
  );
  await context.progress({ phase: 'opening the model', done: 0, total: rows.length });
  const engine = await openModelEngine();
  const scratch = await mkdtemp(join(tmpdir(), 'package-'));
  try {
    const models = new Map<string, PackagedModel>();
    for (const path of paths)
      models.set(path, await openPackagedModel(path, request, [...models.values()], engine, scratch));
    const shared = { request, engine, models: [...models.values()], scratch, context };
    const artifacts: Artifact[] = [];
    const zips: NonNullable<PackageFacts['zips']> = [];
    const facts = (): PackageFacts => ({
      artifacts: [
        ...artifacts,
        ...rows.slice(artifacts.length).map(({ target, path }) => emptyArtifact(target.id, path, paths.length)),
      ],
      sizes: fitBudgets(artifacts, request.budget ?? null),
      ...(request.zip ? { zips: [...zips] } : {}),
    });
    for (const [index, { target, path, watched }] of rows.entries()) {
      await keep(facts());
      const artifact = await makeArtifact(target, models.get(path) as PackagedModel, shared, watched);
      artifacts.push(artifact);
      watched.end(artifact);
      const isLast = rows[index + 1]?.target !== target;
      if (request.zip && isLast && artifacts.some((each) => each.target === target.id && each.path !== ''))
        zips.push(await zipTarget(target.id, request.out));
    }
    await rows.at(-1)?.watched.progress(rows.length, rows.length);
    return facts();
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function refuseRepeated(names: readonly string[], what: string): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new HoneError('invalid-options', `The ${what} ${twice} is listed twice.`);
}

async function zipTarget(target: string, out: string): Promise<NonNullable<PackageFacts['zips']>[number]> {
  const path = `${target}.zip`;
  await zipFolder(join(out, target), join(out, path));
  return { target, path, ...(await hashFiles([join(out, path)])) };
}
