/** Opens a data set of any kind: looks at what is there, not at how it is called where that can be helped. */
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import type { Preprocess } from '../protocol/request.ts';
import { AUDIO_FILES, openAudio } from './audio.ts';
import { makeDataset } from './batching.ts';
import { findClassList } from './classes.ts';
import type { Dataset, DatasetNote, SampleSource } from './dataset.ts';
import { openTree } from './file-tree.ts';
import { finiteSamples } from './finite.ts';
import { IMAGE_FILES, openImages } from './images.ts';
import { keptRows } from './kept-rows.ts';
import { openNpz } from './npz.ts';
import { findPreprocess } from './preprocess-file.ts';
import type { ModelSignature } from './signature.ts';
import { openTable } from './table.ts';

export interface OpenOptions {
  readonly preprocess?: Preprocess;
  /** Path of the model: a preprocessing, a tokenizer or class names may lie beside it. */
  readonly model?: string;
  /** Skips samples with a number that is NaN or infinite. */
  readonly finite?: boolean;
  /** A folder that outlives the data set: what takes long to decode is kept there for the next walk. */
  readonly keepIn?: string;
}

/**
 * Throws `file-missing`, `data-empty`, `data-unreadable`, `data-mismatch` (naming the inputs that the data lacks),
 * `labels-invalid`, `preprocess-invalid`, `archive-unsafe`.
 */
export async function openDataset(
  path: string,
  signature: ModelSignature,
  options: OpenOptions = {},
): Promise<Dataset> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(path)).isDirectory();
  } catch (thrown) {
    throw toHoneError(thrown);
  }
  const folders = [isFolder ? path : dirname(path), ...(options.model === undefined ? [] : [dirname(options.model)])];
  const notes: DatasetNote[] = [];
  const preprocess = options.preprocess ?? (await preprocessBeside(folders, notes));
  const source = await openSource({ path, isFolder, signature, preprocess, folders });
  const noted = { ...source, notes: [...notes, ...source.notes] };
  const usable = options.finite === true ? finiteSamples(noted) : noted;
  const decoded = source.kind === 'images' || source.kind === 'wav';
  return makeDataset(decoded && options.keepIn !== undefined ? keptRows(usable, options.keepIn) : usable);
}

async function preprocessBeside(folders: readonly string[], notes: DatasetNote[]): Promise<Preprocess> {
  const found = await findPreprocess(folders);
  if (found === null) return {};
  notes.push({ code: 'preprocess-from-file', message: `The preprocessing is that of ${found.path}.` });
  return found.preprocess;
}

interface SourceRequest {
  readonly path: string;
  readonly isFolder: boolean;
  readonly signature: ModelSignature;
  readonly preprocess: Preprocess;
  /** Where files that belong to the data may lie. */
  readonly folders: readonly string[];
}

async function openSource(request: SourceRequest): Promise<SampleSource> {
  const { path, isFolder, signature, preprocess, folders } = request;
  const classList = await findClassList(folders);
  const kind = isFolder ? 'folder' : path.slice(path.lastIndexOf('.') + 1).toLowerCase();
  if (kind === 'npz') return openNpz(path, signature, preprocess, classList);
  if (kind === 'csv' || kind === 'jsonl') return openTable(path, kind, signature, preprocess, classList, folders);
  if (kind !== 'folder' && kind !== 'zip') {
    throw new HoneError(
      'data-unreadable',
      `${path} is of no kind that Hone reads: .zip, .npz, .jsonl, .csv or a folder.`,
      {
        where: { file: path },
      },
    );
  }
  const tree = await openTree(path);
  try {
    if (tree.files.some((file) => IMAGE_FILES.test(file.path))) {
      return await openImages(path, tree, signature, preprocess, classList);
    }
    if (tree.files.some((file) => AUDIO_FILES.test(file.path))) {
      return await openAudio(path, tree, signature, preprocess, classList);
    }
    const tables = tree.files.filter((file) => /^[^/]+\.(npz|jsonl|csv)$/i.test(file.path));
    const only = tables[0];
    if (isFolder && only !== undefined && tables.length === 1) {
      await tree.close();
      return openSource({ ...request, path: join(path, only.path), isFolder: false });
    }
    throw new HoneError('data-empty', `${path} holds no pictures, no sounds and no single table of samples.`, {
      where: { file: path },
    });
  } catch (thrown) {
    await tree.close();
    throw thrown;
  }
}
