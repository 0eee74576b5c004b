/** One model of a package, opened once for all targets, with what they need of it. */
import { basename } from 'node:path';
import { artifactName, freeName } from '../artifacts/file-name.ts';
import type { PreparedModel } from '../artifacts/target.ts';
import { openModel } from '../formats/registry.ts';
import type { Model } from '../graph/model.ts';
import type { Engine } from '../lib/engine.ts';
import { hashFiles } from '../lib/hash-file.ts';
import { onnxPathOf } from './model-engine.ts';
import { type Knowledge, packageKnowledge } from './package-knowledge.ts';
import type { PackagingRequest } from './packaging.ts';
import { prepareModel } from './prepare-model.ts';

export interface PackagedModel {
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

const NOTHING_KNOWN: Knowledge = {
  inputs: [],
  labels: null,
  preprocess: null,
  license: { name: null, files: [] },
  notes: [],
};

/** `before`: the models of the package that were opened already. Throws what opening models and data throws. */
export async function openPackagedModel(
  path: string,
  request: PackagingRequest,
  before: readonly PackagedModel[],
  engine: Engine,
  scratch: string,
): Promise<PackagedModel> {
  const isFirst = before.length === 0;
  const model = await openModel(path);
  const { sha256, bytes } = await hashFiles([path]);
  const knowledge = request.coverageOnly
    ? NOTHING_KNOWN
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
