/** Calls of functions that stand in the file, as exporters write them, replaced by their bodies: by the engine's own inlining. */
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Model } from '../../graph/model.ts';
import type { Engine } from '../../lib/engine.ts';
import { readOnnx } from './read.ts';
import { writeOnnx } from './write.ts';

/** The model as it is where it has no functions. Its weights are read from a file in `scratch`, which must stay. */
export async function inlineFunctions(model: Model, engine: Engine, scratch: string): Promise<Model> {
  if (model.functions.length === 0) return model;
  const folder = await mkdtemp(join(scratch, 'functions-'));
  const source = join(folder, 'model.onnx');
  await writeOnnx(model, source);
  const path = join(folder, 'inlined.onnx');
  const session = await engine.open(source, { optimization: 'disabled', optimizedModelPath: path });
  await session.release();
  return readOnnx(path);
}
