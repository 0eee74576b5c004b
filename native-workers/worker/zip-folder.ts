/** A folder as a zip whose bytes depend on nothing but its files. */
import { createWriteStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import yazl from 'yazl';
import { replaceFile } from '../lib/atomic-file.ts';

/** Entries in the order of their names, with one fixed time. The zip is whole or not there. */
export async function zipFolder(folder: string, path: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const zip = new yazl.ZipFile();
  for (const file of files.sort()) {
    zip.addFile(file, relative(folder, file).replaceAll('\\', '/'), {
      // DOS times are local: the same clock reading in every time zone. The format's other stamp is not, and is left out.
      mtime: new Date(2000, 0, 1),
      forceDosTimestamp: true,
      mode: 0o100644,
    });
  }
  zip.end();
  await replaceFile(path, (temporary) => pipeline(zip.outputStream, createWriteStream(temporary)));
}
