/**
 * Run folders on disk: `<library>/runs/<id>/` with `manifest.json`, `NN-<stage>.json`, artifacts, `report.json` and `log.txt`.
 * Everything about a run is in its folder; it can be copied, opened anywhere, and deleted by hand.
 */

import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { access, constants, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { removeTemporaryFiles, writeFileAtomic } from '../lib/atomic-file.ts';
import { makeFolder } from '../lib/make-folder.ts';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import { type Manifest, manifestSchema, STAGES, type StageName } from '../protocol/facts.ts';
import { schemaText } from '../protocol/schema-text.ts';
import { RUN_SCHEMA_VERSION } from '../protocol/version.ts';
import { isLocked, RunLock } from './lock.ts';
import { SCRATCH_PREFIX } from './supervisor.ts';

export const MANIFEST = 'manifest.json';
export const REPORT = 'report.json';
export const LOG = 'log.txt';

/** A run that is being deleted: no longer listed, whatever happens to the rest of it. */
const DELETED_PREFIX = '.deleted-';

/** Where runs are kept: `HONE_LIBRARY`, or the folder that the platform has for data of programs. */
export function defaultLibrary(env: NodeJS.ProcessEnv = process.env): string {
  const chosen = env['HONE_LIBRARY'];
  if (chosen !== undefined && chosen !== '') return resolve(chosen);
  if (process.platform === 'win32') return join(env['APPDATA'] ?? join(homedir(), 'AppData', 'Roaming'), 'Hone');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'Hone');
  return join(env['XDG_DATA_HOME'] || join(homedir(), '.local', 'share'), 'hone');
}

/** `02-optimize.json`; the report's facts are `report.json` itself. */
export function stageFile(stage: StageName): string {
  if (stage === 'report') return REPORT;
  return `${String(STAGES.indexOf(stage) + 1).padStart(2, '0')}-${stage}.json`;
}

const ID_ALPHABET = '23456789abcdefghjkmnpqrstuvwxyz';

/** Sorts by time, is unique, and can be read: `20260314-092653-k7mq-mobilenet-v2`. */
export function newRunId(model: string, now = new Date()): string {
  const time = now.toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15);
  const random = Array.from({ length: 4 }, () => ID_ALPHABET[randomInt(ID_ALPHABET.length)]).join('');
  const name = basename(model).replace(/\.[^.]*$/, '');
  const slug = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  return [time, random, slug.slice(0, 40).replaceAll(/^-+|-+$/g, '') || 'model'].join('-');
}

/** Makes the folder of a new run. Throws `no-permission`, `disk-full`. */
export async function createRunFolder(library: string, id: string): Promise<string> {
  const folder = join(library, 'runs', id);
  try {
    makeFolder(join(library, 'runs'));
    await mkdir(folder);
  } catch (thrown) {
    throw folderError(thrown, library);
  }
  return folder;
}

/** A regular file where a folder should be is for the user what a folder without permission is. */
function folderError(thrown: unknown, library: string): HoneError {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  if (code !== 'ENOTDIR' && code !== 'EEXIST') return toHoneError(thrown);
  return new HoneError('no-permission', 'The library is no folder that can be written.', {
    where: { file: library },
    cause: thrown,
  });
}

export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  await writeFileAtomic(join(folder, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
}

const versionSchema = z.object({ schema: z.number() });

/**
 * Reads what a run is and how far it came. A run that says it is running, while no process works on it, is `interrupted`.
 * Throws `run-corrupt` and names the file, `report-version` for a run of a newer Hone, `unknown-run` for no run folder.
 */
export async function readManifest(folder: string): Promise<Manifest> {
  const file = join(folder, MANIFEST);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (thrown) {
    const error = toHoneError(thrown);
    if (error.code !== 'file-missing') throw error;
    throw new HoneError('unknown-run', `There is no ${MANIFEST} in ${folder}.`, { where: { file }, cause: thrown });
  }
  const data = parse(text, file);
  const version = versionSchema.safeParse(data);
  if (version.success && version.data.schema > RUN_SCHEMA_VERSION) {
    const message = `The run has schema ${version.data.schema}; this Hone reads up to ${RUN_SCHEMA_VERSION}.`;
    throw new HoneError('report-version', message, { where: { file } });
  }
  const manifest = manifestSchema.safeParse(data);
  if (!manifest.success) {
    throw new HoneError('run-corrupt', `${MANIFEST} is damaged: ${schemaText(manifest.error)}`, {
      where: { file },
    });
  }
  return manifest.data.status === 'running' && !isLocked(folder) ? interrupted(manifest.data) : manifest.data;
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw new HoneError('run-corrupt', `${basename(file)} is no JSON.`, { where: { file }, cause: thrown });
  }
}

