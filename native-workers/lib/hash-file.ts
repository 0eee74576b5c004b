/** SHA-256 of files of any size, in pieces. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { toHoneError } from '../protocol/errors.ts';

/** Hex digest and length of a file. Throws `file-missing`, `no-permission` and the like. */
export function hashFile(path: string): Promise<{ sha256: string; bytes: number }> {
  return hashFiles([path]);
}

/** Of several files as if they were one: a model and then its external data. */
export async function hashFiles(paths: readonly string[]): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for (const path of paths) {
      for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) {
        hash.update(piece);
        bytes += piece.length;
      }
    }
  } catch (thrown) {
    throw toHoneError(thrown);
  }
  return { sha256: hash.digest('hex'), bytes };
}
