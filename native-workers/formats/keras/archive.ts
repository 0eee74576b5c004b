/** A `.keras` archive of Keras 3: the configuration, and the weights, which stay in the archive where they are stored as they are. */
import { type FileSource, MemorySource } from '../../lib/bytes.ts';
import { Hdf5File } from '../../lib/hdf5/file.ts';
import { ZipArchive, type ZipEntry } from '../../lib/zip.ts';
import { HoneError, toHoneError } from '../../protocol/errors.ts';

/** Names in `saving_lib.py`. */
export const METADATA = 'metadata.json';
export const CONFIG = 'config.json';
const WEIGHTS = 'model.weights.h5';

const MOST_CONFIG = 64 * 1024 * 1024;
/** Compressed weights are unpacked into memory; Keras itself writes them uncompressed. */
const MOST_PACKED_WEIGHTS = 1024 * 1024 * 1024;

export interface KerasArchive {
  readonly config: string;
  /** Of Keras; null when the archive does not say. */
  readonly version: string | null;
  readonly weights: Hdf5File;
}

/** `source` is the archive as a file. Throws `file-corrupt`, `archive-unsafe`, and `format-unsupported` for an archive without what Keras puts in. */
export async function openArchive(source: FileSource, path: string): Promise<KerasArchive> {
  try {
    const archive = await ZipArchive.open(path);
    try {
      return await readEntries(archive, source);
    } finally {
      archive.close();
    }
  } catch (thrown) {
    const error = toHoneError(thrown);
    if (error.code !== 'data-unreadable') throw error;
    throw new HoneError('file-corrupt', error.message, { where: { file: path }, cause: thrown });
  }
}

async function readEntries(archive: ZipArchive, source: FileSource): Promise<KerasArchive> {
  const { path } = archive;
  const entry = (name: string): ZipEntry => {
    const found = archive.entries.find((each) => each.path === name);
    if (found !== undefined) return found;
    throw new HoneError('format-unsupported', `The archive has no ${name}, which every model that Keras 3 saves has.`, {
      where: { file: path },
    });
  };
  const config = (await archive.read(entry(CONFIG), MOST_CONFIG)).toString('utf8');
  const metadata = archive.entries.find((each) => each.path === METADATA);
  const about = metadata === undefined ? '' : (await archive.read(metadata, MOST_CONFIG)).toString('utf8');
  const weights = entry(WEIGHTS);
  const offset = await archive.offsetOf(weights);
  const file =
    offset === null
      ? new Hdf5File(new MemorySource(await archive.read(weights, MOST_PACKED_WEIGHTS)), path)
      : new Hdf5File(source, path, offset, weights.bytes);
  return { config, version: /"keras_version"\s*:\s*"([^"]*)"/.exec(about)?.[1] ?? null, weights: file };
}
