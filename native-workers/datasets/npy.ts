/**
 * NumPy arrays (`.npy`) as streams of rows along the first axis. Format: numpy/lib/format.py, versions 1 to 3: magic, version,
 * little-endian header length, a Python dictionary literal of fixed form, then the elements. Pickled objects are never read.
 */

import type { Readable } from 'node:stream';
import type { DType } from '../graph/dtype.ts';
import { elementCount } from '../graph/dtype.ts';
import type { NumericArray } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';

export interface NpyHeader {
  /** `string` for fixed-width unicode and bytes. */
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Bytes of one element. */
  readonly itemBytes: number;
  readonly bigEndian: boolean;
  /** UTF-32 (`U`) or bytes (`S`), for strings. */
  readonly encoding: 'U' | 'S' | null;
  /** Where the elements begin. */
  readonly dataOffset: number;
}

/** Values of one row: numbers of the array's own type (float16 as bits), or strings. */
export type NpyValues = NumericArray | readonly string[];

const MAGIC = Buffer.from('\x93NUMPY', 'latin1');
const MOST_HEADER_BYTES = 65536;
/** A sample of 1 GiB is a damaged header, or an archive made to use up the memory. */
const MOST_ROW_BYTES = 2 ** 30;

const NUMBERS: Record<string, DType> = {
  b1: 'bool',
  i1: 'int8',
  u1: 'uint8',
  i2: 'int16',
  u2: 'uint16',
  i4: 'int32',
  u4: 'uint32',
  i8: 'int64',
  u8: 'uint64',
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
};

/** Bytes of the magic, version and header that `bytes` begins with; null when `bytes` is too short to tell. */
export function npyHeaderBytes(bytes: Buffer, name: string): number | null {
  if (bytes.length < 12) return null;
  if (!bytes.subarray(0, 6).equals(MAGIC)) throw unreadable(name, 'It is no NumPy array.');
  const major = bytes[6] as number;
  if (major < 1 || major > 3) throw unreadable(name, `Its format version is ${major}.`);
  const length = major === 1 ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8);
  if (length > MOST_HEADER_BYTES) throw unreadable(name, `Its header is ${length} bytes long.`);
  return (major === 1 ? 10 : 12) + length;
}

/** `bytes` holds the whole header; `fileBytes` is the length of the array's file, which must be exact. */
export function parseNpyHeader(bytes: Buffer, fileBytes: number, name: string): NpyHeader {
  const dataOffset = npyHeaderBytes(bytes, name);
  if (dataOffset === null || bytes.length < dataOffset) throw unreadable(name, 'It ends within its header.');
  const text = bytes.subarray(bytes[6] === 1 ? 10 : 12, dataOffset).toString('latin1');
  const descr = /'descr':\s*'([^']*)'/.exec(text)?.[1];
  const fortran = /'fortran_order':\s*(True|False)/.exec(text)?.[1];
  const dims = /'shape':\s*\(([\d,\sL]*)\)/.exec(text)?.[1];
  if (descr === undefined || fortran === undefined || dims === undefined) {
    throw unreadable(name, 'Its header is not that of a plain array.');
  }
  const shape = (dims.match(/\d+/g) ?? []).map(Number);
  const count = elementCount(shape);
  if (fortran === 'True' && shape.length > 1) {
    throw unreadable(name, 'It is stored in Fortran order; save np.ascontiguousarray(array) instead.');
  }
  const element = parseDescr(descr, name);
  const needed = dataOffset + count * element.itemBytes;
  if (needed !== fileBytes) throw unreadable(name, `Its header needs ${needed} bytes and it has ${fileBytes}.`);
  return { ...element, shape, dataOffset };
}

function parseDescr(descr: string, name: string): Omit<NpyHeader, 'shape' | 'dataOffset'> {
  const [, order, kind, width] = /^([<>|=])([A-Za-z])(\d+)$/.exec(descr) ?? [];
  if (order === undefined || kind === undefined || width === undefined) {
    throw unreadable(name, `Its elements are ${descr}, which Hone does not read.`);
  }
  const bigEndian = order === '>';
  if (kind === 'U' || kind === 'S') {
    const itemBytes = Number(width) * (kind === 'U' ? 4 : 1);
    if (itemBytes === 0 || itemBytes > 1 << 20) throw unreadable(name, `Its strings are ${itemBytes} bytes wide.`);
    return { dtype: 'string', itemBytes, bigEndian, encoding: kind };
  }
  const dtype = NUMBERS[kind + width];
  if (dtype === undefined)
    throw unreadable(name, `Its elements are ${descr}; pickled objects and the like are not read.`);
  return { dtype, itemBytes: Number(width), bigEndian, encoding: null };
}

