/**
 * Writes an ONNX model: sizes first, then bytes, the weights streamed through one buffer. A protobuf message cannot be larger
 * than 2 GB, so larger models keep their weights in a second file beside the first. The same model gives the same bytes.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Graph } from '../../graph/graph.ts';
import type { Model, ModelFunction } from '../../graph/model.ts';
import type { TensorData } from '../../graph/tensor.ts';
import { FileData } from '../../graph/tensor-data.ts';
import { replaceFile } from '../../lib/atomic-file.ts';
import { type EncodedMessage, encodeMessage, type FieldWriter } from '../../lib/protobuf-writer.ts';
import { HoneError } from '../../protocol/errors.ts';
import { FUNCTION, MODEL } from './schema.ts';
import { type ExternalPlan, entries, GraphWriter, operatorSets, optionalString } from './write-graph.ts';

/** The largest message that protobuf reads is 2^31 - 1 bytes; below that, some room for engines that add to a model. */
const LARGEST_FILE = 1_900_000_000;
const PROTOBUF_LIMIT = 2 ** 31 - 1;
/** Smaller tensors stay in the model file: a page of their own would be larger than they are. */
const SMALLEST_EXTERNAL = 4096;
/** Offsets that engines can map into memory. Source: onnx/docs/ExternalData.md. */
const PAGE = 4096;
const CHUNK = 8 << 20;

export interface WriteOptions {
  /** Weights in a file of their own: when the model would be too large for one file, always, or never. Default 'auto'. */
  readonly external?: 'auto' | 'always' | 'never';
  /** Called now and then with the bytes written and those to write. */
  readonly progress?: (done: number, total: number) => void;
}

export interface WrittenModel {
  /** Of all files together. */
  readonly bytes: number;
  /** The model file first, then the file with its weights if there is one. */
  readonly files: readonly string[];
}

/**
 * Writes `path`, and `<path>.data` for external weights; each appears complete or not at all. Throws `disk-full`,
 * `no-permission`, `graph-cycle`, `tensor-too-large` when it does not fit one file and must, and `invalid-options` when it
 * would overwrite a file that the model still reads its weights from.
 */
export async function writeOnnx(model: Model, path: string, options: WriteOptions = {}): Promise<WrittenModel> {
  const target = resolve(path);
  const dataPath = `${target}.data`;
  refuseOverwriting(model, [target, dataPath]);
  const plan = planExternal(model, basename(dataPath), options.external ?? 'auto');
  const message = encodeModel(model, plan);
  checkSize(message);
  const total = message.bytes + (plan?.bytes ?? 0);
  let done = 0;
  const writeTo = (file: number) => (piece: Uint8Array) => {
    for (let at = 0; at < piece.length; ) at += writeSync(file, piece, at, piece.length - at);
    done += piece.length;
    options.progress?.(done, total);
  };
  // The weights first: a model without its weights would be worse than none.
  if (plan !== null) await replaceFile(dataPath, (temporary) => inFile(temporary, (file) => plan.write(writeTo(file))));
  await replaceFile(target, (temporary) => inFile(temporary, (file) => message.write(writeTo(file))));
  return { bytes: total, files: plan === null ? [target] : [target, dataPath] };
}

/** The model as one message in memory, for engines and tests. Throws `tensor-too-large` above protobuf's 2 GB. */
export function onnxBytes(model: Model): Uint8Array {
  const message = encodeModel(model, null);
  checkSize(message);
  const bytes = new Uint8Array(message.bytes);
  let at = 0;
  message.write((piece) => {
    bytes.set(piece, at);
    at += piece.length;
  });
  return bytes;
}

/** The size that the model has in one file. */
export function onnxSize(model: Model): number {
  return encodeModel(model, null).bytes;
}

function inFile(path: string, write: (file: number) => void): void {
  const file = openSync(path, 'wx');
  try {
    write(file);
  } finally {
    closeSync(file);
  }
}

function checkSize(message: EncodedMessage): void {
  if (message.bytes <= PROTOBUF_LIMIT) return;
  throw new HoneError(
    'tensor-too-large',
    `The model takes ${message.bytes} bytes in one file, and a protobuf file holds at most ${PROTOBUF_LIMIT}.`,
  );
}

function refuseOverwriting(model: Model, targets: readonly string[]): void {
  const read = new Set<string>();
  for (const tensorData of initializerData(model.graph)) {
    if (tensorData instanceof FileData) read.add(resolve(tensorData.path));
  }
  const target = targets.find((path) => read.has(path));
  if (target !== undefined) {
    throw new HoneError(
      'invalid-options',
      `${join(dirname(target), basename(target))} holds the weights of the model that is written.`,
      {
        where: { file: target },
      },
    );
  }
}

