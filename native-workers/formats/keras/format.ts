/** Keras as a format of the registry: HDF5 files (`.h5`, `.keras` before Keras 3) and archives (`.keras`). */
import { HDF5_MARK } from '../../lib/hdf5/file.ts';
import { type Format, hasText } from '../format.ts';
import { CONFIG, METADATA } from './archive.ts';
import { readKeras } from './read.ts';

const isHdf5 = (head: Uint8Array): boolean => HDF5_MARK.every((byte, index) => head[index] === byte);

/** A zip archive whose first entry is Keras's (its name is at byte 30, APPNOTE 4.3.7), or that is called so: it may be packed anew. */
const isArchive = (head: Uint8Array, path: string): boolean =>
  hasText(head, 0, 'PK\x03\x04') &&
  ([METADATA, CONFIG].some((name) => hasText(head, 30, name)) || path.toLowerCase().endsWith('.keras'));

export const keras: Format = {
  id: 'keras',
  title: 'Keras',
  detect: (head, path) => isHdf5(head) || isArchive(head, path),
  read: readKeras,
};
