/**
 * Measures the conversion to TFLite, each in a fresh process: seconds of reading, preparing and writing, those of the processor, and
 * the most memory that the process had; the same of opening what was written; the middle one of three. Models of the shared folder: a small MobileNetV2 in ONNX, and one of
 * full size from its quantized TFLite file; and one of a given number of gigabytes with external data.
 * Writes test/bench/results/tflite-convert.json.
 *
 * Run: node test/bench/tflite-convert.ts [gigabytes]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tflite } from '../../native-workers/artifacts/tflite.ts';
import { TFLITE_DEFAULTS } from '../../native-workers/artifacts/tflite-options.ts';
import { openModel } from '../../native-workers/formats/registry.ts';
import { peakMemory } from '../../native-workers/lib/peak-memory.ts';
import { openEngine } from '../../native-workers/runtimes/onnxruntime.ts';
import { prepareModel } from '../../native-workers/worker/prepare-model.ts';
import { writeBenchResults } from '../helpers/bench-results.ts';
import { writeLargeModel } from '../helpers/large-model.ts';
import { SHARED } from '../helpers/shared.ts';

interface Measured {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

/** Runs `work` and says what it took of the process. */
async function measured(work: () => Promise<unknown>): Promise<Measured> {
  const start = performance.now();
  const before = process.cpuUsage();
  await work();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  return { seconds, cpuSeconds: (user + system) / 1e6, peakBytes: peakMemory() ?? 0 };
}

/** Writes the model into `folder`, whose only artifact it becomes. */
async function convertOne(path: string, folder: string): Promise<void> {
  const engine = await openEngine();
  const model = await openModel(path);
  const written = await tflite.write(model, folder, TFLITE_DEFAULTS, {
    engine,
    source: path,
    scratch: folder,
    prepared: (batch) => prepareModel(model, engine, folder, batch),
    progress: async () => undefined,
  });
  renameSync(join(folder, written.path), join(folder, ARTIFACT));
}

const ARTIFACT = 'artifact.tflite';

/** The middle one of three fresh processes. */
function middleOf(...words: string[]): Measured {
  const runs = [1, 2, 3].map(() => {
    const text = execFileSync(process.execPath, [import.meta.filename, ...words], { encoding: 'utf8' });
    return JSON.parse(text) as Measured;
  });
  return runs.toSorted((a, b) => a.seconds - b.seconds)[1] as Measured;
}

const [first, second = '', third = ''] = process.argv.slice(2);
if (first === '--convert') process.stdout.write(JSON.stringify(await measured(() => convertOne(second, third))));
else if (first === '--open') process.stdout.write(JSON.stringify(await measured(async () => openModel(second))));
else {
  const folder = mkdtempSync(join(tmpdir(), 'tflite-bench-'));
  try {
    const large = join(folder, 'large.onnx');
    await writeLargeModel(large, Number(first ?? 1) * 1e9);
    const models = {
      mobilenetv2: join(SHARED, 'models', 'glyphs-mobilenetv2', 'model.onnx'),
      'mobilenetv2-224': join(SHARED, 'real', 'tf2_mobilenet_v2_1.0_224_ptq.tflite'),
      large,
    };
    const results = Object.entries(models).map(([name, path]) => {
      const convert = middleOf('--convert', path, folder);
      const artifact = join(folder, ARTIFACT);
      return { name, convert, open: middleOf('--open', artifact), bytes: statSync(artifact).size };
    });
    process.stdout.write(writeBenchResults('tflite-convert', { results }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
