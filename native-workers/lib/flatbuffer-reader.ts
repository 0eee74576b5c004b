/**
 * Reads FlatBuffers that nobody vouches for: every offset and length is checked before it is used, and no typed array is laid
 * over the file, since writers do not all align. Layout: a table begins with a signed offset back to its vtable, whose slot n
 * (at 4 + 2n) holds the offset of field n from the table, or 0 when the field is left out.
 */
import { HoneError } from '../protocol/errors.ts';

/** Bytes that are read when they are asked for. */
export interface Pages {
  readonly length: number;
  /** The caller asks for what is inside. */
  read(offset: number, length: number): Uint8Array;
}

/** Structure and weights stand mixed in a file; of a page with structure, little else is read. */
const PAGE = 1 << 16;
const MOST_PAGES = 64;

export class FlatBuffer {
  readonly length: number;
  readonly #pages: Pages;
  readonly #file: string;
  /** Pages by where they begin, the one that was asked for last behind the others. */
  readonly #read: Map<number, DataView> = new Map();
  /** The page that is looked at, and where it begins. */
  #view: DataView;
  #start = 0;

  /** `file`: for messages. */
  constructor(bytes: Uint8Array | Pages, file: string) {
    this.length = bytes.length;
    this.#pages =
      bytes instanceof Uint8Array
        ? { length: bytes.length, read: (at, count) => bytes.subarray(at, at + count) }
        : bytes;
    this.#view = viewOf(bytes instanceof Uint8Array ? bytes : new Uint8Array(0));
    this.#file = file;
  }

  root(): Table {
    return new Table(this, this.uint32(0));
  }

  /** The four characters at byte 4 that say what the file is. */
  get identifier(): string {
    this.check(4, 4);
    return String.fromCharCode(...this.slice(4, 4));
  }

  uint8(at: number): number {
    const place = this.#find(at, 1);
    return this.#view.getUint8(place);
  }

  uint16(at: number): number {
    const place = this.#find(at, 2);
    return this.#view.getUint16(place, true);
  }

  int32(at: number): number {
    const place = this.#find(at, 4);
    return this.#view.getInt32(place, true);
  }

  uint32(at: number): number {
    const place = this.#find(at, 4);
    return this.#view.getUint32(place, true);
  }

  int64(at: number): bigint {
    const place = this.#find(at, 8);
    return this.#view.getBigInt64(place, true);
  }

  float32(at: number): number {
    const place = this.#find(at, 4);
    return this.#view.getFloat32(place, true);
  }

  /** A view of bytes, at any alignment; the caller has checked that they are inside. */
  slice(at: number, length: number): Uint8Array {
    return this.#pages.read(at, length);
  }

