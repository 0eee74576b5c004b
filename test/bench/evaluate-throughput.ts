/**
 * How fast evaluation is and how much memory it takes, each case in a fresh process: pictures from a zip, tokens from an
 * archive, texts through the tokenizer, a language model with large outputs, and pictures of camera size in a folder. For the
 * last, also twice as many, since memory must not grow with the number of samples.
 *
 * `decode` is a walk over the batches without a model; `evaluate` is the job as `hone eval` runs it, hash of the data and
 * intervals included. Needs the folder that HONE_SHARED names. Writes results/evaluate-throughput.json.
 *
 * Run: node test/bench/evaluate-throughput.ts
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { runnableBatches } from '../../native-workers/datasets/batching.ts';
import { openDataset } from '../../native-workers/datasets/open-dataset.ts';
import { peakMemory } from '../../native-workers/lib/peak-memory.ts';
import { Random } from '../../native-workers/lib/random.ts';
import type { Preprocess } from '../../native-workers/protocol/request.ts';
import { openEngine } from '../../native-workers/runtimes/onnxruntime.ts';
import { evaluate } from '../../native-workers/worker/evaluate.ts';
import { signatureOfFile } from '../../native-workers/worker/evaluation.ts';
import { writeBenchResults } from '../helpers/bench-results.ts';
import { SHARED } from '../helpers/shared.ts';

interface Case {
  readonly model: string;
  readonly data: string;
  readonly preprocess?: Preprocess;
}

const GLYPHS: Preprocess = { scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const models = (path: string): string => join(SHARED, 'models', path);

/** One measurement, in the process made for it. */
async function measure({ model, data, preprocess }: Case, task: string): Promise<Record<string, unknown>> {
  const baseline = peakMemory();
  const start = performance.now();
  let samples = 0;
  let result: unknown;
  if (task === 'decode') {
    const engine = await openEngine();
    const signature = await signatureOfFile(model, await engine.open(model));
    const dataset = await openDataset(data, signature, { model, ...(preprocess === undefined ? {} : { preprocess }) });
    for await (const batch of runnableBatches(dataset, signature)) samples += batch.samples.length;
  } else {
    const context = { progress: async () => undefined, log: () => undefined };
    const { metrics } = await evaluate(
      { model, data, seed: 0, ...(preprocess === undefined ? {} : { preprocess }) },
      context,
    );
    samples = metrics[0]?.samples ?? 0;
    result = `${metrics[0]?.name} ${metrics[0]?.value}`;
  }
  const seconds = (performance.now() - start) / 1000;
  const mib = (bytes: number): number => Math.round(bytes / 2 ** 20);
  return {
    samples,
    seconds: Number(seconds.toFixed(2)),
    perSecond: Math.round(samples / seconds),
    peakMiB: mib(peakMemory()),
    startMiB: mib(baseline),
    result,
  };
}

/** Pictures of 3000 x 2000 pixels in class folders, as many as asked. */
async function cameraPictures(folder: string, count: number): Promise<string> {
  const random = new Random(1);
  const noise = Uint8Array.from({ length: 300 * 200 * 3 }, () => random.below(256));
  const picture = await sharp(noise, { raw: { width: 300, height: 200, channels: 3 } })
    .resize(3000, 2000)
    .jpeg({ quality: 85 })
    .toBuffer();
  for (let index = 0; index < count; index++) {
    const path = join(folder, `pictures-${count}`, String(index % 36));
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, `${index}.jpg`), picture);
  }
  return join(folder, `pictures-${count}`);
}

function inFreshProcess(name: string, given: Case, task: string): Record<string, unknown> {
  const output = execFileSync(process.execPath, [import.meta.filename, task, JSON.stringify(given)], {
    encoding: 'utf8',
    maxBuffer: 1 << 24,
  });
  const row = { case: name, task, ...(JSON.parse(output) as Record<string, unknown>) };
  process.stdout.write(`${JSON.stringify(row)}\n`);
  return row;
}

const [task, given] = process.argv.slice(2);
if (task !== undefined && given !== undefined) {
  process.stdout.write(JSON.stringify(await measure(JSON.parse(given) as Case, task)));
} else {
  const folder = mkdtempSync(join(tmpdir(), 'hone-evaluate-'));
  try {
    const resnet = models('glyphs-resnet/model.onnx');
    const cases: Record<string, Case> = {
      'resnet, zip of 48x48 PNG': { model: resnet, data: models('data/glyphs/test.zip'), preprocess: GLYPHS },
      'bert, npz': { model: models('langid-bert/model.onnx'), data: models('data/langid/test.npz') },
      'bert, jsonl and tokenizer': { model: models('langid-bert/model.onnx'), data: models('data/langid/test.jsonl') },
      'llama, npz': { model: models('tiny-llama/model.onnx'), data: models('data/debtext/val.npz') },
      'resnet, 100 JPEG of 6 megapixels': {
        model: resnet,
        data: await cameraPictures(folder, 100),
        preprocess: GLYPHS,
      },
      'resnet, 300 JPEG of 6 megapixels': {
        model: resnet,
        data: await cameraPictures(folder, 300),
        preprocess: GLYPHS,
      },
    };
    const rows = Object.entries(cases).flatMap(([name, each]) =>
      ['decode', 'evaluate'].map((kind) => inFreshProcess(name, each, kind)),
    );
    writeBenchResults('evaluate-throughput', { rows });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
