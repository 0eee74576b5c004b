/**
 * Makes the sample `printed-letters`: draws labelled pictures, trains a small residual network on them with ONNX Runtime, and
 * writes the model with its data. Run by hand: `node assets/samples/make/make.ts`. It needs scalable fonts on the machine
 * (the checked-in sample used Debian's free ones) and takes some minutes; the seed fixes pictures and weights up to the
 * rounding of the machine's kernels.
 */
import { execFileSync } from 'node:child_process';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import yazl from 'yazl';
import { onnxBytes, writeOnnx } from '../../../native-workers/formats/onnx/write.ts';
import { Graph } from '../../../native-workers/graph/graph.ts';
import { Model } from '../../../native-workers/graph/model.ts';
import { Tensor } from '../../../native-workers/graph/tensor.ts';
import { MemoryData } from '../../../native-workers/graph/tensor-data.ts';
import { tensorType } from '../../../native-workers/graph/types.ts';
import type { Value } from '../../../native-workers/graph/value.ts';
import type { Engine, Feeds } from '../../../native-workers/lib/engine.ts';
import { Random } from '../../../native-workers/lib/random.ts';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import { type Signal, Tape } from './layers.ts';
import { CLASSES, drawLetter, type Fonts, SIZE, toInput } from './render.ts';

const SEED = 7;
const BATCH = 64;
const STEPS = Number(process.env['STEPS'] ?? 600);
const TRAIN = Number(process.env['TRAIN'] ?? 8000);
const TEST_PER_CLASS = 20;
const CALIBRATION = 128;
const LEARNING_RATE = 0.003;
const WEIGHT_DECAY = 0.02;
const FOLDER = join(import.meta.dirname, '..', 'printed-letters');
const PIXELS = SIZE * SIZE * 3;

interface Picture {
  readonly label: number;
  readonly pixels: Buffer;
}

/** A residual network: stem, three stages of one or two blocks, pooling, classifier. */
function network(tape: Tape, image: Signal): Signal {
  const block = (x: Signal, name: string, channels: number, stride: number): Signal => {
    const first = tape.relu(tape.batchNorm(tape.conv(x, `${name}.conv1`, channels, 3, stride), `${name}.norm1`));
    const second = tape.batchNorm(tape.conv(first, `${name}.conv2`, channels, 3, 1), `${name}.norm2`);
    const direct =
      stride === 1 ? x : tape.batchNorm(tape.conv(x, `${name}.shortcut`, channels, 1, stride), `${name}.norm3`);
    return tape.relu(tape.add(second, direct));
  };
  const stem = tape.relu(tape.batchNorm(tape.conv(image, 'stem', 32, 3, 1), 'stem.norm'));
  const stage1 = block(stem, 'stage1', 32, 1);
  const stage2 = block(stage1, 'stage2', 64, 2);
  const stage3 = block(stage2, 'stage3', 128, 2);
  return tape.linear(tape.pool(stage3), 'classifier', CLASSES.length);
}

function usableFonts(random: Random): Fonts {
  const skip = /math|symbol|emoji|rufscript|hairline|book|thin|outline/i;
  const listed = execFileSync('fc-list', [':scalable=true', 'family'], { encoding: 'utf8' });
  const families = [...new Set(listed.split('\n').map((line) => line.split(',')[0]?.trim() ?? ''))].filter(
    (name) => name && !skip.test(name),
  );
  random.shuffle(families.sort());
  const held = Math.ceil(families.length / 5);
  return { train: families.slice(held), test: families.slice(0, held) };
}

async function draw(count: number, fonts: readonly string[], random: Random): Promise<Picture[]> {
  const pictures: Picture[] = [];
  for (let index = 0; index < count; index++) {
    const label = index % CLASSES.length;
    pictures.push({ label, pixels: await drawLetter(label, fonts, random) });
  }
  return pictures;
}

