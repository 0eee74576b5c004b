/** A child process of `runConformance`: rewrites the model of a test with Hone, runs it, and compares with the expected outputs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readOnnx } from '../../native-workers/formats/onnx/read.ts';
import { onnxBytes } from '../../native-workers/formats/onnx/write.ts';
import type { Model } from '../../native-workers/graph/model.ts';
import { toHostTensor } from '../../native-workers/graph/tensor-values.ts';
import type { Feeds, HostTensor } from '../../native-workers/lib/engine.ts';
import { halfToFloat } from '../../native-workers/lib/half.ts';
import { HoneError } from '../../native-workers/protocol/errors.ts';
import { openEngine } from '../../native-workers/runtimes/onnxruntime.ts';
import { applyRecipe } from '../../native-workers/worker/apply-recipe.ts';
import { modelOpener, typesOf } from '../../native-workers/worker/engine-models.ts';
import { areClose, type Outcome, testTensor } from './conformance.ts';

const folder = process.argv[2] ?? '';
/** Ids of passes to apply to each model; none unless given. */
const passes = (process.argv[3] ?? '').split(',').filter((pass) => pass !== '');
const engine = await openEngine();
const scratch = mkdtempSync(join(tmpdir(), 'hone-conformance-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

process.on('message', (name) => {
  void run(String(name)).then((outcome) => process.send?.({ name, ...outcome }));
});

async function run(name: string): Promise<Outcome> {
  const test = join(folder, name);
  const model = readOnnx(join(test, 'model.onnx'));
  const { inputs, outputs } = model.graph;
  if ([...inputs, ...outputs].some(({ type }) => type?.kind !== 'tensor')) {
    return { verdict: 'skip', detail: 'A value is no tensor.' };
  }
  const feeds: Feeds = {};
  inputs.forEach(({ name: input }, index) => {
    const tensor = testTensor(test, 'input', index);
    if (tensor !== null) feeds[input] = toHostTensor(tensor);
  });
  let results: Feeds;
  try {
    const session = await engine.open(onnxBytes(await withPasses(model)));
    results = await session.run(feeds);
    await session.release();
  } catch (thrown) {
    return { verdict: 'error', detail: String(thrown) };
  }
  for (const [index, { name: output }] of outputs.entries()) {
    const expected = testTensor(test, 'output', index);
    const difference = expected === null ? null : compare(results[output], toHostTensor(expected));
    if (difference !== null) return { verdict: 'differ', detail: `${output}: ${difference}` };
  }
  return { verdict: 'pass', detail: '' };
}

/** The model after the passes; throws what the first pass that failed threw. */
async function withPasses(model: Model): Promise<Model> {
  if (passes.length === 0) return model;
  const recipe = { schema: 1 as const, name: 'conformance', steps: passes.map((pass) => ({ pass })) };
  const applied = await applyRecipe(model, recipe, {
    engine,
    open: modelOpener(engine, scratch),
    types: typesOf(engine, scratch),
    calibration: null,
    trial: null,
    seed: 1,
    scratch,
    progress: async () => undefined,
    log: () => undefined,
  });
  const error = applied.rows.find((row) => row.error !== undefined)?.error;
  if (error !== undefined) throw HoneError.fromData(error);
  return applied.model;
}

/** The rules of the baseline's `recheck`. */
function compare(actual: HostTensor | undefined, expected: HostTensor): string | null {
  if (actual === undefined) return 'no output';
  if (actual.dtype !== expected.dtype) return `${actual.dtype} for ${expected.dtype}`;
  if (actual.shape.join() !== expected.shape.join()) return `[${actual.shape.join()}] for [${expected.shape.join()}]`;
  const half = expected.dtype === 'float16';
  const isFloat = half || expected.dtype === 'float32' || expected.dtype === 'float64';
  for (let index = 0; index < expected.data.length; index++) {
    const [a, b] = [actual.data[index], expected.data[index]];
    if (a === b) continue;
    if (!isFloat) return `${a} for ${b} at ${index}`;
    const [x, y] = [Number(a), Number(b)].map((value) => (half ? halfToFloat(value) : value)) as [number, number];
    if (!areClose(x, y, half)) return `${x} for ${y} at ${index}`;
  }
  return null;
}
