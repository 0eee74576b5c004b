/**
 * A child process of `runTfliteConformance`: converts the model of a test, runs it on LiteRT, compares with what is expected. In
 * place of LiteRT, Hone's own reader opens the file again and ONNX Runtime runs it.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExternalFiles } from '../../native-workers/formats/onnx/external-data.ts';
import { readOnnx } from '../../native-workers/formats/onnx/read.ts';
import { readTensor } from '../../native-workers/formats/onnx/read-tensor.ts';
import { onnxBytes } from '../../native-workers/formats/onnx/write.ts';
import { convert } from '../../native-workers/formats/tflite/convert.ts';
import { readTflite } from '../../native-workers/formats/tflite/read.ts';
import { writeTflite } from '../../native-workers/formats/tflite/write.ts';
import { elementCount } from '../../native-workers/graph/dtype.ts';
import type { Tensor } from '../../native-workers/graph/tensor.ts';
import {
  tensorFromHost,
  tensorFromNumbers,
  toHostTensor,
  toNumbers,
} from '../../native-workers/graph/tensor-values.ts';
import { MemorySource } from '../../native-workers/lib/bytes.ts';
import type { Feeds, HostTensor } from '../../native-workers/lib/engine.ts';
import { ProtobufReader } from '../../native-workers/lib/protobuf-reader.ts';
import { LiteRt } from '../../native-workers/runtimes/litert.ts';
import { openEngine } from '../../native-workers/runtimes/onnxruntime.ts';
import { prepareModel } from '../../native-workers/worker/prepare-model.ts';

const folder = process.argv[2] ?? '';
const readsBack = process.argv[3] === 'read-back';
const engine = await openEngine();
const lines: string[] = [];
const runtime = await LiteRt.create({ log: (line) => lines.push(line) });
const scratch = mkdtempSync(join(tmpdir(), 'hone-tflite-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

interface Outcome {
  readonly verdict: 'pass' | 'differ' | 'error' | 'skip' | 'refused';
  readonly detail: string;
}

process.on('message', (name) => {
  void run(String(name)).then((outcome) => process.send?.({ name, ...outcome }));
});

async function run(name: string): Promise<Outcome> {
  const test = join(folder, name);
  const source = readOnnx(join(test, 'model.onnx'));
  const { inputs, outputs } = source.graph;
  if ([...inputs, ...outputs].some(({ type }) => type?.kind !== 'tensor')) {
    return { verdict: 'skip', detail: 'a value is no tensor' };
  }
  // The test's own sizes, and operands that are shapes as constants: what a converter gets from real models.
  const feeds: Feeds = {};
  for (const [index, input] of inputs.entries()) {
    const tensor = load(test, `input_${index}.pb`);
    if (tensor === null) continue;
    if (input.type?.kind === 'tensor') input.type = { ...input.type, shape: tensor.shape };
    feeds[input.name] = toHostTensor(tensor);
    if (!mustBeConstant(input.consumers, input) && !shapesOf(name).has(input.name)) continue;
    input.tensor = tensor;
    source.graph.initializers.add(input);
  }
  inputs.splice(0, inputs.length, ...inputs.filter((input) => !input.isConstant && feeds[input.name] !== undefined));
  let results: Feeds;
  lines.length = 0;
  try {
    const prepared = await prepareModel(source, engine, scratch);
    const { graph, refused } = convert(prepared.model, prepared.typeOf);
    if (graph === null) return { verdict: 'refused', detail: `${refused[0]?.type}: ${refused[0]?.reason}` };
    const path = join(scratch, 'test.tflite');
    writeTflite(graph, path);
    const session = readsBack ? await openBack(path) : await runtime.open(readFileSync(path));
    const given = graph.inputs.map((input) => [input.name, feeds[input.source]] as const);
    const raw = await session.run(Object.fromEntries(given.flatMap(([key, value]) => (value ? [[key, value]] : []))));
    results = Object.fromEntries(
      graph.outputs.flatMap((output) => (raw[output.name] ? [[output.source, raw[output.name]]] : [])) as [
        string,
        HostTensor,
      ][],
    );
    await session.release();
  } catch (thrown) {
    return { verdict: 'error', detail: String(thrown) };
  }
  const error = lines.find((line) => /\bERROR\b/.test(line));
  if (error !== undefined) return { verdict: 'error', detail: error };
  for (const [index, { name: output }] of source.graph.outputs.entries()) {
    const expected = load(test, `output_${index}.pb`);
    const difference = expected === null ? null : compare(results[output], expected);
    if (difference !== null) return { verdict: 'differ', detail: `${output}: ${difference}` };
  }
  return { verdict: 'pass', detail: '' };
}

/** A session under the names of the file. */
async function openBack(path: string): Promise<{ run(feeds: Feeds): Promise<Feeds>; release(): Promise<void> }> {
  const model = readTflite(path);
  const session = await engine.open(onnxBytes(model));
  const types = new Map(model.graph.inputs.map(({ name, type }) => [name, type]));
  const stored = (name: string, host: HostTensor): HostTensor => {
    const type = types.get(name);
    const dtype = type?.kind === 'tensor' ? type.dtype : null;
    if (dtype === null || dtype === undefined || dtype === host.dtype) return host;
    return toHostTensor(tensorFromNumbers(dtype, toNumbers(tensorFromHost(host)), host.shape));
  };
  return {
    run: (feeds) =>
      session.run(Object.fromEntries(Object.entries(feeds).map(([name, host]) => [name, stored(name, host)]))),
    release: () => session.release(),
  };
}

