/** An ML Program from its protobuf, one function a message. Field numbers: `schema.ts`. */
import { MemoryData } from '../../graph/tensor-data.ts';
import type { ByteSource } from '../../lib/bytes.ts';
import type { ProtobufReader } from '../../lib/protobuf-reader.ts';
import { HoneError } from '../../protocol/errors.ts';
import { bytesOf } from './constants.ts';
import {
  constantOf,
  type MilArgument,
  type MilConstant,
  type MilFunction,
  type MilOperation,
  type MilType,
  MilValue,
} from './program.ts';
import { readNamedType, readValueType } from './read-types.ts';
import {
  ARGUMENT,
  BINDING,
  BLOB_FILE,
  BLOCK,
  FUNCTION,
  IMMEDIATE,
  MAP_ENTRY,
  MIL_DTYPES,
  MODEL,
  OPERATION,
  PROGRAM,
  REPEATED,
  TENSOR_VALUE,
  VALUE,
  WEIGHTS_PATH,
} from './schema.ts';
import { blobAt } from './weight-file.ts';

export interface ReadProgram {
  readonly specification: number;
  readonly main: MilFunction;
}

/** What an operation says before its operands are looked up. */
interface RawOperation {
  type: string;
  readonly inputs: Map<string, (string | MilConstant)[]>;
  readonly outputs: { name: string; type: MilType }[];
  readonly attributes: Map<string, MilConstant>;
}

export class ProgramReader {
  readonly #blobs: ByteSource | null;

  constructor(blobs: ByteSource | null) {
    this.#blobs = blobs;
  }

  model(reader: ProtobufReader): ReadProgram {
    let specification = 0;
    let main: MilFunction | null = null;
    while (reader.next()) {
      if (reader.field === MODEL.specificationVersion) specification = reader.uint();
      else if (reader.field === MODEL.mlProgram) main = reader.message((inner) => this.#program(inner));
      else reader.skip();
    }
    if (main === null) throw new HoneError('format-unsupported', 'The package holds no ML Program.');
    return { specification, main };
  }

  #program(reader: ProtobufReader): MilFunction {
    let main: MilFunction | null = null;
    while (reader.next()) {
      if (reader.field !== PROGRAM.functions) reader.skip();
      else {
        const [name, made] = this.#entry(reader, (inner) => this.#function(inner));
        if (name === 'main' && made !== null) main = made;
      }
    }
    if (main === null) throw new HoneError('format-unsupported', 'The ML Program has no function called main.');
    return main;
  }

