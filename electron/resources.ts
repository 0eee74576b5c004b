/**
 * What lies outside the app's archive: a plain Node and the worker, which no plain Node could read inside it. The archive's own
 * integrity check does not cover them, so the build puts their SHA-256 into the archive, and they are checked at the start.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { findWorker, type WorkerPath } from '../native-workers/host/worker-path.ts';
import { hashFile } from '../native-workers/lib/hash-file.ts';
import { HoneError } from '../native-workers/protocol/errors.ts';

/** In the folder of `main.js`; written by `electron/packaging/before-pack.ts`. */
export const HASHES = 'resources.json';

/** SHA-256 in hex by path from the resources folder, with forward slashes. */
export const hashesSchema = z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/));

/** From a checkout: the worker of `dist/`, and the Node of the npm package. Throws `worker-start-failed`. */
export async function appWorker(packaged: boolean, resources: string): Promise<WorkerPath> {
  if (!packaged) return findWorker();
  await checkResources(resources, join(import.meta.dirname, HASHES));
  return findWorker({ resources });
}

/** Throws `worker-start-failed` and names the first file that is missing or is not what was built. */
export async function checkResources(resources: string, hashes: string): Promise<void> {
  const expected = hashesSchema.parse(JSON.parse(await readFile(hashes, 'utf8')));
  await Promise.all(
    Object.entries(expected).map(async ([path, sha256]) => {
      const file = join(resources, path);
      const actual = await hashFile(file).catch(() => null);
      if (actual?.sha256 === sha256) return;
      const what = actual === null ? 'is missing' : 'is not the file that was built';
      throw new HoneError('worker-start-failed', `${path} of the app ${what}. Install Hone again.`, {
        where: { file },
      });
    }),
  );
}
