/**
 * A child process of `runTfliteConformance`: converts the model of a test, runs it on LiteRT, compares with what is expected. In
 * place of LiteRT, Hone's own reader opens the file again and ONNX Runtime runs it.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readOnnx } from '../../native-workers/formats/onnx/read.ts';
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
import type { Feeds, HostTensor } from '../../native-workers/lib/engine.ts';
import { LiteRt } from '../../native-workers/runtimes/litert.ts';
import { openEngine } from '../../native-workers/runtimes/onnxruntime.ts';
import { prepareModel } from '../../native-workers/worker/prepare-model.ts';
import { areClose, testTensor } from './conformance.ts';
import { makeOperandsConstant } from './constant-operands.ts';

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
  // The test's own sizes, and constants: what a converter gets from real models.
  const feeds: Feeds = {};
  for (const [index, input] of inputs.entries()) {
    const tensor = testTensor(test, 'input', index);
    if (tensor === null) continue;
    if (input.type?.kind === 'tensor') input.type = { ...input.type, shape: tensor.shape };
    feeds[input.name] = toHostTensor(tensor);
  }
  makeOperandsConstant(source, test, (index) => testTensor(test, 'input', index));
  inputs.splice(0, inputs.length, ...inputs.filter((input) => feeds[input.name] !== undefined));
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
    const expected = testTensor(test, 'output', index);
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
    if (isFloat ? !areClose(a, b, isHalf) : a !== b) return `${a} for ${b} at ${index}`;
  }
  return null;
}