  #entry<Result>(reader: ProtobufReader, parse: (reader: ProtobufReader) => Result): [string, Result | null] {
    return reader.message((entry) => {
      let key = '';
      let value: Result | null = null;
      while (entry.next()) {
        if (entry.field === MAP_ENTRY.key) key = entry.string();
        else if (entry.field === MAP_ENTRY.value) value = entry.message(parse);
        else entry.skip();
      }
      return [key, value];
    });
  }

  #function(reader: ProtobufReader): MilFunction {
    const inputs: MilValue[] = [];
    let opset = '';
    const blocks = new Map<string, { operations: RawOperation[]; outputs: string[] }>();
    while (reader.next()) {
      if (reader.field === FUNCTION.inputs) {
        const { name, type } = reader.message(readNamedType);
        inputs.push(new MilValue(name, type));
      } else if (reader.field === FUNCTION.opset) opset = reader.string();
      else if (reader.field === FUNCTION.blockSpecializations) {
        const [name, block] = this.#entry(reader, (inner) => this.#block(inner));
        if (block !== null) blocks.set(name, block);
      } else reader.skip();
    }
    const block = blocks.get(opset);
    if (block === undefined) throw reader.corrupt(`The function has no block for its operator set ${opset}.`);
    return link(inputs, opset, block);
  }

  #block(reader: ProtobufReader): { operations: RawOperation[]; outputs: string[] } {
    const operations: RawOperation[] = [];
    const outputs: string[] = [];
    while (reader.next()) {
      if (reader.field === BLOCK.operations) operations.push(reader.message((inner) => this.#operation(inner)));
      else if (reader.field === BLOCK.outputs) outputs.push(reader.string());
      else reader.skip();
    }
    return { operations, outputs };
  }

  #operation(reader: ProtobufReader): RawOperation {
    const operation: RawOperation = { type: '', inputs: new Map(), outputs: [], attributes: new Map() };
    while (reader.next()) {
      if (reader.field === OPERATION.type) operation.type = reader.string();
      else if (reader.field === OPERATION.inputs) {
        const [name, given] = this.#entry(reader, (inner) => this.#argument(inner));
        operation.inputs.set(name, given ?? []);
      } else if (reader.field === OPERATION.outputs) operation.outputs.push(reader.message(readNamedType));
      else if (reader.field === OPERATION.attributes) {
        const [name, constant] = this.#entry(reader, (inner) => this.#value(inner));
        if (constant !== null) operation.attributes.set(name, constant);
      } else if (reader.field === OPERATION.blocks) {
        throw new HoneError(
          'format-unsupported',
          `The program has a block in ${operation.type}, which Hone does not read.`,
        );
      } else reader.skip();
    }
    return operation;
  }

  #argument(reader: ProtobufReader): (string | MilConstant)[] {
    const bindings: (string | MilConstant)[] = [];
    while (reader.next()) {
      if (reader.field !== ARGUMENT.arguments) reader.skip();
      else {
        reader.message((binding) => {
          while (binding.next()) {
            if (binding.field === BINDING.name) bindings.push(binding.string());
            else if (binding.field === BINDING.value) bindings.push(binding.message((inner) => this.#value(inner)));
            else binding.skip();
          }
        });
      }
    }
    return bindings;
  }

  #value(reader: ProtobufReader): MilConstant {
    let type: MilType | null = null;
    let content: ((type: MilType) => MilConstant) | null = null;
    while (reader.next()) {
      if (reader.field === VALUE.type) type = reader.message(readValueType);
      else if (reader.field === VALUE.immediate) content = reader.message((inner) => this.#immediate(inner));
      else if (reader.field === VALUE.blobFile) content = reader.message((inner) => this.#blob(inner));
      else reader.skip();
    }
    if (type === null || content === null) throw reader.corrupt('A constant has no type or no content.');
    return content(type);
  }

  #blob(reader: ProtobufReader): (type: MilType) => MilConstant {
    let fileName = '';
    let offset = 0;
    while (reader.next()) {
      if (reader.field === BLOB_FILE.fileName) fileName = reader.string();
      else if (reader.field === BLOB_FILE.offset) offset = reader.uint();
      else reader.skip();
    }
    const blobs = this.#blobs;
    if (fileName !== WEIGHTS_PATH || blobs === null)
      throw reader.corrupt(`The weights ${fileName} are not in the package.`);
    return (type) => constantOf(type, blobAt(blobs, offset, { type }));
  }

  #immediate(reader: ProtobufReader): (type: MilType) => MilConstant {
    let content: ((type: MilType) => MilConstant) | null = null;
    while (reader.next()) {
      if (reader.field === IMMEDIATE.tensor) content = reader.message(readTensor);
      else if (reader.field === IMMEDIATE.list) {
        const items = reader.message((list) => {
          const read: MilConstant[] = [];
          while (list.next()) {
            if (list.field === REPEATED.values) read.push(list.message((inner) => this.#value(inner)));
            else list.skip();
          }
          return read;
        });
        content = (type) => ({
          type,
          data: new MemoryData(new Uint8Array(0)),
          strings: items.flatMap(({ strings }) => strings ?? []),
        });
      } else reader.skip();
    }
    if (content === null) throw reader.corrupt('A constant has no content that Hone reads.');
    return content;
  }
}

function readTensor(reader: ProtobufReader): (type: MilType) => MilConstant {
  let content: { field: number; bytes: Uint8Array; strings: string[]; ints: bigint[] } | null = null;
  while (reader.next()) {
    const { field } = reader;
    const part = { field, bytes: new Uint8Array(0) as Uint8Array, strings: [] as string[], ints: [] as bigint[] };
    reader.message((inner) => {
      while (inner.next()) {
        if (inner.field !== REPEATED.values) inner.skip();
        else if (field === TENSOR_VALUE.strings) part.strings.push(inner.string());
        else if (field === TENSOR_VALUE.ints || field === TENSOR_VALUE.longInts) inner.int64s(part.ints);
        else part.bytes = inner.bytes();
      }
    });
    content = part;
  }
  const found = content ?? { field: TENSOR_VALUE.bytes, bytes: new Uint8Array(0), strings: [], ints: [] };
  return (type) => {
    if (found.field === TENSOR_VALUE.strings)
      return { type, data: new MemoryData(new Uint8Array(0)), strings: found.strings };
    const bytes = found.ints.length > 0 ? integerBytes(type, found.ints) : found.bytes;
    const count = type.shape.reduce<number>((product, dim) => product * (dim ?? 1), 1);
    const expected = Math.ceil((count * MIL_DTYPES[type.dtype].bits) / 8);
    if (bytes.length !== expected) {
      throw new HoneError('file-corrupt', `A ${type.dtype} constant of ${count} elements has ${bytes.length} bytes.`);
    }
    return constantOf(type, new MemoryData(bytes));
  };
}

function integerBytes(type: MilType, ints: readonly bigint[]): Uint8Array {
  const numbers = ints.map(Number);
  if (type.dtype === 'int16' || type.dtype === 'uint16') return bytesOf(Uint16Array.from(numbers));
  if (type.dtype === 'int64') return bytesOf(BigInt64Array.from(ints));
  return bytesOf(Int32Array.from(numbers));
}

/** Looks names up: an operand must have been made before. */
function link(
  inputs: MilValue[],
  opset: string,
  block: { operations: RawOperation[]; outputs: string[] },
): MilFunction {
  const values = new Map(inputs.map((input) => [input.name, input]));
  const lookUp = (name: string): MilValue => {
    const value = values.get(name);
    if (value === undefined) throw new HoneError('file-corrupt', `The program reads ${name} before it is made.`);
    return value;
  };
  const operations: MilOperation[] = [];
  for (const raw of block.operations) {
    const declare = (constant: MilConstant | null): MilValue[] =>
      raw.outputs.map(({ name, type }) => {
        if (values.has(name)) throw new HoneError('file-corrupt', `The program makes ${name} twice.`);
        const value = new MilValue(name, type, constant);
        values.set(name, value);
        return value;
      });
    if (raw.type === 'const') {
      const constant = raw.attributes.get('val');
      if (constant === undefined) throw new HoneError('file-corrupt', 'A constant of the program has no value.');
      declare(constant);
      continue;
    }
    const given = new Map<string, MilArgument[]>();
    for (const [name, bindings] of raw.inputs)
      given.set(
        name,
        bindings.map((each) => (typeof each === 'string' ? lookUp(each) : each)),
      );
    for (const [name, constant] of raw.attributes) if (name !== 'name') given.set(name, [constant]);
    operations.push({ type: raw.type, inputs: given, outputs: declare(null) });
  }
  return { opset, inputs, operations, outputs: block.outputs.map(lookUp) };
}
