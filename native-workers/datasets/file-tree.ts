/** The files of a data set, in a folder or in a zip archive, listed once and read one at a time. */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { hashFile } from '../lib/hash-file.ts';
import { ZipArchive } from '../lib/zip.ts';
import { HoneError, toHoneError } from '../protocol/errors.ts';

export interface TreeFile {
  /** Inside the tree, with forward slashes. */
  readonly path: string;
  readonly bytes: number;
}

export interface FileTree {
  /** Sorted by path in code unit order, hidden files and folders left out. */
  readonly files: readonly TreeFile[];
  /** Throws `data-unreadable` when the file is larger than `mostBytes`. */
  read(file: TreeFile, mostBytes: number): Promise<Buffer>;
  sha256(): Promise<string>;
  close(): Promise<void>;
}

export async function openTree(path: string): Promise<FileTree> {
  try {
    return (await stat(path)).isDirectory() ? await openFolder(path) : await openZip(path);
  } catch (thrown) {
    throw toHoneError(thrown);
  }
}

const byPath = (a: TreeFile, b: TreeFile): number => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);

/** Hidden files, and what macOS puts into archives. */
const isHidden = (path: string): boolean =>
  path.split('/').some((part) => part.startsWith('.') || part === '__MACOSX' || part === 'Thumbs.db');

async function openFolder(folder: string): Promise<FileTree> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files: TreeFile[] = [];
  for (const entry of entries) {
    // Links to files are followed, as many sample folders are made of them; links to folders are not, as they can be circles.
    if (!entry.isFile() && !entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    const inside = relative(folder, path).split(sep).join('/');
    if (isHidden(inside)) continue;
    const { size, isFile } = await stat(path).then(
      (found) => ({ size: found.size, isFile: found.isFile() }),
      () => ({ size: 0, isFile: false }),
    );
    if (isFile) files.push({ path: inside, bytes: size });
  }
  files.sort(byPath);
  return {
    files,
    read: async (file, mostBytes) => {
      if (file.bytes > mostBytes) throw tooLarge(file, mostBytes);
      try {
        return await readFile(join(folder, file.path));
      } catch (thrown) {
        throw toHoneError(thrown);
      }
    },
    sha256: async () => {
      const hash = createHash('sha256');
      for (const file of files) {
        const { sha256, bytes } = await hashFile(join(folder, file.path));
        hash.update(`${file.path}\0${bytes}\0${sha256}\n`);
      }
      return hash.digest('hex');
    },
    close: async () => undefined,
  };
}

async function openZip(path: string): Promise<FileTree> {
  const archive = await ZipArchive.open(path);
  const entries = new Map(archive.entries.filter((entry) => !isHidden(entry.path)).map((entry) => [entry.path, entry]));
  return {
    files: [...entries.values()].map((entry) => ({ path: entry.path, bytes: entry.bytes })).sort(byPath),
    read: async (file, mostBytes) => {
      const entry = entries.get(file.path);
      if (entry === undefined) throw new HoneError('file-missing', `${path} holds no ${file.path}.`);
      return archive.read(entry, mostBytes);
    },
    sha256: async () => (await hashFile(path)).sha256,
    close: async () => archive.close(),
  };
}

function tooLarge(file: TreeFile, mostBytes: number): HoneError {
  return new HoneError(
    'data-unreadable',
    `${file.path} is ${file.bytes} bytes long, more than the ${mostBytes} that a sample may have.`,
  );
}
