/** Writes an ML Program as an `.mlpackage` folder: the manifest, the model as protobuf and the weights. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeMessage, type FieldWriter } from '../../lib/protobuf-writer.ts';
import { HoneError } from '../../protocol/errors.ts';
import {
  isValue,
  type MilArgument,
  type MilConstant,
  type MilOperation,
  type MilPackage,
  type MilType,
  type MilValue,
  stringConstant,
} from './program.ts';
import {
  ARGUMENT,
  BINDING,
  BLOB_FILE,
  BLOCK,
  CONSTANT_DIMENSION,
  DICTIONARY_TYPE,
  DIMENSION,
  FUNCTION,
  IMMEDIATE,
  LIST_TYPE,
  MAP_ENTRY,
  MIL_DTYPES,
  MODEL,
  NAMED_TYPE,
  OPERATION,
  PROGRAM,
  REPEATED,
  TARGETS,
  TENSOR_TYPE,
  TENSOR_VALUE,
  UNKNOWN_DIMENSION,
  VALUE,
  VALUE_TYPE,
  WEIGHTS_PATH,
} from './schema.ts';
import { isBlob, WeightPlan } from './weight-file.ts';
import { writeDescription } from './write-description.ts';

const AUTHOR = 'com.apple.CoreML';
/** No protobuf message is larger. The file of weights has offsets of 64 bits, and no such limit. */
const MOST_PROGRAM_BYTES = 2 ** 31 - 1;

/**
 * Writes the folder `path`, which must not be there. Returns the files relative to it. The same program gives the same bytes.
 * Weights go to the disk chunk by chunk. Throws `artifact-too-large` before anything is written, `disk-full`, `no-permission`.
 */
export async function writePackage(model: MilPackage, path: string): Promise<string[]> {
  const writer = new ProgramWriter(model);
  refuseTooLarge(writer.constantBytes());
  const message = encodeMessage((fields) => writer.model(fields));
  const data = join(path, 'Data', AUTHOR);
  await mkdir(data, { recursive: true });
  const file = openSync(join(data, 'model.mlmodel'), 'wx');
  try {
    message.write((piece) => {
      for (let at = 0; at < piece.length; ) at += writeSync(file, piece, at, piece.length - at);
    });
  } finally {
    closeSync(file);
  }
  const files = ['Manifest.json', join('Data', AUTHOR, 'model.mlmodel')];
  const hasWeights = writer.weights.count > 0;
  // The manifest names the folder of weights only when there is one: all paths in it must exist.
  if (hasWeights) {
    await mkdir(join(data, 'weights'));
    writer.weights.write(join(data, 'weights', 'weight.bin'));
    files.push(join('Data', AUTHOR, 'weights', 'weight.bin'));
  }
  await writeFile(join(path, 'Manifest.json'), manifest(model, hasWeights));
  return files;
}

function refuseTooLarge(bytes: number): void {
  if (bytes <= MOST_PROGRAM_BYTES) return;
  throw new HoneError(
    'artifact-too-large',
    `Constants of ${(bytes / 1e9).toFixed(2)} GB would stand in the program itself, and Core ML reads one of 2 GB; from iOS 18 on all numbers may stand in the file of weights: set coreml.target.`,
  );
}

function manifest(model: MilPackage, hasWeights: boolean): string {
  // Identifiers only have to differ inside one package; made from the content, the same model gives the same package.
  const seed = `${model.specification} ${model.main.operations.length} ${model.inputs.map(({ name }) => name).join()}`;
  const item = (name: string, description: string): [string, object] => [
    uuid(`${seed} ${name}`),
    { author: AUTHOR, description, name, path: `${AUTHOR}/${name}` },
  ];
  const root = item('model.mlmodel', 'CoreML Model Specification');
  const items = hasWeights ? [root, item('weights', 'CoreML Model Weights')] : [root];
  return `${JSON.stringify(
    { fileFormatVersion: '1.0.0', itemInfoEntries: Object.fromEntries(items), rootModelIdentifier: root[0] },
    null,
    4,
  )}\n`;
}

