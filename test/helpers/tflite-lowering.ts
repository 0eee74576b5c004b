/** A model through the TFLite writer and LiteRT, against ONNX Runtime on the same inputs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { onnxBytes } from '../../native-workers/formats/onnx/write.ts';
import { type Conversion, convert } from '../../native-workers/formats/tflite/convert.ts';
import type { TflGraph } from '../../native-workers/formats/tflite/ir.ts';
import { readTflite } from '../../native-workers/formats/tflite/read.ts';
import { writeTflite } from '../../native-workers/formats/tflite/write.ts';
import { cloneModel } from '../../native-workers/graph/clone.ts';
import type { Model } from '../../native-workers/graph/model.ts';
import { validate } from '../../native-workers/graph/validate.ts';
import type { Feeds } from '../../native-workers/lib/engine.ts';
import { LiteRt } from '../../native-workers/runtimes/litert.ts';
import { openEngine } from '../../native-workers/runtimes/onnxruntime.ts';
import { Comparison, type Difference } from '../../native-workers/verify/compare.ts';
import { prepareModel } from '../../native-workers/worker/prepare-model.ts';
import { temporaryFolder } from './temp.ts';

const engine = await openEngine();
let runtime: Promise<LiteRt> | null = null;
const log: string[] = [];

export async function converted(model: Model): Promise<Conversion> {
  const prepared = await prepareModel(model, engine, temporaryFolder());
  return convert(prepared.model, prepared.typeOf);
}

/** The file that a model becomes, opened again and run on ONNX Runtime, against the model itself. Throws as below. */
export async function readBack(model: Model, feeds: Feeds): Promise<Difference> {
  const { graph, path } = await written(model);
  const back = readTflite(path);
  validate(back);
  const comparison = new Comparison();
  const given = graph.inputs.flatMap(({ source, name }) => (feeds[source] ? [[name, feeds[source]] as const] : []));
  const results = await run(back, Object.fromEntries(given));
  const actual = graph.outputs.flatMap(({ source, name }) => (results[name] ? [[source, results[name]] as const] : []));
  comparison.add(await run(model, feeds), Object.fromEntries(actual));
  return comparison.result();
}

async function run(model: Model, feeds: Feeds): Promise<Feeds> {
  const session = await engine.open(onnxBytes(cloneModel(model).model));
  const results = await session.run(feeds);
  await session.release();
  return results;
}

async function written(model: Model): Promise<{ graph: TflGraph; path: string }> {
  const { graph, refused } = await converted(model);
  if (graph === null) throw new Error(refused.map(({ type, reason }) => `${type}: ${reason}`).join('; '));
  const path = join(temporaryFolder(), 'model.tflite');
  writeTflite(graph, path);
  return { graph, path };
}

/** Throws for a model that is not converted, or that LiteRT does not run without an ERROR line. */
export async function againstOnnxRuntime(model: Model, feeds: Feeds): Promise<Difference> {
  const expected = await run(model, feeds);
  const { graph, path } = await written(model);
  runtime ??= LiteRt.create({ log: (line) => log.push(line) });
  log.length = 0;
  const artifact = await (await runtime).open(readFileSync(path));
  const given = graph.inputs.flatMap(({ source, name }) => (feeds[source] ? [[name, feeds[source]] as const] : []));
  const results = await artifact.run(Object.fromEntries(given));
  artifact.release();
  const error = log.find((line) => /\bERROR\b/.test(line));
  if (error !== undefined) throw new Error(error);
  const comparison = new Comparison();
  const actual = graph.outputs.flatMap(({ source, name }) => (results[name] ? [[source, results[name]] as const] : []));
  comparison.add(expected, Object.fromEntries(actual));
  return comparison.result();
}

/** Whether all outputs are there, and within `tolerance` of the largest. */
export function agrees({ missing, maxAbs, reference }: Difference, tolerance = 1e-5): boolean {
  return missing.length === 0 && maxAbs <= tolerance * Math.max(reference, 1);
}