/** Trains and returns the parameters, running statistics among them. */
async function train(engine: Engine, pictures: readonly Picture[], random: Random): Promise<Map<string, Float32Array>> {
  const graph = new Graph('training');
  const shapes = new Map<string, readonly number[]>();
  const inputs = new Map<string, Value>();
  const tape = new Tape(graph, true, (name, shape) => {
    shapes.set(name, shape);
    const value = graph.addInput(name, tensorType('float32', shape));
    inputs.set(name, value);
    return value;
  });
  const image = {
    value: graph.addInput('image', tensorType('float32', [BATCH, 3, SIZE, SIZE])),
    shape: [BATCH, 3, SIZE, SIZE],
  };
  const targets = graph.addInput('targets', tensorType('float32', [BATCH, CLASSES.length]));
  const loss = tape.crossEntropy(network(tape, image), targets);
  tape.backward();
  const gradients = [...inputs].map(([name, value]) => ({ name, output: tape.gradient(value).name }));
  graph.outputs.push(loss, ...[...inputs.values()].map((value) => tape.gradient(value)));
  for (const { mean, variance } of tape.statistics.values()) graph.outputs.push(mean, variance);
  const session = await engine.open(onnxBytes(new Model(graph, 12, 8)), { threads: 2 });

  const weights = new Map<string, Float32Array>();
  for (const [name, shape] of shapes) {
    const size = shape.reduce((product, dim) => product * dim, 1);
    const fanIn = size / (shape[0] ?? 1);
    const deviation = Math.sqrt(2 / fanIn);
    weights.set(
      name,
      Float32Array.from({ length: size }, () =>
        shape.length > 1 ? random.normal() * deviation : name.endsWith('gamma') ? 1 : 0,
      ),
    );
  }
  const moments = new Map(
    [...weights].map(([name, values]) => [
      name,
      { first: new Float32Array(values.length), second: new Float32Array(values.length) },
    ]),
  );
  const running = new Map<string, Float32Array>();
  const pixels = new Float32Array(BATCH * PIXELS);
  const labels = new Float32Array(BATCH * CLASSES.length);
  for (let step = 1; step <= STEPS; step++) {
    labels.fill(0.05 / CLASSES.length);
    for (let row = 0; row < BATCH; row++) {
      const picture = pictures[random.below(pictures.length)];
      if (picture === undefined) throw new Error('no pictures');
      toInput(picture.pixels, pixels, row * PIXELS);
      labels[row * CLASSES.length + picture.label] = 0.95 + 0.05 / CLASSES.length;
    }
    const feeds: Feeds = {
      image: { dtype: 'float32', shape: image.shape, data: pixels },
      targets: { dtype: 'float32', shape: [BATCH, CLASSES.length], data: labels },
    };
    for (const [name, data] of weights) feeds[name] = { dtype: 'float32', shape: shapes.get(name) ?? [], data };
    const outputs = await session.run(feeds);
    const rate = LEARNING_RATE * Math.min(1, step / 50) * 0.5 * (1 + Math.cos((Math.PI * step) / STEPS));
    for (const { name, output } of gradients) {
      const values = weights.get(name);
      const moment = moments.get(name);
      const gradient = outputs[output]?.data;
      if (values === undefined || moment === undefined || !(gradient instanceof Float32Array))
        throw new Error(`no gradient for ${name}`);
      adamStep(values, gradient, moment, step, rate, values.length > 256 ? WEIGHT_DECAY : 0);
    }
    for (const [name, { mean, variance }] of tape.statistics) {
      average(running, `${name}.mean`, outputs[mean.name]?.data as Float32Array);
      average(running, `${name}.variance`, outputs[variance.name]?.data as Float32Array);
    }
    if (step % 50 === 0) process.stderr.write(`step ${step}: loss ${Number(outputs[loss.name]?.data[0]).toFixed(4)}\n`);
  }
  await session.release();
  return new Map([...weights, ...running]);
}

/** One step of AdamW (Loshchilov and Hutter 2019). */
function adamStep(
  values: Float32Array,
  gradient: Float32Array,
  moment: { readonly first: Float32Array; readonly second: Float32Array },
  step: number,
  rate: number,
  decay: number,
): void {
  const { first, second } = moment;
  const correction1 = 1 - 0.9 ** step;
  const correction2 = 1 - 0.999 ** step;
  for (let index = 0; index < values.length; index++) {
    const g = gradient[index] as number;
    const m = 0.9 * (first[index] as number) + 0.1 * g;
    const v = 0.999 * (second[index] as number) + 0.001 * g * g;
    first[index] = m;
    second[index] = v;
    const before = values[index] as number;
    values[index] = before - rate * (m / correction1 / (Math.sqrt(v / correction2) + 1e-8) + decay * before);
  }
}

