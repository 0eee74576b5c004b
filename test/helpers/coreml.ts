/** Core ML packages of models made in tests: written, read back and run in this process, beside the model on the engine. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { coreml } from '../../native-workers/artifacts/coreml.ts';
import { COREML_DEFAULTS, type CoremlOptions } from '../../native-workers/artifacts/coreml-options.ts';
import type { Coverage, TargetContext, WrittenArtifact } from '../../native-workers/artifacts/target.ts';
import type { MilFunction } from '../../native-workers/formats/coreml/program.ts';
import { readPackage } from '../../native-workers/formats/coreml/read-package.ts';
import { onnxBytes } from '../../native-workers/formats/onnx/write.ts';
import { Model } from '../../native-workers/graph/model.ts';
import type { Value } from '../../native-workers/graph/value.ts';
import type { Engine, Feeds, HostTensor } from '../../native-workers/lib/engine.ts';
import { numbersOf } from '../../native-workers/metrics/rows.ts';
import type { Preprocess } from '../../native-workers/protocol/request.ts';
import { openRuntime } from '../../native-workers/runtimes/coreml-artifact.ts';
import type { ModelBuilder } from './models.ts';
import { temporaryFolder } from './temp.ts';

function contextFor(engine: Engine, source: string, preprocess: Preprocess | null = null): TargetContext {
  const scratch = join(temporaryFolder(), 'scratch');
  mkdirSync(scratch);
  const prepared = (): Promise<never> => Promise.reject(new Error('Core ML prepares the model itself'));
  return { engine, source, scratch, prepared, preprocess, progress: async () => undefined };
}

export async function coverageOf(
  engine: Engine,
  model: Model,
  options: Partial<CoremlOptions> = {},
): Promise<Coverage> {
  return coreml.coverage(model, { ...COREML_DEFAULTS, ...options }, contextFor(engine, 'tiny.onnx'));
}

export interface WrittenPackage {
  readonly folder: string;
  readonly path: string;
  readonly written: WrittenArtifact;
  readonly main: MilFunction;
}

export async function writeCoreml(
  engine: Engine,
  model: Model,
  options: Partial<CoremlOptions> = {},
  source = 'tiny.onnx',
  preprocess: Preprocess | null = null,
): Promise<WrittenPackage> {
  const folder = temporaryFolder();
  const context = contextFor(engine, source, preprocess);
  const written = await coreml.write(model, folder, { ...COREML_DEFAULTS, ...options }, context);
  const path = join(folder, written.path);
  return { folder, path, written, main: readPackage(path).main };
}

/** Runs a written package. */
export async function runCoreml({ path, written }: WrittenPackage, feeds: Feeds): Promise<Feeds> {
  const session = await (await openRuntime()).open(path, written.signature, () => undefined);
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

/** The largest difference of any output from the model on the engine, as a part of the largest value of that output. */
export async function differenceOf(
  engine: Engine,
  model: Model,
  feeds: Feeds,
  options: Partial<CoremlOptions> = {},
): Promise<{ readonly largest: number; readonly package: WrittenPackage }> {
  const made = await writeCoreml(engine, model, options);
  const found = await runCoreml(made, feeds);
  const reference = await engine.open(onnxBytes(model), { threads: 1, optimization: 'disabled' });
  const expected = await reference.run(feeds);
  await reference.release();
  let largest = 0;
  for (const { name } of model.graph.outputs) {
    const [wanted, got] = [expected[name], found[name]].map((tensor) =>
      tensor === undefined ? null : Array.from(numbersOf(tensor) ?? []),
    );
    if (!wanted || !got || wanted.length !== got.length) return { largest: Number.POSITIVE_INFINITY, package: made };
    const scale = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
    wanted.forEach((value, index) => {
      const difference = Math.abs(value - (got[index] ?? Number.NaN)) / scale;
      largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(largest, difference);
    });
  }
  return { largest, package: made };
}

/** A feed of waves. */
export function waves(shape: readonly number[], frequency = 1): HostTensor {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return {
    dtype: 'float32',
    shape,
    data: Float32Array.from({ length: size }, (_, at) => Math.sin(frequency * (at + 1))),
  };
}

/** A model of operator set 21 with ONNX Runtime's own domain. */
export function finish(build: ModelBuilder, ...outputs: readonly Value[]): Model {
  build.graph.outputs.push(...outputs);
  const model = new Model(build.graph, 21, 10);
  model.opsets.set('com.microsoft', 1);
  return model;
}
