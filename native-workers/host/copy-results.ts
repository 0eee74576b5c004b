/** The results of a run, copied where the user wants them: the models it made, its packages, its report, and what reproduces it. */
import { copyFile, cp, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { replaceFile, temporaryPathFor } from '../lib/atomic-file.ts';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import type { Manifest } from '../protocol/facts.ts';
import { ensureWritable } from './run-store.ts';

/** What the report stage writes. */
const DOCUMENTS = /^(report\.[a-z]+|recipe\.json|preprocess\.json)$/;

/** Where the package stage puts a folder for each target. */
const PACKAGES = 'package';

/**
 * Copies each file whole or not at all, under the path it has in the run folder; files of the same name are replaced. Throws
 * `disk-full`, `no-permission`.
 */
export async function copyResults(folder: string, manifest: Manifest, out: string): Promise<void> {
  if (resolve(out) === folder) return;
  const names = (await readdir(folder)).filter((name) => DOCUMENTS.test(name));
  for (const model of manifest.models) {
    if (model.parent !== null) names.push(...(await filesOf(folder, model.path)));
  }
  names.push(...(await filesUnder(folder, PACKAGES)));
  for (const name of names) {
    const to = join(out, name);
    await ensureWritable(dirname(to));
    await copyEntry(join(folder, name), to);
  }
}

/** A model and the files with its weights, which are named after it: `model.onnx` and `model.onnx.data`. */
async function filesOf(folder: string, path: string): Promise<string[]> {
  const full = resolve(folder, path);
  const inside = relative(folder, full);
  if (inside === '' || inside.startsWith('..') || isAbsolute(inside)) {
    throw new HoneError('run-corrupt', `A model of the run is outside its folder: ${path}`, { where: { file: path } });
  }
  const siblings = await readdir(dirname(full));
  const own = siblings.filter((name) => name === basename(full) || name.startsWith(`${basename(full)}.`));
  return own.map((name) => join(dirname(inside), name));
}

/** All files below a folder of the run, one by one: what stands beside them at the other place stays. None where it is not there. */
async function filesUnder(folder: string, name: string): Promise<string[]> {
  const entries = await readdir(join(folder, name), { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

async function copyEntry(from: string, to: string): Promise<void> {
  if ((await stat(from)).isFile()) {
    await replaceFile(to, (temporary) => copyFile(from, temporary));
    return;
  }
  const temporary = temporaryPathFor(to);
  try {
    await cp(from, temporary, { recursive: true });
    await rm(to, { recursive: true, force: true });
    await rename(temporary, to);
  } catch (thrown) {
    await rm(temporary, { recursive: true, force: true });
    throw toHoneError(thrown);
  }
}
