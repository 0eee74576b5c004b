/**
 * Writes a TFLite file. Weights are read one at a time. Up to `INSIDE_BYTES` of them stand in the FlatBuffer; beyond that they
 * follow it and are streamed: the FlatBuffer is written with placeholders for their places, which have a fixed width, and the
 * places are filled in last. Source of that form: flatbuffer_export.cc of LiteRT's converter.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { Builder } from 'flatbuffers';
import type { Tensor } from '../../graph/tensor.ts';
import { FlatBuffer } from '../../lib/flatbuffer-reader.ts';
import { HoneError } from '../../protocol/errors.ts';
import { addTable, type TableValue, UnionValue } from './flatbuffer-writer.ts';
import { optionTable, type TflGraph, type TflOperator, type TflTensor, withInnerGraphs } from './ir.ts';
import { firstRuntime, operatorVersion } from './operator-versions.ts';
import { BUILTIN_OPERATORS, FILE_IDENTIFIER, slotOf, tensorTypeOf, UNIONS } from './schema.ts';

export interface WriteOptions {
  /** Largest total of weights that stand inside the FlatBuffer, in bytes. */
  readonly insideBytes?: number;
  readonly description?: string;
}

export interface WrittenTflite {
  readonly bytes: number;
  /** The oldest runtime that knows all operators: `2.9.0`. */
  readonly minRuntime: string;
}

const INSIDE_BYTES = 256 << 20;
/**
 * Places of weights that follow the FlatBuffer have 64 bits, and yet no more: runtimes of 32 bits address no larger file, and the
 * WebAssembly one, which every file is run on before it is called done, is one of them.
 */
const MOST_BYTES = 2 ** 31 - 1;
const CHUNK = 4 << 20;
const ALIGNMENT = 16;
/** XNNPACK reads up to this many bytes past the last weight. */
const OVER_READ = 16;
const SIGNATURE_KEY = 'serving_default';

/**
 * Throws `artifact-too-large` before anything is written, `tensor-too-large` for a graph whose structure alone is beyond a FlatBuffer,
 * and what the disk says.
 */
export function writeTflite(graph: TflGraph, path: string, options: WriteOptions = {}): WrittenTflite {
  const plan = new Plan(graph);
  const total = plan.buffers.reduce((sum, tensor) => sum + tensor.bytes, 0);
  if (total > MOST_BYTES) {
    throw new HoneError(
      'artifact-too-large',
      `The weights take ${(total / 1e9).toFixed(2)} GB and LiteRT of 32 bits loads no file over 2 GB; set tflite.precision to one that stores them smaller.`,
    );
  }
  const outside = total > (options.insideBytes ?? INSIDE_BYTES);
  const minRuntime = firstRuntime(plan.graphs.flatMap(({ operators }) => operators));
  const head = flatBuffer(graph, plan, outside, minRuntime, outside ? 1 << 20 : total + (1 << 20), options);
  const file = openSync(path, 'w');
  try {
    if (!outside) {
      writeAll(file, head, 0);
      return { bytes: head.length, minRuntime };
    }
    return { bytes: streamBuffers(file, head, plan), minRuntime };
  } finally {
    closeSync(file);
  }
}

/** What index every graph, tensor, buffer and operator code gets. */
class Plan {
  readonly graphs: readonly TflGraph[];
  /** By graph. */
  readonly tensors = new Map<TflGraph, Map<TflTensor, number>>();
  /** Constants with different content, in order; buffer 0 of the file is empty, so these start at 1. */
  readonly buffers: Tensor[] = [];
  readonly bufferOf = new Map<TflTensor, number>();
  readonly codes: { code: TflOperator['code']; version: number }[] = [];
  readonly codeOf = new Map<TflOperator, number>();