function interrupted(manifest: Manifest): Manifest {
  const stages = manifest.stages.map((row) =>
    row.status === 'running'
      ? { ...row, status: 'pending' as const, reason: 'The process that did this stage ended before it was done.' }
      : row,
  );
  return { ...manifest, status: 'interrupted', stages };
}

/** Ids of the runs in a library, newest first. A folder without a manifest is none, or one that begins at this moment. */
export async function runIds(library: string): Promise<string[]> {
  const runs = join(library, 'runs');
  try {
    const entries = await readdir(runs, { withFileTypes: true });
    const ids = entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => entry.name)
      .filter((id) => existsSync(join(runs, id, MANIFEST)));
    return ids.sort((a, b) => (a < b ? 1 : -1));
  } catch (thrown) {
    const error = toHoneError(thrown);
    if (error.code === 'file-missing') return [];
    throw folderError(thrown, library);
  }
}

/** The folder of a run by its id, the beginning of its id that no other has, `latest`, or its path. Throws `unknown-run`. */
export async function findRun(library: string, idOrPath: string): Promise<string> {
  const ids = await runIds(library);
  const [newest] = ids;
  if (idOrPath === 'latest' && newest !== undefined) return join(library, 'runs', newest);
  const matches = ids.includes(idOrPath) ? [idOrPath] : ids.filter((id) => idOrPath !== '' && id.startsWith(idOrPath));
  const [match] = matches;
  if (match !== undefined && matches.length === 1) return join(library, 'runs', match);
  if (matches.length > 1) {
    throw new HoneError(
      'unknown-run',
      `${matches.length} runs begin with ${idOrPath}: ${matches.slice(0, 5).join(', ')}`,
    );
  }
  if (isAbsolute(idOrPath) || /[\\/]|^\.+$/.test(idOrPath)) {
    const folder = resolve(idOrPath);
    if (existsSync(join(folder, MANIFEST))) return folder;
  }
  throw new HoneError('unknown-run', idOrPath === 'latest' ? 'There is no run yet.' : `There is no run ${idOrPath}.`);
}

/** Removes what a killed process left in a run folder; only with the lock. */
export async function removeLeftovers(folder: string): Promise<void> {
  await removeTemporaryFiles(folder);
  const names = await readdir(folder);
  const scratch = names.filter((name) => name.startsWith(SCRATCH_PREFIX));
  await Promise.all(scratch.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}

/** Deletes a run of the library. Throws `run-locked` while a process works on it. */
export async function deleteRunFolder(library: string, id: string): Promise<void> {
  const folder = join(library, 'runs', id);
  if (!(await runIds(library)).includes(id)) throw new HoneError('unknown-run', `There is no run ${id}.`);
  // Windows does not rename a folder with an open file in it, so the lock is let go just before.
  RunLock.acquire(folder).release();
  const doomed = join(library, 'runs', `${DELETED_PREFIX}${id}`);
  try {
    await rm(doomed, { recursive: true, force: true });
    await rename(folder, doomed);
    await rm(doomed, { recursive: true, force: true, maxRetries: 3 });
  } catch (thrown) {
    throw toHoneError(thrown);
  }
}

/** Makes a folder, if needed, and sees that files can be written there. Throws `no-permission` and the like. */
export async function ensureWritable(folder: string): Promise<void> {
  try {
    makeFolder(folder);
    await access(folder, constants.W_OK);
  } catch (thrown) {
    throw folderError(thrown, folder);
  }
}