function average(running: Map<string, Float32Array>, name: string, batch: Float32Array): void {
  const before = running.get(name);
  running.set(
    name,
    before === undefined
      ? Float32Array.from(batch)
      : before.map((value, index) => 0.95 * value + 0.05 * (batch[index] as number)),
  );
}

/** The trained network as a model of dynamic batch, batch normalization kept as nodes, as exporters leave it. */
function exported(weights: ReadonlyMap<string, Float32Array>): Model {
  const graph = new Graph('printed-letters');
  const tape = new Tape(graph, false, (name, shape) => {
    const values = weights.get(name);
    if (values === undefined) throw new Error(`no weights for ${name}`);
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return graph.addInitializer(name, new Tensor({ dtype: 'float32', shape, data: new MemoryData(bytes) }));
  });
  const image = {
    value: graph.addInput('image', tensorType('float32', ['batch', 3, SIZE, SIZE])),
    shape: [1, 3, SIZE, SIZE],
  };
  const scores = network(tape, image);
  // Shapes inside carry the batch of one that they were written with; the model's own batch is free.
  for (const node of graph.nodes) for (const output of node.outputs) if (output !== null) output.type = null;
  scores.value.name = 'logits';
  scores.value.type = tensorType('float32', ['batch', CLASSES.length]);
  graph.outputs.push(scores.value);
  const model = new Model(graph, 17, 8);
  model.producerName = 'hone-samples';
  return model;
}

async function writeZip(path: string, pictures: readonly Picture[]): Promise<void> {
  const zip = new yazl.ZipFile();
  for (const [index, picture] of pictures.entries()) {
    const png = await sharp(picture.pixels, { raw: { width: SIZE, height: SIZE, channels: 3 } })
      .png({ compressionLevel: 9 })
      .toBuffer();
    // A fixed time keeps the archive the same from run to run.
    zip.addBuffer(png, `${CLASSES[picture.label]}/${String(index).padStart(4, '0')}.png`, {
      mtime: new Date(Date.UTC(2026, 0, 1)),
      compress: false,
    });
  }
  zip.end();
  await new Promise<void>((resolve, reject) => {
    zip.outputStream.pipe(createWriteStream(path)).on('close', resolve).on('error', reject);
  });
}

async function accuracy(engine: Engine, path: string, pictures: readonly Picture[]): Promise<number> {
  const session = await engine.open(path);
  let right = 0;
  const data = new Float32Array(PIXELS);
  for (const picture of pictures) {
    toInput(picture.pixels, data, 0);
    const outputs = await session.run({ image: { dtype: 'float32', shape: [1, 3, SIZE, SIZE], data } });
    const scores = outputs['logits']?.data as Float32Array;
    if (scores.indexOf(Math.max(...scores)) === picture.label) right++;
  }
  await session.release();
  return right;
}

const random = new Random(SEED);
const fonts = usableFonts(random);
mkdirSync(FOLDER, { recursive: true });
const test = await draw(TEST_PER_CLASS * CLASSES.length, fonts.test, random);
const calibration = await draw(CALIBRATION, fonts.train, random);
const pictures = await draw(TRAIN, fonts.train, random);
process.stderr.write(
  `${pictures.length} pictures in ${fonts.train.length} families; ${test.length} to test in ${fonts.test.length} others\n`,
);
const engine = await openEngine();
const weights = await train(engine, pictures, random);
const path = join(FOLDER, 'model.onnx');
await writeOnnx(exported(weights), path);
await writeZip(join(FOLDER, 'test.zip'), test);
await writeZip(join(FOLDER, 'calib.zip'), calibration);
const preprocess = {
  size: [SIZE, SIZE],
  resize: 'stretch',
  color: 'rgb',
  scale: 1 / 255,
  mean: [0.5, 0.5, 0.5],
  std: [0.25, 0.25, 0.25],
  layout: 'nchw',
};
writeFileSync(join(FOLDER, 'preprocess.json'), `${JSON.stringify(preprocess, null, 2)}\n`);
const right = await accuracy(engine, path, test);
writeFileSync(
  join(FOLDER, 'made.json'),
  `${JSON.stringify({ seed: SEED, steps: STEPS, trainedOn: TRAIN, engine: engine.version, test: { right, total: test.length }, fonts }, null, 2)}\n`,
);
process.stderr.write(`test: ${right} of ${test.length} right\n`);
