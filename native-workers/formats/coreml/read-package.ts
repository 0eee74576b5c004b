/** Reads an `.mlpackage` with an ML Program back: what its manifest lists, the weights left in their file until asked for. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import { z } from 'zod';
import { FileSource } from '../../lib/bytes.ts';
import { ProtobufReader } from '../../lib/protobuf-reader.ts';
import { HoneError } from '../../protocol/errors.ts';
import { ProgramReader, type ReadProgram } from './read-program.ts';

const manifestSchema = z.object({
  fileFormatVersion: z.string(),
  itemInfoEntries: z.record(
    z.string(),
    z.object({ author: z.string(), description: z.string(), name: z.string(), path: z.string() }),
  ),
  rootModelIdentifier: z.string(),
});

/** Throws `file-corrupt`, `file-truncated` and `format-unsupported` for what is no ML Program. */
export function readPackage(path: string): ReadProgram {
  const model = modelPath(path);
  const source = new FileSource(model);
  const weights = join(model, '..', 'weights', 'weight.bin');
  const blobs = existsSync(weights) ? new FileSource(weights) : null;
  try {
    return new ProgramReader(blobs).model(new ProtobufReader(source));
  } finally {
    source.close();
    blobs?.close();
  }
}

function modelPath(path: string): string {
  const corrupt = (message: string): HoneError => new HoneError('file-corrupt', message, { where: { file: path } });
  let parsed: ReturnType<typeof manifestSchema.safeParse>;
  try {
    parsed = manifestSchema.safeParse(JSON.parse(readFileSync(join(path, 'Manifest.json'), 'utf8')));
  } catch {
    throw corrupt('The package has no readable Manifest.json.');
  }
  if (!parsed.success) throw corrupt('The manifest of the package is not as it should be.');
  const root = parsed.data.itemInfoEntries[parsed.data.rootModelIdentifier];
  if (root === undefined) throw corrupt('The manifest names a model that it does not list.');
  const data = resolve(path, 'Data');
  for (const item of Object.values(parsed.data.itemInfoEntries)) {
    const target = resolve(data, item.path);
    if (!target.startsWith(data + sep)) throw corrupt('The manifest points out of the package.');
    if (!existsSync(target)) throw corrupt(`The package lacks ${item.path}.`);
  }
  return resolve(data, root.path);
}