/** The rows at the ascending `indexes` (all when null), read from a stream of the whole file and held one at a time. */
export async function* npyRows(
  stream: Readable,
  header: NpyHeader,
  indexes: readonly number[] | null,
  name: string,
): AsyncGenerator<NpyValues> {
  const [rows = 1, ...rest] = header.shape;
  const rowBytes = elementCount(rest) * header.itemBytes;
  if (rowBytes === 0 || rowBytes > MOST_ROW_BYTES) {
    throw unreadable(name, `A row of it is ${rowBytes} bytes long; 1 to ${MOST_ROW_BYTES} are allowed.`);
  }
  const reader = new StreamBytes(stream, name);
  try {
    let at = 0;
    await reader.skip(header.dataOffset);
    const count = indexes?.length ?? rows;
    for (let number = 0; number < count; number++) {
      const index = indexes?.[number] ?? number;
      await reader.skip((index - at) * rowBytes);
      yield decodeRow(await reader.take(rowBytes), header);
      at = index + 1;
    }
  } finally {
    stream.destroy();
  }
}

function decodeRow(bytes: Buffer, header: NpyHeader): NpyValues {
  if (header.dtype === 'string') return decodeStrings(bytes, header);
  if (header.bigEndian) {
    if (header.itemBytes === 2) bytes.swap16();
    else if (header.itemBytes === 4) bytes.swap32();
    else if (header.itemBytes === 8) bytes.swap64();
  }
  const { buffer, byteOffset } = bytes;
  const count = bytes.length / header.itemBytes;
  switch (header.dtype) {
    case 'float32':
      return new Float32Array(buffer as ArrayBuffer, byteOffset, count);
    case 'float64':
      return new Float64Array(buffer as ArrayBuffer, byteOffset, count);
    case 'int8':
      return new Int8Array(buffer as ArrayBuffer, byteOffset, count);
    case 'int16':
      return new Int16Array(buffer as ArrayBuffer, byteOffset, count);
    case 'uint16':
    case 'float16':
      return new Uint16Array(buffer as ArrayBuffer, byteOffset, count);
    case 'int32':
      return new Int32Array(buffer as ArrayBuffer, byteOffset, count);
    case 'uint32':
      return new Uint32Array(buffer as ArrayBuffer, byteOffset, count);
    case 'int64':
      return new BigInt64Array(buffer as ArrayBuffer, byteOffset, count);
    case 'uint64':
      return new BigUint64Array(buffer as ArrayBuffer, byteOffset, count);
    default:
      return new Uint8Array(buffer as ArrayBuffer, byteOffset, count);
  }
}

function decodeStrings(bytes: Buffer, header: NpyHeader): string[] {
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; at += header.itemBytes) {
    const item = bytes.subarray(at, at + header.itemBytes);
    if (header.encoding === 'S') {
      texts.push(item.toString('utf8').replace(/\0+$/, ''));
      continue;
    }
    let text = '';
    for (let unit = 0; unit < item.length; unit += 4) {
      const code = header.bigEndian ? item.readUInt32BE(unit) : item.readUInt32LE(unit);
      if (code !== 0 && code <= 0x10ffff) text += String.fromCodePoint(code);
    }
    texts.push(text);
  }
  return texts;
}

/** Takes exact numbers of bytes off a stream. */
class StreamBytes {
  readonly #pieces: AsyncIterator<Buffer>;
  readonly #name: string;
  #held: Buffer = Buffer.alloc(0);

  constructor(stream: Readable, name: string) {
    this.#pieces = stream[Symbol.asyncIterator]();
    this.#name = name;
  }

  async skip(count: number): Promise<void> {
    let left = count;
    while (left > 0) {
      if (this.#held.length === 0) await this.#next();
      const part = Math.min(left, this.#held.length);
      this.#held = this.#held.subarray(part);
      left -= part;
    }
  }

  /** A new buffer, aligned for any element type. */
  async take(count: number): Promise<Buffer> {
    const taken = Buffer.from(new ArrayBuffer(count));
    for (let done = 0; done < count; ) {
      if (this.#held.length === 0) await this.#next();
      const part = Math.min(count - done, this.#held.length);
      this.#held.copy(taken, done, 0, part);
      this.#held = this.#held.subarray(part);
      done += part;
    }
    return taken;
  }

  async #next(): Promise<void> {
    let result: IteratorResult<Buffer>;
    try {
      result = await this.#pieces.next();
    } catch (thrown) {
      throw unreadable(this.#name, `It is damaged: ${thrown instanceof Error ? thrown.message : String(thrown)}.`);
    }
    if (result.done === true) throw unreadable(this.#name, 'It ends before its last element.');
    this.#held = result.value;
  }
}

function unreadable(name: string, reason: string): HoneError {
  return new HoneError('data-unreadable', `The array ${name} cannot be read. ${reason}`, { where: { tensor: name } });
}