function* initializerData(graph: Graph): Iterable<TensorData> {
  for (const { tensor } of graph.initializers) if (tensor !== null) yield tensor.data;
  for (const node of graph.nodes) for (const subgraph of node.subgraphs()) yield* initializerData(subgraph);
}

interface WritePlan extends ExternalPlan {
  readonly bytes: number;
  write(sink: (piece: Uint8Array) => void): void;
}

function planExternal(model: Model, location: string, when: 'auto' | 'always' | 'never'): WritePlan | null {
  if (when === 'never' || (when === 'auto' && onnxSize(model) <= LARGEST_FILE)) return null;
  const offsets = new Map<TensorData, number>();
  let end = 0;
  for (const data of initializerData(model.graph)) {
    if (data.byteLength < SMALLEST_EXTERNAL || offsets.has(data)) continue;
    const offset = Math.ceil(end / PAGE) * PAGE;
    offsets.set(data, offset);
    end = offset + data.byteLength;
  }
  if (offsets.size === 0) return null;
  return { location, offsets, bytes: end, write: (sink) => writeWeights(offsets, sink) };
}

function writeWeights(offsets: ReadonlyMap<TensorData, number>, sink: (piece: Uint8Array) => void): void {
  const padding = new Uint8Array(PAGE);
  let at = 0;
  for (const [data, offset] of offsets) {
    if (offset > at) sink(padding.subarray(0, offset - at));
    at = offset;
    for (const piece of data.chunks(CHUNK)) {
      sink(piece);
      at += piece.length;
    }
    if (at !== offset + data.byteLength) {
      throw new HoneError('internal', `Tensor data said to be ${data.byteLength} bytes long came as ${at - offset}.`);
    }
  }
}

function encodeModel(model: Model, external: ExternalPlan | null): EncodedMessage {
  const graphs = new GraphWriter(external);
  return encodeMessage((writer) => {
    writer.uint(MODEL.irVersion, irVersionOf(model));
    optionalString(writer, MODEL.producerName, model.producerName);
    optionalString(writer, MODEL.producerVersion, model.producerVersion);
    optionalString(writer, MODEL.domain, model.domain);
    if (model.modelVersion !== 0n) writer.int64(MODEL.modelVersion, model.modelVersion);
    optionalString(writer, MODEL.docString, model.docString);
    writer.message(MODEL.graph, (inner) => graphs.graph(inner, model.graph));
    operatorSets(writer, MODEL.opsetImport, model.opsets);
    entries(writer, MODEL.metadata, model.metadata);
    for (const each of model.functions) writer.message(MODEL.functions, (inner) => writeFunction(inner, each, graphs));
    if (model.opaqueFields !== null) writer.raw(model.opaqueFields);
  });
}

/** Before IR version 4 every initializer had to be an input. A pass that adds one makes it a model of version 4. */
function irVersionOf(model: Model): number {
  if (model.irVersion >= 4) return model.irVersion;
  const inputs = new Set(model.graph.inputs);
  for (const value of model.graph.initializers) if (!inputs.has(value)) return 4;
  return model.irVersion;
}

function writeFunction(writer: FieldWriter, each: ModelFunction, graphs: GraphWriter): void {
  writer.string(FUNCTION.name, each.name);
  for (const input of each.body.inputs) writer.string(FUNCTION.input, input.name);
  for (const output of each.body.outputs) writer.string(FUNCTION.output, output.name);
  for (const name of each.attributes) writer.string(FUNCTION.attribute, name);
  for (const node of graphs.order(each.body)) writer.message(FUNCTION.node, (inner) => graphs.node(inner, node));
  optionalString(writer, FUNCTION.docString, each.docString);
  operatorSets(writer, FUNCTION.opsetImport, each.opsets);
  writer.string(FUNCTION.domain, each.domain);
  for (const [name, attribute] of each.attributeDefaults)
    graphs.attribute(writer, FUNCTION.attributeProto, name, attribute);
  graphs.valueInfos(writer, FUNCTION.valueInfo, each.body);
  optionalString(writer, FUNCTION.overload, each.overload);
  entries(writer, FUNCTION.metadata, each.body.metadata);
  if (each.opaqueFields !== null) writer.raw(each.opaqueFields);
}
