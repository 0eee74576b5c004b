/**
 * Files that are there whole or not at all. A writer fills a temporary file in the same folder, flushes it to the disk and
 * renames it over the target, so that a reader sees the complete old file or the complete new one, whatever dies in between.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { toHoneError } from '../protocol/errors.ts';

/** `.manifest.json.3f9c01ab.tmp`: hidden, beside its target, and recognised by `removeTemporaryFiles`. */
const TEMPORARY = /^\..+\.[0-9a-f]{8}\.tmp$/;

export function temporaryPathFor(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}.tmp`);
}

/**
 * Writes a whole file. Throws `disk-full`, `no-permission` or `file-missing` (no such folder); the old file is then as it was
 * and no partial file is left.
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  await replaceFile(path, async (temporary) => {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(data);
    } finally {
      await file.close();
    }
  });
}

/** Replaces a file with what `write` puts at the temporary path it is given. Throws as `writeFileAtomic` does. */
export async function replaceFile(path: string, write: (temporary: string) => Promise<void> | void): Promise<void> {
  const temporary = temporaryPathFor(path);
  try {
    await write(temporary);
    await flush(temporary);
    await renameOver(temporary, path);
  } catch (thrown) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw toHoneError(thrown);
  }
  await flushFolder(dirname(path));
}

/** Removes what a killed writer left in a folder; call it only while nothing else writes there. */
export async function removeTemporaryFiles(folder: string): Promise<void> {
  const names = await readdir(folder);
  await Promise.all(
    names.filter((name) => TEMPORARY.test(name)).map((name) => rm(join(folder, name), { force: true })),
  );
}

async function flush(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A rename is on the disk only when its folder is. Windows cannot open folders, and some file systems refuse to flush them. */
async function flushFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  let file: FileHandle | undefined;
  try {
    file = await open(folder, 'r');
    await file.sync();
  } catch {
    // The new file is complete either way; only a power cut in the next moments could bring back the old one.
  } finally {
    await file?.close();
  }
}

/** Virus scanners and indexers on Windows hold a new file for a moment, and a rename over it fails meanwhile. */
const SHARING_ERRORS = new Set(['EPERM', 'EACCES', 'EBUSY']);
const RENAME_ATTEMPTS = 10;

async function renameOver(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await rename(from, to);
      return;
    } catch (thrown) {
      const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
      const again = process.platform === 'win32' && SHARING_ERRORS.has(code) && attempt < RENAME_ATTEMPTS;
      if (!again) throw thrown;
      await sleep(20 * attempt);
    }
  }
}
