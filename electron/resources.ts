/**
 * What lies outside the app's archive: a plain Node and the worker, which no plain Node could read inside it. The archive's own
 * integrity check does not cover them, so the build puts their SHA-256 into the archive, and they are checked at the start.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { builtFolder } from '../native-workers/host/built.ts';
import { findWorker, type WorkerPath } from '../native-workers/host/worker-path.ts';
import { hashFile } from '../native-workers/lib/hash-file.ts';
import { HoneError } from '../native-workers/protocol/errors.ts';
import { HASHES } from './packaging/hashes.ts';

/** SHA-256 in hex by path from the resources folder, with forward slashes. */
const hashesSchema = z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/));

/** The parts of the app that are files outside the archive. */
export interface AppParts {
  readonly worker: WorkerPath;
  /** Folder of the built report view, which exported HTML carries; the worker needs it too. */
  readonly reportView: string;
}

/** From a checkout: what is built in `dist/`, and the Node of the npm package. Throws `worker-start-failed`. */
export async function findParts(packaged: boolean, resources: string): Promise<AppParts> {
  if (!packaged) return { worker: findWorker(), reportView: builtFolder('report-view') };
  await checkResources(resources, join(import.meta.dirname, HASHES));
  return { worker: findWorker({ resources }), reportView: join(resources, 'report-view') };
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