  /** Makes `#view` the page that holds `length` bytes at `at`, and says where in it they are. */
  #find(at: number, length: number): number {
    const place = at - this.#start;
    if (place >= 0 && place + length <= this.#view.byteLength) return place;
    this.check(at, length);
    this.#start = Math.floor(at / PAGE) * PAGE;
    const end = at + length - this.#start;
    let page = this.#read.get(this.#start);
    this.#read.delete(this.#start);
    // A number may stand across the end of a page.
    if (page === undefined || page.byteLength < end) {
      const size = Math.max(Math.min(PAGE, this.length - this.#start), end);
      page = viewOf(this.#pages.read(this.#start, size));
    }
    this.#read.set(this.#start, page);
    const [oldest] = this.#read.keys();
    if (this.#read.size > MOST_PAGES && oldest !== undefined) this.#read.delete(oldest);
    this.#view = page;
    return at - this.#start;
  }

  /** Throws `file-corrupt`, naming the byte, unless `length` bytes at `at` are inside the file. */
  check(at: number, length: number): void {
    if (at >= 0 && length >= 0 && at + length <= this.length) return;
    throw this.corrupt(`An offset points to byte ${at}, and the file has ${this.length}.`, at);
  }

  corrupt(message: string, offset: number): HoneError {
    return new HoneError('file-corrupt', message, { where: { file: this.#file, offset } });
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** A vector of elements of one size. */
export interface Vector {
  readonly length: number;
  /** Where the first element is. */
  readonly start: number;
}

const EMPTY: Vector = { length: 0, start: 0 };

export class Table {
  readonly buffer: FlatBuffer;
  readonly #at: number;
  readonly #vtable: number;
  readonly #vtableBytes: number;

  constructor(buffer: FlatBuffer, at: number) {
    this.buffer = buffer;
    this.#at = at;
    this.#vtable = at - buffer.int32(at);
    this.#vtableBytes = buffer.uint16(this.#vtable);
    buffer.check(this.#vtable, this.#vtableBytes);
  }

  /** Where the field of `slot` is; null when it is left out. */
  field(slot: number): number | null {
    const entry = 4 + 2 * slot;
    if (entry + 2 > this.#vtableBytes) return null;
    const offset = this.buffer.uint16(this.#vtable + entry);
    return offset === 0 ? null : this.#at + offset;
  }

  has(slot: number): boolean {
    return this.field(slot) !== null;
  }

  bool(slot: number, fallback = false): boolean {
    const at = this.field(slot);
    return at === null ? fallback : this.buffer.uint8(at) !== 0;
  }

  uint8(slot: number, fallback = 0): number {
    const at = this.field(slot);
    return at === null ? fallback : this.buffer.uint8(at);
  }

  int8(slot: number, fallback = 0): number {
    const at = this.field(slot);
    return at === null ? fallback : (this.buffer.uint8(at) << 24) >> 24;
  }

  int32(slot: number, fallback = 0): number {
    const at = this.field(slot);
    return at === null ? fallback : this.buffer.int32(at);
  }

  uint32(slot: number, fallback = 0): number {
    const at = this.field(slot);
    return at === null ? fallback : this.buffer.uint32(at);
  }

  int64(slot: number, fallback = 0n): bigint {
    const at = this.field(slot);
    return at === null ? fallback : this.buffer.int64(at);
  }

  float32(slot: number, fallback = 0): number {
    const at = this.field(slot);
    return at === null ? fallback : this.buffer.float32(at);
  }

  table(slot: number): Table | null {
    const at = this.field(slot);
    return at === null ? null : new Table(this.buffer, at + this.buffer.uint32(at));
  }

  /** A vector of elements of `size` bytes; empty when the field is left out. */
  vector(slot: number, size: number): Vector {
    const at = this.field(slot);
    if (at === null) return EMPTY;
    const start = at + this.buffer.uint32(at);
    const length = this.buffer.uint32(start);
    this.buffer.check(start + 4, length * size);
    return { length, start: start + 4 };
  }

  tables(slot: number): Table[] {
    const { length, start } = this.vector(slot, 4);
    return Array.from({ length }, (_, index) => {
      const at = start + 4 * index;
      return new Table(this.buffer, at + this.buffer.uint32(at));
    });
  }

  string(slot: number): string | null {
    if (!this.has(slot)) return null;
    const { length, start } = this.vector(slot, 1);
    return new TextDecoder().decode(this.buffer.slice(start, length));
  }

  strings(slot: number): string[] {
    const { length, start } = this.vector(slot, 4);
    return Array.from({ length }, (_, index) => {
      const at = start + 4 * index;
      const text = at + this.buffer.uint32(at);
      const size = this.buffer.uint32(text);
      this.buffer.check(text + 4, size);
      return new TextDecoder().decode(this.buffer.slice(text + 4, size));
    });
  }

  /** The bytes of a vector of bytes: a view of the file, at any alignment. */
  bytes(slot: number): Uint8Array {
    const { length, start } = this.vector(slot, 1);
    return this.buffer.slice(start, length);
  }

  int32s(slot: number): number[] {
    const { length, start } = this.vector(slot, 4);
    return Array.from({ length }, (_, index) => this.buffer.int32(start + 4 * index));
  }

  int64s(slot: number): bigint[] {
    const { length, start } = this.vector(slot, 8);
    return Array.from({ length }, (_, index) => this.buffer.int64(start + 8 * index));
  }

  float32s(slot: number): number[] {
    const { length, start } = this.vector(slot, 4);
    return Array.from({ length }, (_, index) => this.buffer.float32(start + 4 * index));
  }
}
