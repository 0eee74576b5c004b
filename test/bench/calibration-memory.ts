/**
 * Peak memory and time of the preset `int8` on a generated model of ResNet-50's size and shape (random weights; 25.5 million of them),
 * calibrated on generated pictures of 224 x 224: in a fresh process for each number of images, so that the growth is seen.
 * Writes test/bench/results/calibration-memory.json. With --write FOLDER it only writes the model and 512 pictures, for other programs
 * to measure.
 *
 * Run: node test/bench/calibration-memory.ts [images …]
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runnableBatches } from '../../native-workers/datasets/batching.ts';
import { encodePng } from '../../native-workers/datasets/image-pixels.ts';
import { openDataset } from '../../native-workers/datasets/open-dataset.ts';
import { signatureOf } from '../../native-workers/datasets/signature.ts';
import { writeOnnx } from '../../native-workers/formats/onnx/write.ts';
import { openModel } from '../../native-workers/formats/registry.ts';
import type { Model } from '../../native-workers/graph/model.ts';
import type { Value } from '../../native-workers/graph/value.ts';
import { SMALL_MEMORY } from '../../native-workers/host/small-memory.ts';
import type { Feeds } from '../../native-workers/lib/engine.ts';
import { peakMemory } from '../../native-workers/lib/peak-memory.ts';
import { Random } from '../../native-workers/lib/random.ts';
import { findPreset } from '../../native-workers/passes/presets.ts';
import { openEngine } from '../../native-workers/runtimes/onnxruntime.ts';
import { applyRecipe } from '../../native-workers/worker/apply-recipe.ts';
import { modelOpener, typesOf } from '../../native-workers/worker/engine-models.ts';
import { writeBenchResults } from '../helpers/bench-results.ts';
import { ModelBuilder } from '../helpers/models.ts';

/** Bottleneck blocks of ResNet-50 by stage, with the batch normalization folded away. */
function resnet50(): Model {
  const build = new ModelBuilder('resnet50');
  let count = 0;
  const conv = (data: Value, inputs: number, outputs: number, kernel: number, stride: number, gain = 1): Value => {
    const name = `conv${count++}`;
    const deviation = gain * Math.sqrt(2 / (inputs * kernel * kernel));
    const pad = Math.floor(kernel / 2);
    return build.op(
      'Conv',
      [
        data,
        build.weight(`${name}.weight`, [outputs, inputs, kernel, kernel], deviation),
        build.weight(`${name}.bias`, [outputs]),
      ],
      name,
      { kernel_shape: [kernel, kernel], strides: [stride, stride], pads: [pad, pad, pad, pad] },
    );
  };
  const relu = (data: Value): Value => build.op('Relu', [data], `${data.name}.relu`);
  let data = relu(conv(build.input('image', ['batch', 3, 224, 224]), 3, 64, 7, 2));
  data = build.op('MaxPool', [data], 'pool', { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
  let channels = 64;
  for (const [stage, blocks] of [3, 4, 6, 3].entries()) {
    const width = 64 * 2 ** stage;
    for (let block = 0; block < blocks; block++) {
      const stride = block === 0 && stage > 0 ? 2 : 1;
      const narrow = relu(conv(data, channels, width, 1, 1));
      const wide = conv(relu(conv(narrow, width, width, 3, stride)), width, width * 4, 1, 1, 0.3);
      const shortcut = block === 0 ? conv(data, channels, width * 4, 1, stride) : data;
      data = relu(build.op('Add', [wide, shortcut], `sum${count}`));
      channels = width * 4;
    }
  }
  const flat = build.op('Flatten', [build.op('GlobalAveragePool', [data], 'mean')], 'flat');
  const scores = build.op(
    'Gemm',
    [flat, build.weight('fc', [1000, 2048], 0.02), build.weight('fc.bias', [1000])],
    'scores',
    {
      transB: 1,
    },
  );
  return build.outputs(scores).model();
}

const MODEL = 'resnet50.onnx';
const PICTURES = 'pictures';
const SIDE = 224;

/** Pictures of noise, as PNG. */
async function writePictures(folder: string, count: number): Promise<void> {
  mkdirSync(folder);
  const random = new Random(1);
  for (let index = 0; index < count; index++) {
    const data = Uint8Array.from({ length: SIDE * SIDE * 3 }, () => random.below(256));
    writeFileSync(join(folder, `${index}.png`), await encodePng({ data, width: SIDE, height: SIDE, channels: 3 }));
  }
}

/** In the child: quantizes the model on so many images and tells what it took. */
async function quantize(folder: string, images: number): Promise<object> {
  const engine = await openEngine();
  const scratch = mkdtempSync(join(tmpdir(), 'calibration-'));
  const path = join(folder, MODEL);
  const model = await openModel(path);
  const signature = signatureOf(model);
  // As a run opens it.
  const dataset = await openDataset(join(folder, PICTURES), signature, { model: path, finite: true, keepIn: scratch });
  try {
    const calibration = {
      samples: images,
      random: false,
      async *batches(batchSize?: number, most = images): AsyncGenerator<Feeds> {
        const options = { limit: Math.min(images, most), seed: 1, ...(batchSize === undefined ? {} : { batchSize }) };
        for await (const { feeds } of runnableBatches(dataset, signature, options)) yield feeds;
      },
    };
    const before = peakMemory();
    const start = performance.now();
    const { rows } = await applyRecipe(model, findPreset('int8'), {
      engine,
      open: modelOpener(engine, scratch),
      types: typesOf(engine, scratch),
      calibration,
      trial: null,
      seed: 1,
      scratch,
      progress: async () => undefined,
      log: () => undefined,
    });
    const row = rows.at(-1);
    if (row?.status !== 'changed') throw new Error(`Nothing was quantized: ${row?.reason}`);
    return {
      images,
      seconds: (performance.now() - start) / 1000,
      peakMemory: peakMemory(),
      peakMemoryBefore: before,
      layers: row.counts['layers to INT8'],
    };
  } finally {
    await dataset.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

const [first, second, third] = process.argv.slice(2);
if (first === '--child' && second !== undefined) {
  process.stdout.write(JSON.stringify(await quantize(second, Number(third))));
} else if (first === '--write' && second !== undefined) {
  await writeOnnx(resnet50(), join(second, MODEL));
  await writePictures(join(second, PICTURES), 512);
} else {
  const numbers = process.argv.slice(2).map(Number);
  const counts = numbers.length > 0 ? numbers : [8, 64, 512];
  const folder = mkdtempSync(join(tmpdir(), 'calibration-memory-'));
  await writeOnnx(resnet50(), join(folder, MODEL));
  await writePictures(join(folder, PICTURES), Math.max(...counts));
  const runs = counts.map((images) => {
    const found = execFileSync(
      process.execPath,
      [...SMALL_MEMORY.flags, import.meta.filename, '--child', folder, String(images)],
      { env: { ...process.env, ...SMALL_MEMORY.environment } },
    );
    process.stdout.write(`${found}\n`);
    return JSON.parse(String(found)) as object;
  });
  writeBenchResults('calibration-memory', { runs });
  rmSync(folder, { recursive: true, force: true });
}
