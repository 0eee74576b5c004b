/** Passes run outside a job: with the real engine, a scratch folder of their own, and no host. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { onnxBytes } from '../../native-workers/formats/onnx/write.ts';
import type { Model } from '../../native-workers/graph/model.ts';
import type { Tensor } from '../../native-workers/graph/tensor.ts';
import { toNumbers } from '../../native-workers/graph/tensor-values.ts';
import { validate } from '../../native-workers/graph/validate.ts';
import type { Value } from '../../native-workers/graph/value.ts';
import type { Engine, Feeds, HostTensor, SessionOptions } from '../../native-workers/lib/engine.ts';
import { Random } from '../../native-workers/lib/random.ts';
import { completeOptions } from '../../native-workers/passes/options.ts';
import {
  type CalibrationData,
  NO_MEMORY,
  type Pass,
  type PassContext,
  type PassOutcome,
} from '../../native-workers/passes/pass.ts';
import { openEngine } from '../../native-workers/runtimes/onnxruntime.ts';
import { modelOpener, typesOf } from '../../native-workers/worker/engine-models.ts';

export const engine: Engine = await openEngine();

const scratch = mkdtempSync(join(tmpdir(), 'hone-passes-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

export function passContext(changes: Partial<PassContext> = {}): PassContext {
  return {
    engine,
    open: modelOpener(engine, scratch),
    types: typesOf(engine, scratch),
    calibration: null,
    trial: null,
    memory: NO_MEMORY,
    random: new Random(1),
    earlier: [],
    scratch,
    progress: async () => undefined,
    log: () => undefined,
    ...changes,
  };
}

/** Runs a pass as a recipe would, and proves that the graph it leaves is valid. */
export async function runPass<Options extends object>(
  pass: Pass<Options>,
  model: Model,
  options: Partial<Options> = {},
  changes: Partial<PassContext> = {},
): Promise<PassOutcome> {
  const outcome = await pass.run(model, completeOptions(pass, options), passContext(changes));
  validate(model);
  return outcome;
}

/** The counts of an outcome that must be `changed`. */
export function countsOf(outcome: PassOutcome): Readonly<Record<string, number>> {
  if (outcome.status !== 'changed') throw new Error(`The pass is ${outcome.status}: ${outcome.reason}`);
  return outcome.counts;
}

/** Messages of the notes of an outcome. */
export function messagesOf(outcome: PassOutcome): string[] {
  return (outcome.notes ?? []).map(({ message }) => message);
}

/** Operator types of the graph and its subgraphs, in file order. */
export function operators(model: Model): string[] {
  return [...model.graph.allNodes()].map((node) =>
    node.domain === '' ? node.opType : `${node.domain}:${node.opType}`,
  );
}

export async function runModel(model: Model, feeds: Feeds, options: SessionOptions = {}): Promise<Feeds> {
  const session = await engine.open(onnxBytes(model), options);
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

export function float32(shape: readonly number[], values: ArrayLike<number>): HostTensor {
  return { dtype: 'float32', shape, data: Float32Array.from(Array.from(values)) };
}

/** Normal values, the same at every call with the same seed. */
export function normal(shape: readonly number[], seed = 1): HostTensor {
  const random = new Random(seed);
  const size = shape.reduce((all, dim) => all * dim, 1);
  return float32(
    shape,
    Array.from({ length: size }, () => random.normal()),
  );
}

export function numbers(tensor: HostTensor | Tensor | null | undefined): number[] {
  if (tensor === null || tensor === undefined) throw new Error('There is no tensor.');
  if ('bytes' in tensor) return toNumbers(tensor);
  return Array.from(tensor.data as ArrayLike<number | bigint>, Number);
}

/** The largest difference of two tensors, as a share of the largest magnitude of the first. */
export function relativeDifference(expected: HostTensor | undefined, actual: HostTensor | undefined): number {
  const before = numbers(expected);
  const after = numbers(actual);
  if (before.length !== after.length) throw new Error(`${before.length} elements became ${after.length}.`);
  let largest = 1e-12;
  let difference = 0;
  before.forEach((value, index) => {
    largest = Math.max(largest, Math.abs(value));
    const apart = Math.abs(value - (after[index] ?? Number.NaN));
    // A NaN stays, and no bound accepts it.
    difference = Math.max(difference, apart);
  });
  return difference / largest;
}

export function initializer(model: Model, name: string): Value {
  const found = [...model.graph.initializers].find((value) => value.name === name);
  if (found === undefined) throw new Error(`There is no initializer ${name}.`);
  return found;
}

export function calibrationOf(batches: readonly Feeds[]): CalibrationData {
  return {
    samples: batches.length,
    random: false,
    async *batches() {
      yield* batches;
    },
  };
}
