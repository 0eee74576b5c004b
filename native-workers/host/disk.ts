/** Room on a disk. */
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Bytes that this user can still write where a folder is, or will be when it is made. */
export async function freeBytes(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch (thrown) {
    const missing = thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
    if (!missing || dirname(folder) === folder) throw thrown;
    return freeBytes(dirname(folder));
  }
}
