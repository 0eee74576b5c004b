/**
 * What static INT8 does to the answers of the reference models, over several draws of 256 calibration samples, beside models that
 * other tools made of the same samples. Right answers alone are noise (a few images of 2000), so the change of the answers is
 * measured as well: the Kullback-Leibler divergence of the classes from the float model's, and how many answers flip.
 *
 * Run: node test/bench/int8-accuracy.ts [--models a,b] [--seeds 1,2,3] [--variants int8,…] [--variant NAME=STEPS] [--peers DIR]
 *        [--export DIR] [--write]
 * STEPS is the JSON of a recipe's steps. --export writes the float models and, by seed, the calibration inputs as npz, and ends.
 * --peers judges DIR/<model>.<seed>.<peer>.onnx. --write writes test/bench/results/int8-accuracy.json. Needs HONE_SHARED.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runnableBatches } from '../../native-workers/datasets/batching.ts';
import { openDataset } from '../../native-workers/datasets/open-dataset.ts';
import { signatureOf } from '../../native-workers/datasets/signature.ts';
import { onnxBytes } from '../../native-workers/formats/onnx/write.ts';
import { openModel } from '../../native-workers/formats/registry.ts';
import type { Batch } from '../../native-workers/lib/batch.ts';
import type { Feeds, HostTensor } from '../../native-workers/lib/engine.ts';
import type { CalibrationData } from '../../native-workers/passes/pass.ts';
import { findPreset } from '../../native-workers/passes/presets.ts';
import { type Recipe, recipeSchema } from '../../native-workers/protocol/recipe.ts';
import { openEngine } from '../../native-workers/runtimes/onnxruntime.ts';
import { applyRecipe } from '../../native-workers/worker/apply-recipe.ts';
import { modelOpener, typesOf } from '../../native-workers/worker/engine-models.ts';
import { writeBenchResults } from '../helpers/bench-results.ts';
import { bytes as byteArray, floats, longs, writeNpz } from '../helpers/npz.ts';
import { SHARED } from '../helpers/shared.ts';

const GLYPHS = {
  calibration: 'models/data/glyphs/calib.zip',
  test: 'models/data/glyphs/test.zip',
  preprocess: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], scale: 1 / 255 },
};
const CASES = [
  { name: 'glyphs-resnet', path: 'models/glyphs-resnet/model.onnx', ...GLYPHS },
  { name: 'glyphs-mobilenetv2', path: 'models/glyphs-mobilenetv2/model-bnfolded.onnx', ...GLYPHS },
  {
    name: 'langid-bert',
    path: 'models/langid-bert/model.onnx',
    calibration: 'models/data/langid/calib.npz',
    test: 'models/data/langid/test.npz',
    preprocess: {},
  },
  {
    name: 'tiny-llama',
    path: 'models/tiny-llama/model.onnx',
    calibration: 'models/data/debtext/calib.npz',
    test: 'models/data/debtext/val.npz',
    preprocess: {},
  },
];
type Case = (typeof CASES)[number];

/** Calibration samples of a draw; models of texts have fewer in all. */
const SAMPLES = 256;

interface Measured {
  readonly model: string;
  readonly variant: string;
  readonly seed: number | null;
  /** Right answers of `answers`; for language models the right next tokens. */
  readonly right: number;
  readonly answers: number;
  /** Answers that are not the float model's. */
  readonly flips: number;
  /** Mean Kullback-Leibler divergence of the float model's classes to these, in thousandths of a nat. */
  readonly divergence: number;
  /** Squared error of the scores as a share of their power. */
  readonly error: number;
  /** Exponential of the mean loss of the right answers. */
  readonly perplexity: number;
  readonly seconds: number | null;
}