  constructor(graph: TflGraph) {
    this.graphs = withInnerGraphs(graph);
    for (const each of this.graphs) this.tensors.set(each, this.#tensorsOf(each));
    this.#addBuffers();
  }

  #tensorsOf({ inputs, outputs, operators }: TflGraph): Map<TflTensor, number> {
    const indices = new Map<TflTensor, number>();
    const add = (tensor: TflTensor): void => {
      if (indices.has(tensor)) return;
      indices.set(tensor, indices.size);
      const scales = tensor.quantization?.blocks?.scales;
      if (scales !== undefined) add(scales);
    };
    for (const { tensor } of inputs) add(tensor);
    for (const operator of operators) {
      for (const tensor of [...operator.inputs, ...operator.outputs]) if (tensor !== null) add(tensor);
      this.#addCode(operator);
    }
    for (const { tensor } of outputs) add(tensor);
    return indices;
  }

  #addCode(operator: TflOperator): void {
    const version = operatorVersion(operator);
    const known = this.codes.findIndex((each) => each.code === operator.code && each.version === version);
    if (known < 0) this.codes.push({ code: operator.code, version });
    this.codeOf.set(operator, known < 0 ? this.codes.length - 1 : known);
  }

  /** Tensors of the same bytes share a buffer; only those of one length are compared. */
  #addBuffers(): void {
    const tensors = new Set([...this.tensors.values()].flatMap((indices) => [...indices.keys()]));
    const lengths = new Map<number, number>();
    for (const { constant } of tensors) {
      if (constant !== null) lengths.set(constant.bytes, (lengths.get(constant.bytes) ?? 0) + 1);
    }
    const known = new Map<Tensor | string, number>();
    for (const tensor of tensors) {
      const { constant } = tensor;
      if (constant === null) continue;
      const key = (lengths.get(constant.bytes) ?? 0) > 1 ? hashOf(constant) : constant;
      let index = known.get(key);
      if (index === undefined) {
        index = this.buffers.push(constant);
        known.set(key, index);
      }
      this.bufferOf.set(tensor, index);
    }
  }
}

function hashOf(tensor: Tensor): string {
  const hash = createHash('sha256');
  for (const piece of tensor.data.chunks(CHUNK)) hash.update(piece);
  return hash.digest('base64');
}

function flatBuffer(
  graph: TflGraph,
  plan: Plan,
  outside: boolean,
  minRuntime: string,
  size: number,
  options: WriteOptions,
): Uint8Array {
  const metadata: { name: string; data: Uint8Array }[] = [
    { name: 'min_runtime_version', data: padded(minRuntime) },
    ...(outside ? [{ name: 'buffer_location', data: padded('outside flatbuffers') }] : []),
  ];
  const builder = new Builder(size);
  // Weights first: each is read, copied into the builder and let go before the next.
  const weights = plan.buffers.map((tensor) =>
    addTable(builder, 'Buffer', outside ? { offset: 1n, size: 1n } : { data: tensor.data.read() }),
  );
  const buffers = [
    addTable(builder, 'Buffer', {}),
    ...weights,
    ...metadata.map(({ data }) => addTable(builder, 'Buffer', { data })),
  ];
  builder.startVector(4, buffers.length, 4);
  for (const buffer of buffers.toReversed()) builder.addOffset(buffer);
  const bufferVector = builder.endVector();
  const root = addTable(builder, 'Model', {
    version: 3,
    operator_codes: plan.codes.map(({ code, version }) => ({
      deprecated_builtin_code: Math.min(BUILTIN_OPERATORS[code], 127),
      version,
      builtin_code: BUILTIN_OPERATORS[code],
    })),
    subgraphs: plan.graphs.map((each, index) => subgraph(each, index === 0 ? 'main' : `inner_${index}`, plan)),
    description: options.description ?? 'Made by Hone.',
    metadata: metadata.map(({ name }, index) => ({ name, buffer: 1 + weights.length + index })),
    signature_defs: [
      {
        inputs: graph.inputs.map(({ name, tensor }) => ({
          name,
          tensor_index: plan.tensors.get(graph)?.get(tensor) ?? 0,
        })),
        outputs: graph.outputs.map(({ name, tensor }) => ({
          name,
          tensor_index: plan.tensors.get(graph)?.get(tensor) ?? 0,
        })),
        signature_key: SIGNATURE_KEY,
        subgraph_index: 0,
      },
    ],
    buffers: bufferVector,
  });
  builder.finish(root, FILE_IDENTIFIER);
  return builder.asUint8Array();
}