function uuid(seed: string): string {
  const hex = createHash('sha256').update(seed).digest('hex').toUpperCase();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

class ProgramWriter {
  readonly weights = new WeightPlan();
  readonly #model: MilPackage;
  readonly #target: number;

  constructor(model: MilPackage) {
    this.#model = model;
    const target = Object.values(TARGETS).find(({ specification }) => specification === model.specification);
    this.#target = target?.number ?? 15;
  }

  /** Of the constants that stand in the program and not in the file of weights. */
  constantBytes(): number {
    const seen = new Set<MilConstant>();
    for (const { inputs } of this.#model.main.operations) {
      for (const argument of [...inputs.values()].flat()) {
        const constant = isValue(argument) ? argument.constant : argument;
        if (constant !== null && !(isValue(argument) && isBlob(constant, this.#target))) seen.add(constant);
      }
    }
    return [...seen].reduce((sum, { data }) => sum + data.byteLength, 0);
  }

  model(writer: FieldWriter): void {
    writer.uint(MODEL.specificationVersion, this.#model.specification);
    writer.message(MODEL.description, (inner) => writeDescription(inner, this.#model));
    writer.message(MODEL.mlProgram, (inner) => {
      inner.uint(PROGRAM.version, 1);
      mapEntry(inner, PROGRAM.functions, 'main', (main) => this.#function(main));
    });
  }

  #function(writer: FieldWriter): void {
    const { inputs, opset } = this.#model.main;
    for (const input of inputs) writer.message(FUNCTION.inputs, (inner) => namedType(inner, input));
    writer.string(FUNCTION.opset, opset);
    mapEntry(writer, FUNCTION.blockSpecializations, opset, (block) => this.#block(block));
  }

  #block(writer: FieldWriter): void {
    const { operations, outputs } = this.#model.main;
    for (const output of outputs) writer.string(BLOCK.outputs, output.name);
    const written = new Set<MilValue>();
    for (const operation of operations) {
      for (const argument of [...operation.inputs.values()].flat()) {
        if (!isValue(argument) || argument.constant === null || written.has(argument)) continue;
        written.add(argument);
        writer.message(BLOCK.operations, (inner) => this.#const(inner, argument, argument.constant as MilConstant));
      }
      writer.message(BLOCK.operations, (inner) => this.#operation(inner, operation));
    }
  }

  #const(writer: FieldWriter, value: MilValue, constant: MilConstant): void {
    writer.string(OPERATION.type, 'const');
    writer.message(OPERATION.outputs, (inner) => namedType(inner, value));
    this.#attribute(writer, 'name', stringConstant(value.name));
    this.#attribute(writer, 'val', constant);
  }

  #operation(writer: FieldWriter, operation: MilOperation): void {
    writer.string(OPERATION.type, operation.type);
    // The operators of iOS 16 that make weights have their operands as attributes; later ones as inputs.
    const asAttributes = operation.type.startsWith('constexpr_') && this.#target < 18;
    for (const [parameter, given] of operation.inputs) {
      if (asAttributes) continue;
      mapEntry(writer, OPERATION.inputs, parameter, (inner) => {
        for (const each of given) inner.message(ARGUMENT.arguments, (binding) => this.#binding(binding, each));
      });
    }
    for (const output of operation.outputs) writer.message(OPERATION.outputs, (inner) => namedType(inner, output));
    this.#attribute(writer, 'name', stringConstant(operation.outputs[0]?.name ?? operation.type));
    if (!asAttributes) return;
    for (const [parameter, [given]] of operation.inputs) {
      const constant = given === undefined ? null : isValue(given) ? given.constant : given;
      if (constant !== null) this.#attribute(writer, parameter, constant);
    }
  }

  #binding(writer: FieldWriter, argument: MilArgument): void {
    if (isValue(argument)) writer.string(BINDING.name, argument.name);
    else writer.message(BINDING.value, (inner) => this.#value(inner, argument));
  }

  #attribute(writer: FieldWriter, name: string, constant: MilConstant): void {
    mapEntry(writer, OPERATION.attributes, name, (inner) => this.#value(inner, constant));
  }

  #value(writer: FieldWriter, constant: MilConstant): void {
    writer.message(VALUE.type, (inner) => valueType(inner, constant.type));
    if (isBlob(constant, this.#target)) {
      const offset = this.weights.add(constant);
      writer.message(VALUE.blobFile, (inner) => {
        inner.string(BLOB_FILE.fileName, WEIGHTS_PATH);
        inner.uint(BLOB_FILE.offset, offset);
      });
      return;
    }
    writer.message(VALUE.immediate, (inner) => {
      if (constant.type.container === 'list') inner.message(IMMEDIATE.list, (list) => this.#list(list, constant));
      else inner.message(IMMEDIATE.tensor, (tensor) => tensorValue(tensor, constant));
    });
  }

  #list(writer: FieldWriter, constant: MilConstant): void {
    for (const text of constant.strings ?? []) {
      writer.message(REPEATED.values, (inner) => this.#value(inner, stringConstant(text)));
    }
  }
}

function mapEntry(writer: FieldWriter, field: number, key: string, value: (writer: FieldWriter) => void): void {
  writer.message(field, (entry) => {
    entry.string(MAP_ENTRY.key, key);
    entry.message(MAP_ENTRY.value, value);
  });
}

function namedType(writer: FieldWriter, value: MilValue): void {
  writer.string(NAMED_TYPE.name, value.name);
  writer.message(NAMED_TYPE.type, (inner) => valueType(inner, value.type));
}

function valueType(writer: FieldWriter, type: MilType): void {
  const scalar: MilType = { dtype: type.dtype, shape: [] };
  if (type.container === 'list') {
    writer.message(VALUE_TYPE.list, (list) => {
      list.message(LIST_TYPE.type, (inner) => valueType(inner, scalar));
      list.message(LIST_TYPE.length, (inner) => dimension(inner, type.shape[0] ?? null));
    });
    return;
  }
  if (type.container === 'dictionary') {
    writer.message(VALUE_TYPE.dictionary, (dictionary) => {
      dictionary.message(DICTIONARY_TYPE.key, (inner) => valueType(inner, scalar));
      dictionary.message(DICTIONARY_TYPE.value, (inner) => valueType(inner, { dtype: 'fp64', shape: [] }));
    });
    return;
  }
  writer.message(VALUE_TYPE.tensor, (tensor) => {
    tensor.uint(TENSOR_TYPE.dataType, MIL_DTYPES[type.dtype].code);
    tensor.uint(TENSOR_TYPE.rank, type.shape.length);
    for (const dim of type.shape) tensor.message(TENSOR_TYPE.dimensions, (inner) => dimension(inner, dim));
  });
}

function dimension(writer: FieldWriter, dim: number | null): void {
  if (dim === null) {
    writer.message(DIMENSION.unknown, (inner) => inner.uint(UNKNOWN_DIMENSION.variadic, 0));
    return;
  }
  writer.message(DIMENSION.constant, (inner) => inner.uint(CONSTANT_DIMENSION.size, dim));
}

/** Which list holds the elements of a type is part of the format: half floats, small integers and uint32
 * stand as raw bytes. Source: coremltools, IMMEDIATE_VALUE_TYPES_IN_BYTES. */
function tensorValue(writer: FieldWriter, { type, data, strings }: MilConstant): void {
  if (strings !== null) {
    writer.message(TENSOR_VALUE.strings, (inner) => {
      for (const text of strings) inner.string(REPEATED.values, text);
    });
    return;
  }
  const bytes = data.read();
  const values = (field: number, packed: Uint8Array): void =>
    writer.message(field, (inner) => inner.bytes(REPEATED.values, packed));
  if (type.dtype === 'fp32') values(TENSOR_VALUE.floats, bytes);
  else if (type.dtype === 'bool') values(TENSOR_VALUE.bools, bytes);
  else if (type.dtype === 'int32') values(TENSOR_VALUE.ints, varints(new Int32Array(new Uint8Array(bytes).buffer)));
  else if (type.dtype === 'int16') values(TENSOR_VALUE.ints, varints(new Int16Array(new Uint8Array(bytes).buffer)));
  else if (type.dtype === 'uint16') values(TENSOR_VALUE.ints, varints(new Uint16Array(new Uint8Array(bytes).buffer)));
  else values(TENSOR_VALUE.bytes, bytes);
}

/** Packed protobuf integers; a negative one takes ten bytes. */
function varints(values: Iterable<number>): Uint8Array {
  const bytes: number[] = [];
  for (const value of values) {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
    bytes.push(Number(rest));
  }
  return Uint8Array.from(bytes);
}
