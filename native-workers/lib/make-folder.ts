/**
 * Makes a folder and those above it. Node's own `mkdir` with `recursive` never returns where a parent exists but takes no
 * folders and answers "not found" (`/proc/x` on Linux): it makes the parent, finds it there, and tries again for ever.
 */
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Does nothing when the folder is there. Throws the error of the system otherwise, such as ENOTDIR or EACCES. */
export function makeFolder(path: string): void {
  if (!made(path)) {
    const parent = dirname(path);
    if (parent !== path) makeFolder(parent);
    mkdirSync(path);
  }
}

/** False when a folder above is missing. */
function made(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(path).isDirectory()) return true;
    if (code === 'ENOENT') return false;
    throw thrown;
  }
}