function padded(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(text.length / 16) * 16);
  bytes.set(new TextEncoder().encode(text));
  return bytes;
}

function subgraph(graph: TflGraph, name: string, plan: Plan): TableValue {
  const indices = plan.tensors.get(graph) ?? new Map<TflTensor, number>();
  const indexOf = (tensor: TflTensor | null): number => (tensor === null ? -1 : (indices.get(tensor) ?? -1));
  return {
    name,
    tensors: [...indices.keys()].map((tensor) => tensorTable(tensor, indices, plan)),
    inputs: graph.inputs.map(({ tensor }) => indexOf(tensor)),
    outputs: graph.outputs.map(({ tensor }) => indexOf(tensor)),
    operators: graph.operators.map((operator) => {
      const table = optionTable(operator.code);
      const graphs = Object.entries(operator.graphs ?? {}).map(([option, inner]) => [
        option,
        plan.graphs.indexOf(inner),
      ]);
      const value: TableValue = { ...operator.options, ...Object.fromEntries(graphs) };
      const second = table !== null && !UNIONS['BuiltinOptions']?.includes(table);
      return {
        opcode_index: plan.codeOf.get(operator) ?? 0,
        inputs: operator.inputs.map(indexOf),
        outputs: operator.outputs.map(indexOf),
        ...(table === null ? {} : { [second ? 'builtin_options_2' : 'builtin_options']: new UnionValue(table, value) }),
      };
    }),
  };
}

function tensorTable(tensor: TflTensor, indices: ReadonlyMap<TflTensor, number>, plan: Plan): TableValue {
  const type = tensorTypeOf(tensor.dtype);
  if (type === null) throw new HoneError('internal', `TFLite has no ${tensor.dtype} tensors.`);
  return {
    name: tensor.name,
    shape: [...tensor.shape],
    type,
    buffer: plan.bufferOf.get(tensor) ?? 0,
    has_rank: true,
    ...(tensor.signature === null ? {} : { shape_signature: [...tensor.signature] }),
    ...(tensor.quantization === null ? {} : { quantization: quantizationTable(tensor, indices) }),
  };
}

function quantizationTable({ quantization }: TflTensor, indices: ReadonlyMap<TflTensor, number>): TableValue {
  if (quantization === null) return {};
  const { blocks } = quantization;
  if (blocks !== undefined) {
    const details = { scales: indices.get(blocks.scales) ?? 0, zero_points: -1, block_size: blocks.size };
    return { details: new UnionValue('BlockwiseQuantization', details), quantized_dimension: 0 };
  }
  return {
    scale: [...quantization.scales],
    zero_point: [...quantization.zeroPoints],
    quantized_dimension: quantization.axis,
  };
}

/** Appends the weights to the FlatBuffer and fills in where they are. Returns the size of the file. */
function streamBuffers(file: number, head: Uint8Array, plan: Plan): number {
  const tables = new FlatBuffer(head, 'the new file').root().tables(slotOf('Model', 'buffers'));
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  let at = aligned(head.length);
  for (const [index, tensor] of plan.buffers.entries()) {
    const table = tables[index + 1];
    view.setBigUint64(table?.field(slotOf('Buffer', 'offset')) ?? 0, BigInt(at), true);
    view.setBigUint64(table?.field(slotOf('Buffer', 'size')) ?? 0, BigInt(tensor.bytes), true);
    let end = at;
    for (const piece of tensor.data.chunks(CHUNK)) {
      writeAll(file, piece, end);
      end += piece.length;
    }
    at = aligned(end);
  }
  writeAll(file, head, 0);
  const size = aligned(at + OVER_READ);
  writeAll(file, new Uint8Array(size - at), at);
  return size;
}

const aligned = (at: number): number => Math.ceil(at / ALIGNMENT) * ALIGNMENT;

function writeAll(file: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(file, bytes, done, Math.min(bytes.length - done, 1 << 30), at + done);
  }
}
