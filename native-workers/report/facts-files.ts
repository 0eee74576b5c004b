/** The manifest and the facts of a run folder, checked against their schemas. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { z } from 'zod';
import { HoneError } from '../protocol/errors.ts';
import {
  benchmarkFactsSchema,
  evaluateFactsSchema,
  inspectFactsSchema,
  type Manifest,
  manifestSchema,
  optimizeFactsSchema,
  type StageName,
} from '../protocol/facts.ts';
import { type PackageFacts, packageFactsSchema } from '../protocol/package-facts.ts';
import type { StageFacts } from './input.ts';

/** Throws `run-corrupt` when there is none that can be read. */
export async function readManifest(folder: string): Promise<Manifest> {
  return readChecked(join(folder, 'manifest.json'), manifestSchema);
}

/** The facts of every stage that is done; null for the others. Throws `run-corrupt` when a file of a done stage is bad. */
export async function readStageFacts(folder: string, manifest: Manifest): Promise<StageFacts> {
  const read = async <Facts>(name: StageName, schema: z.ZodType<Facts>): Promise<Facts | null> => {
    const stage = manifest.stages.find((row) => row.name === name);
    if (stage === undefined || stage.status !== 'done' || stage.file === undefined) return null;
    return readChecked(join(folder, basename(stage.file)), schema);
  };
  return {
    inspect: await read('inspect', inspectFactsSchema),
    optimize: await read('optimize', optimizeFactsSchema),
    evaluate: await read('evaluate', evaluateFactsSchema),
    benchmark: await read('benchmark', benchmarkFactsSchema),
    package: await read('package', packageFactsSchema),
  };
}

/** What a package stage made, one that was cancelled too; null where it made nothing. Throws likewise. */
export async function readPackageFacts(folder: string, { stages }: Manifest): Promise<PackageFacts | null> {
  const stage = stages.find(({ name }) => name === 'package');
  if (stage?.file === undefined) return null;
  return readChecked(join(folder, basename(stage.file)), packageFactsSchema);
}

async function readChecked<Value>(file: string, schema: z.ZodType<Value>): Promise<Value> {
  try {
    return schema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    throw new HoneError('run-corrupt', `${basename(file)} of the run cannot be read.`, { where: { file }, cause });
  }
}
