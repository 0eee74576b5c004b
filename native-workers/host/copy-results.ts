/** The results of a run, copied where the user wants them: the models it made, its report, and what reproduces it. */
import { copyFile, cp, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { replaceFile, temporaryPathFor } from '../lib/atomic-file.ts';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import type { Manifest } from '../protocol/facts.ts';
import { ensureWritable } from './run-store.ts';

/** What the report stage writes. */
const DOCUMENTS = /^(report\.[a-z]+|recipe\.json|preprocess\.json)$/;

/** Copies each file whole or not at all; files of the same name are replaced. Throws `disk-full`, `no-permission`. */
export async function copyResults(folder: string, manifest: Manifest, out: string): Promise<void> {
  await ensureWritable(out);
  for (const model of manifest.models) {
    if (model.parent === null) continue;
    const path = insideOf(folder, model.path);
    for (const name of await filesOf(path)) await copyEntry(join(dirname(path), name), join(out, name));
  }
  for (const name of await readdir(folder)) {
    if (DOCUMENTS.test(name)) await copyEntry(join(folder, name), join(out, name));
  }
}

function insideOf(folder: string, path: string): string {
  const full = resolve(folder, path);
  if (relative(folder, full).startsWith('..')) {
    throw new HoneError('run-corrupt', `A model of the run is outside its folder: ${path}`, { where: { file: path } });
  }
  return full;
}

/** A model and the files with its weights, which are named after it: `model.onnx` and `model.onnx.data`. */
async function filesOf(path: string): Promise<string[]> {
  const name = basename(path);
  return (await readdir(dirname(path))).filter((other) => other === name || other.startsWith(`${name}.`));
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
