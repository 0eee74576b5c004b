/** What ships beside an artifact and stands in no model file: names of classes, preprocessing, licence. */
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runnableBatches } from '../datasets/batching.ts';
import { findClassList } from '../datasets/classes.ts';
import { imageInputOf, preprocessOf, resolveImageSpec } from '../datasets/image-spec.ts';
import { openDataset } from '../datasets/open-dataset.ts';
import { findPreprocess } from '../datasets/preprocess-file.ts';
import { seededInputs } from '../datasets/seeded-inputs.ts';
import { batchRuleOf, type ModelSignature, signatureOf } from '../datasets/signature.ts';
import type { Model } from '../graph/model.ts';
import type { Feeds } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';
import type { Preprocess } from '../protocol/request.ts';

/** Inputs that each artifact is checked on: made up, and the user's own. */
const SEEDED_INPUTS = 3;
const USER_INPUTS = 8;

const LICENSE_FILE = /^(licen[cs]e|copying|notice)([.-][\w.-]+)?$/i;
const LICENSE_KEYS = ['license', 'licence', 'License', 'general.license'];
/** A text larger than this is no licence. */
const MOST_LICENSE_BYTES = 1 << 20;

export interface Knowledge {
  readonly inputs: readonly Feeds[];
  readonly labels: readonly string[] | null;
  readonly preprocess: Preprocess | null;
  readonly license: { readonly name: string | null; readonly files: readonly string[] };
  readonly notes: readonly string[];
}

export interface KnowledgeRequest {
  readonly model: Model;
  readonly path: string;
  /** Where the model came from: files beside it belong to the model too. The folder of `path` unless said. */
  readonly origin: string;
  readonly data?: string | undefined;
  readonly preprocess?: Preprocess | undefined;
  readonly seed: number;
}

/** Throws what opening data throws, and `preprocess-invalid` and `labels-invalid` for files beside the model. */
export async function packageKnowledge(request: KnowledgeRequest): Promise<Knowledge> {
  const { model, path, origin, seed } = request;
  const signature = signatureOf(model);
  const inputs: Feeds[] = [];
  const rule = batchRuleOf(signature);
  const made = seededInputs(signature, SEEDED_INPUTS * (rule.kind === 'exactly' ? rule.size : 1), seed);
  for await (const batch of runnableBatches(made, signature, { batchSize: 1 })) {
    inputs.push(batch.feeds);
    if (inputs.length === SEEDED_INPUTS) break;
  }
  let labels: readonly string[] | null = null;
  let preprocess = request.preprocess ?? null;
  const notes: string[] = [];
  if (request.data !== undefined) {
    const data = await openDataset(request.data, signature, {
      model: origin,
      ...(request.preprocess === undefined ? {} : { preprocess: request.preprocess }),
    });
    try {
      for await (const batch of runnableBatches(data, signature, { batchSize: 1, limit: USER_INPUTS, seed }))
        inputs.push(batch.feeds);
      labels = data.classes;
      preprocess = data.preprocess ?? preprocess;
    } finally {
      await data.close();
    }
  }
  const folders = [dirname(origin)];
  preprocess ??= (await findPreprocess(folders))?.preprocess ?? null;
  preprocess = preprocess === null ? null : complete(preprocess, signature, notes);
  if (labels === null) {
    const found = await findClassList(folders);
    if (found !== null && classCounts(model).includes(found.names.length)) labels = found.names;
    else if (found !== null)
      notes.push(`${found.path} names ${found.names.length} classes, which is no size of an output; it is left out.`);
  }
  return { inputs, labels, preprocess, license: await findLicense(model, [dirname(origin), dirname(path)]), notes };
}

/**
 * With the defaults that follow from the model, where pictures go in, and what was assumed among the notes; as it is where none do, or
 * where it does not fit.
 */
function complete(preprocess: Preprocess, signature: ModelSignature, notes: string[]): Preprocess {
  if (imageInputOf(signature) === null || signature.inputs.length !== 1) return preprocess;
  try {
    const resolved = resolveImageSpec(signature, preprocess);
    notes.push(...resolved.notes.map(({ message }) => message));
    return { ...preprocess, ...preprocessOf(resolved.spec) };
  } catch (thrown) {
    if (thrown instanceof HoneError) return preprocess;
    throw thrown;
  }
}

/** Sizes of the last axes of the outputs. */
function classCounts(model: Model): number[] {
  return model.graph.outputs.flatMap(({ type }) => {
    const last = type?.kind === 'tensor' ? type.shape?.at(-1) : undefined;
    return typeof last === 'number' ? [last] : [];
  });
}

async function findLicense(model: Model, folders: readonly string[]): Promise<Knowledge['license']> {
  const name = LICENSE_KEYS.map((key) => model.metadata.get(key)).find((value) => value !== undefined) ?? null;
  for (const folder of folders) {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    const names = entries.filter((entry) => entry.isFile() && LICENSE_FILE.test(entry.name)).map((entry) => entry.name);
    const files: string[] = [];
    for (const file of names.sort().map((each) => join(folder, each))) {
      const { size } = await stat(file);
      if (size > 0 && size <= MOST_LICENSE_BYTES) files.push(file);
    }
    if (files.length > 0) return { name, files };
  }
  return { name, files: [] };
}