/** Operands that say shapes, axes and counts: real models have them as constants, and these tests as inputs. */
const SHAPE_OPERANDS: Readonly<Record<string, readonly number[]>> = {
  Reshape: [1],
  Expand: [1],
  Tile: [1],
  Slice: [1, 2, 3, 4],
  Pad: [1, 3],
  Squeeze: [1],
  Unsqueeze: [1],
  TopK: [1],
  Resize: [1, 2, 3],
  Upsample: [1],
  OneHot: [1],
  CumSum: [1],
  ConstantOfShape: [0],
  Split: [1],
  Trilu: [1],
  Range: [0, 1, 2],
  ReduceSum: [1],
  ReduceMean: [1],
  ReduceMax: [1],
  ReduceMin: [1],
  ReduceProd: [1],
  ReduceL1: [1],
  ReduceL2: [1],
  ReduceLogSum: [1],
  ReduceLogSumExp: [1],
  ReduceSumSquare: [1],
  CenterCropPad: [1],
  AffineGrid: [1],
  Dropout: [2],
  QuantizeLinear: [1, 2],
  DequantizeLinear: [1, 2],
  DFT: [1, 2],
  NonMaxSuppression: [2, 3, 4],
  Clip: [],
  BlackmanWindow: [0],
  HannWindow: [0],
  HammingWindow: [0],
  Col2Im: [1, 2],
  MaxUnpool: [2],
  MelWeightMatrix: [0, 1, 2, 3, 4],
};

/** Inputs of the operator itself that are shapes, where the test holds its function body instead. */
function shapesOf(name: string): ReadonlySet<string> {
  const path = join(folder, name.replace(/_expanded(_ver\d+)?$/, ''), 'model.onnx');
  if (!/_expanded(_ver\d+)?$/.test(name) || !existsSync(path)) return new Set();
  const { inputs } = readOnnx(path).graph;
  return new Set(inputs.filter((input) => mustBeConstant(input.consumers, input)).map((input) => input.name));
}

function mustBeConstant(
  consumers: ReadonlySet<{ opType: string; inputs: readonly unknown[] }>,
  value: unknown,
): boolean {
  return [...consumers].some(({ opType, inputs }) =>
    (SHAPE_OPERANDS[opType] ?? []).some((index) => inputs[index] === value),
  );
}

function load(test: string, file: string): Tensor | null {
  const path = join(test, 'test_data_set_0', file);
  if (!existsSync(path)) return null;
  return readTensor(new ProtobufReader(new MemorySource(readFileSync(path))), new ExternalFiles(null)).tensor;
}

/** What TFLite has no operators for, and what the artifact has instead. */
const STORED_AS: Readonly<Record<string, string>> = { float64: 'float32', uint64: 'int64' };

/** Shape, type and values. */
function compare(actual: HostTensor | undefined, expected: Tensor): string | null {
  if (actual === undefined) return 'no output';
  if (actual.shape.join() !== expected.shape.join()) return `[${actual.shape.join()}] for [${expected.shape.join()}]`;
  if (elementCount(expected.shape) === 0) return null;
  if (actual.dtype !== expected.dtype && STORED_AS[expected.dtype] !== actual.dtype)
    return `${actual.dtype} for ${expected.dtype}`;
  const isFloat = expected.dtype.startsWith('float') || expected.dtype === 'bfloat16';
  const isHalf = isFloat && expected.dtype !== 'float32' && expected.dtype !== 'float64';
  const values = toNumbers(tensorFromHost(actual));
  const wanted = toNumbers(expected);
  for (let index = 0; index < wanted.length; index++) {
    const [a, b] = [values[index] ?? Number.NaN, wanted[index] ?? Number.NaN];
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    if (!isFloat) return `${a} for ${b} at ${index}`;
    const tolerance = isHalf ? 1e-3 + 1e-2 * Math.abs(b) : 1e-5 + 1e-3 * Math.abs(b);
    if (!(Math.abs(a - b) <= tolerance)) return `${a} for ${b} at ${index}`;
  }
  return null;
}
