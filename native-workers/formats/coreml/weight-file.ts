/**
 * `weight.bin`: large constants of an ML Program, each with a record of 64 bytes before it.
 * Source: coremltools, MILBlob/Blob/StorageFormat.hpp (conversion.md section 2.4).
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { TensorData } from '../../graph/tensor.ts';
import type { ByteSource } from '../../lib/bytes.ts';
import { HoneError } from '../../protocol/errors.ts';
import type { MilConstant } from './program.ts';
import { MIL_DTYPES } from './schema.ts';

const ALIGNMENT = 64;
const HEADER = 64;
const RECORD = 64;
const SENTINEL = 0xdeadbeef;
const VERSION = 2;
const CHUNK = 8 << 20;
/** Fewer elements stay in the model file. */
const FEWEST = 10;

/** Whether a constant goes to the file. Sub-byte types always do; 16- and 32-bit integers only from iOS 18 on. */
export function isBlob(constant: MilConstant, target: number): boolean {
  const { dtype, shape } = constant.type;
  if (constant.strings !== null) return false;
  const { bits } = MIL_DTYPES[dtype];
  if (bits < 8) return true;
  const count = shape.reduce<number>((product, dim) => product * (dim ?? 1), 1);
  if (count < FEWEST) return false;
  if (dtype === 'fp16' || dtype === 'fp32' || dtype === 'int8' || dtype === 'uint8') return true;
  return target >= 18 && (dtype === 'int16' || dtype === 'uint16' || dtype === 'int32' || dtype === 'uint32');
}

/** Constants with the places of their records; the same data is kept once. */
export class WeightPlan {
  readonly #offsets = new Map<TensorData, { readonly offset: number; readonly constant: MilConstant }>();
  #end = HEADER;

  get count(): number {
    return this.#offsets.size;
  }

  /** The offset of the constant's record. */
  add(constant: MilConstant): number {
    const known = this.#offsets.get(constant.data);
    if (known !== undefined && known.constant.type.dtype === constant.type.dtype) return known.offset;
    const offset = Math.ceil(this.#end / ALIGNMENT) * ALIGNMENT;
    this.#offsets.set(constant.data, { offset, constant });
    this.#end = offset + RECORD + constant.data.byteLength;
    return offset;
  }

  /** Writes the file, a chunk of one constant at a time in memory. */
  write(path: string): void {
    const file = openSync(path, 'wx');
    try {
      const header = Buffer.alloc(HEADER);
      header.writeUInt32LE(this.#offsets.size, 0);
      header.writeUInt32LE(VERSION, 4);
      writeAll(file, header);
      let at = HEADER;
      for (const { offset, constant } of this.#offsets.values()) {
        if (offset > at) writeAll(file, Buffer.alloc(offset - at));
        writeAll(file, recordOf(constant, offset));
        for (const chunk of constant.data.chunks(CHUNK)) writeAll(file, chunk);
        at = offset + RECORD + constant.data.byteLength;
      }
    } finally {
      closeSync(file);
    }
  }
}

function recordOf({ type, data }: MilConstant, offset: number): Buffer {
  const { blob, bits } = MIL_DTYPES[type.dtype];
  if (blob === null) throw new HoneError('internal', `A ${type.dtype} constant cannot stand in the weight file.`);
  const used = type.shape.reduce<number>((product, dim) => product * (dim ?? 1), 1) * bits;
  const record = Buffer.alloc(RECORD);
  record.writeUInt32LE(SENTINEL, 0);
  record.writeUInt32LE(blob, 4);
  record.writeBigUInt64LE(BigInt(data.byteLength), 8);
  record.writeBigUInt64LE(BigInt(offset + RECORD), 16);
  record.writeBigUInt64LE(BigInt(data.byteLength * 8 - used), 24);
  return record;
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at);
}

/** The data whose record is at `offset`, checked against the type that the program says; throws `file-corrupt`. */
export function blobAt(source: ByteSource, offset: number, constant: Pick<MilConstant, 'type'>): TensorData {
  const corrupt = (message: string): HoneError =>
    new HoneError('file-corrupt', message, {
      where: source.path === null ? { offset } : { file: source.path, offset },
    });
  if (offset % ALIGNMENT !== 0 || offset < HEADER || offset + RECORD > source.length) {
    throw corrupt('The place of a weight lies outside the weight file.');
  }
  const record = Buffer.alloc(RECORD);
  source.read(record, offset);
  if (record.readUInt32LE(0) !== SENTINEL) throw corrupt('There is no weight where the program says one is.');
  const { dtype, shape } = constant.type;
  const { blob, bits } = MIL_DTYPES[dtype];
  if (record.readUInt32LE(4) !== blob) throw corrupt(`The weight is not of the type ${dtype} that the program says.`);
  const bytes = Number(record.readBigUInt64LE(8));
  const from = Number(record.readBigUInt64LE(16));
  const count = shape.reduce<number>((product, dim) => product * (dim ?? 1), 1);
  if (bytes !== Math.ceil((count * bits) / 8))
    throw corrupt(`A ${dtype} weight of ${count} elements has ${bytes} bytes.`);
  if (from + bytes > source.length) throw corrupt('The data of a weight lie outside the weight file.');
  return source.later(from, bytes);
}

/** Values of `bits` bits each as a bit stream, the first in the lowest bits; they may cross bytes. Negative ones in two's complement. */
export function packBits(values: ArrayLike<number>, bits: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((values.length * bits) / 8));
  const mask = (1 << bits) - 1;
  for (let index = 0; index < values.length; index++) {
    const at = index * bits;
    const shifted = ((values[index] ?? 0) & mask) << (at % 8);
    const byte = at >> 3;
    bytes[byte] = (bytes[byte] ?? 0) | (shifted & 0xff);
    if (shifted > 0xff) bytes[byte + 1] = (bytes[byte + 1] ?? 0) | (shifted >> 8);
  }
  return bytes;
}

/** The reverse of `packBits`, as unsigned numbers. */
export function unpackBits(bytes: Uint8Array, bits: number, count: number): Uint8Array {
  const values = new Uint8Array(count);
  const mask = (1 << bits) - 1;
  for (let index = 0; index < count; index++) {
    const at = index * bits;
    const byte = at >> 3;
    values[index] = (((bytes[byte] ?? 0) | ((bytes[byte + 1] ?? 0) << 8)) >> (at % 8)) & mask;
  }
  return values;
}