const { values: options } = parseArgs({
  options: {
    models: { type: 'string' },
    seeds: { type: 'string', default: '1,2,3' },
    variants: { type: 'string', default: 'int8' },
    variant: { type: 'string', multiple: true, default: [] },
    peers: { type: 'string' },
    export: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const engine = await openEngine();
const seeds = options.seeds.split(',').map(Number);
const cases = CASES.filter(({ name }) => options.models === undefined || options.models.split(',').includes(name));
const variants: Recipe[] = [
  ...options.variants
    .split(',')
    .filter((name) => name !== '')
    .map(findPreset),
  ...options.variant.map((text) => {
    const [name = '', steps = ''] = text.split(/=(.*)/s);
    return recipeSchema.parse({ schema: 1, name, steps: JSON.parse(steps) });
  }),
];
const results: Measured[] = [];
for (const one of cases) {
  if (options.export === undefined) await judge(one);
  else await exportCase(one, options.export);
}
if (options.write) writeBenchResults('int8-accuracy', { engine: engine.version, results });

async function judge(one: Case): Promise<void> {
  const path = join(SHARED, one.path);
  const source = await openModel(path);
  const signature = signatureOf(source);
  const test = await openDataset(join(SHARED, one.test), signature, { preprocess: one.preprocess });
  const batches: Batch[] = [];
  for await (const batch of test.batches(50)) batches.push(batch);
  await test.close();
  const reference = await scores(path, batches);
  report({ ...compare(reference, reference, batches), model: one.name, variant: 'float', seed: null, seconds: null });
  for (const seed of seeds) {
    for (const recipe of variants) {
      const scratch = mkdtempSync(join(tmpdir(), 'int8-accuracy-'));
      const calibration = await calibrationOf(one, seed);
      const start = performance.now();
      const { model, rows } = await applyRecipe(source, recipe, {
        engine,
        open: modelOpener(engine, scratch),
        types: typesOf(engine, scratch),
        calibration: calibration.data,
        trial: null,
        seed,
        scratch,
        progress: async () => undefined,
        log: () => undefined,
      });
      const seconds = (performance.now() - start) / 1000;
      await calibration.close();
      rmSync(scratch, { recursive: true, force: true });
      const failed = rows.find(({ status }) => status === 'failed');
      if (failed !== undefined) throw new Error(`${recipe.name} on ${one.name}: ${failed.reason}`);
      const found = compare(reference, await scores(onnxBytes(model), batches), batches);
      report({ ...found, model: one.name, variant: recipe.name, seed, seconds });
    }
    for (const file of options.peers === undefined ? [] : readdirSync(options.peers)) {
      const [name, number, peer, extension] = file.split('.');
      if (name !== one.name || Number(number) !== seed || extension !== 'onnx' || peer === undefined) continue;
      const found = compare(reference, await scores(join(options.peers ?? '', file), batches), batches);
      report({ ...found, model: one.name, variant: peer, seed, seconds: null });
    }
  }
}

async function calibrationOf(one: Case, seed: number): Promise<{ data: CalibrationData; close(): Promise<void> }> {
  const signature = signatureOf(await openModel(join(SHARED, one.path)));
  const dataset = await openDataset(join(SHARED, one.calibration), signature, { preprocess: one.preprocess });
  const limit = Math.min(dataset.samples, SAMPLES);
  const data: CalibrationData = {
    samples: limit,
    random: false,
    async *batches(batchSize, most = limit): AsyncGenerator<Feeds> {
      const size = batchSize === undefined ? {} : { batchSize };
      const drawn = { limit: Math.min(limit, most), seed, ...size };
      for await (const { feeds } of runnableBatches(dataset, signature, drawn)) yield feeds;
    },
  };
  return { data, close: () => dataset.close() };
}

async function exportCase(one: Case, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(SHARED, one.path), join(folder, `${one.name}.onnx`));
  for (const seed of seeds) {
    const { data, close } = await calibrationOf(one, seed);
    const columns = new Map<string, HostTensor[]>();
    for await (const feeds of data.batches(1)) {
      for (const [name, tensor] of Object.entries(feeds)) columns.set(name, [...(columns.get(name) ?? []), tensor]);
    }
    const arrays = [...columns].map(([name, rows]) => {
      const shape = [rows.length, ...(rows[0]?.shape.slice(1) ?? [])];
      const numbers = rows.flatMap(({ data: row }) => Array.from(row as ArrayLike<number | bigint>, Number));
      const make = { float32: floats, int64: longs, uint8: byteArray }[rows[0]?.dtype as 'float32'];
      return [name, make(shape, numbers)] as const;
    });
    await writeNpz(join(folder, `${one.name}.${seed}.npz`), Object.fromEntries(arrays));
    await close();
  }
}

/** The first output for every batch. */
async function scores(model: string | Uint8Array, batches: readonly Batch[]): Promise<HostTensor[]> {
  const session = await engine.open(model);
  const all: HostTensor[] = [];
  for (const { feeds } of batches) {
    const found = Object.values(await session.run(feeds))[0];
    if (found !== undefined) all.push(found);
  }
  await session.release();
  return all;
}

function compare(
  reference: readonly HostTensor[],
  candidate: readonly HostTensor[],
  batches: readonly Batch[],
): Omit<Measured, 'model' | 'variant' | 'seed' | 'seconds'> {
  const sum = { right: 0, answers: 0, flips: 0, divergence: 0, error: 0, power: 0, loss: 0 };
  for (const [index, batch] of batches.entries()) {
    const { shape, data: expected } = reference[index] as HostTensor;
    const { data: actual } = candidate[index] as HostTensor;
    const classes = shape.at(-1) ?? 1;
    const length = shape.length === 3 ? (shape[1] ?? 1) : 1;
    const tokens = Object.values(batch.feeds)[0]?.data ?? [];
    for (let row = 0; row < expected.length / classes; row++) {
      // The last token of a text has no next one.
      if (length > 1 && row % length === length - 1) continue;
      const label = length > 1 ? Number(tokens[row + 1]) : (batch.labels[row] as number);
      const before = (expected as Float32Array).subarray(row * classes, (row + 1) * classes);
      const after = (actual as Float32Array).subarray(row * classes, (row + 1) * classes);
      const p = logSoftmax(before);
      const q = logSoftmax(after);
      for (let place = 0; place < classes; place++) {
        sum.divergence += Math.exp(p[place] as number) * ((p[place] as number) - (q[place] as number));
        sum.error += ((before[place] as number) - (after[place] as number)) ** 2;
        sum.power += (before[place] as number) ** 2;
      }
      const answer = largest(after);
      sum.answers++;
      if (answer === label) sum.right++;
      if (answer !== largest(before)) sum.flips++;
      sum.loss -= q[label] as number;
    }
  }
  return {
    right: sum.right,
    answers: sum.answers,
    flips: sum.flips,
    divergence: (sum.divergence / sum.answers) * 1000,
    error: sum.error / sum.power,
    perplexity: Math.exp(sum.loss / sum.answers),
  };
}

function logSoftmax(row: Float32Array): Float64Array {
  const top = row.reduce((all, score) => Math.max(all, score), Number.NEGATIVE_INFINITY);
  const sum = Math.log(row.reduce((all, score) => all + Math.exp(score - top), 0)) + top;
  return Float64Array.from(row, (score) => score - sum);
}

function largest(row: Float32Array): number {
  let best = 0;
  row.forEach((score, index) => {
    if (score > (row[best] as number)) best = index;
  });
  return best;
}

function report(row: Measured): void {
  results.push(row);
  const { model, variant, seed, right, answers, flips, divergence, error, perplexity, seconds } = row;
  process.stdout.write(
    `${[
      model.padEnd(20),
      variant.padEnd(28),
      String(seed ?? '').padStart(2),
      `right ${right} of ${answers}`,
      `flips ${String(flips).padStart(4)}`,
      `KL ${divergence.toFixed(3).padStart(8)}`,
      `error ${error.toExponential(2)}`,
      `perplexity ${perplexity.toFixed(4)}`,
      seconds === null ? '' : `${seconds.toFixed(1)} s`,
    ].join('  ')}\n`,
  );
}
