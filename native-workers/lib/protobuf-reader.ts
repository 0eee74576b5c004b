/**
 * Protocol buffers on the wire, read by position: fields of a message one after another, large ones skipped by length. A
 * source is read through a window, so that a file of gigabytes costs the bytes that are looked at.
 * Source: protobuf.dev/programming-guides/encoding.
 */
import type { TensorData } from '../graph/tensor.ts';
import { HoneError } from '../protocol/errors.ts';
import { type ByteSource, MemorySource } from './bytes.ts';

export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Windows start small after a jump, since little may be wanted there, and grow while reading goes straight on. */
const SMALLEST_WINDOW = 4 << 10;
const LARGEST_WINDOW = 1 << 20;

/** protobuf's own limit for nested messages. */
const DEEPEST = 100;

export class ProtobufReader {
  readonly source: ByteSource;
  /** Where the next byte is read. */
  position = 0;
  /** Of the field that `next` came to. */
  field = 0;
  wire = 0;
  #end: number;
  #fieldStart = 0;
  #depth = 0;
  #window: Buffer;
  #windowStart = 0;
  #windowEnd = 0;
  #windowSize = SMALLEST_WINDOW;

  constructor(source: ByteSource) {
    this.source = source;
    this.#end = source.length;
    if (source instanceof MemorySource) {
      const { buffer, byteOffset, byteLength } = source.bytes;
      this.#window = Buffer.from(buffer, byteOffset, byteLength);
      this.#windowEnd = byteLength;
    } else {
      this.#window = Buffer.alloc(0);
    }
  }

  /** Goes to the next field of the message that is being read; false at its end. */
  next(): boolean {
    if (this.position >= this.#end) return false;
    this.#fieldStart = this.position;
    const tag = this.#varint();
    this.field = Math.floor(tag / 8);
    this.wire = tag % 8;
    if (this.field === 0 || this.field > 0x1fff_ffff) throw this.corrupt('A field number is out of range.');
    return true;
  }

  /** An unsigned or enum value up to 2^53. */
  uint(): number {
    this.#expect(WIRE.varint);
    return this.#varint();
  }

  /** An int64 value, of a single field. */
  int64(): bigint {
    this.#expect(WIRE.varint);
    return this.#bigVarint();
  }

  float(): number {
    this.#expect(WIRE.fixed32);
    const at = this.#take(4);
    return this.#window.readFloatLE(at);
  }

  /** The values of a repeated field that is packed, or the one value of a field that is not. */
  floats(into: number[]): void {
    if (this.wire !== WIRE.bytes) {
      into.push(this.float());
      return;
    }
    const end = this.#open();
    while (this.position < end) into.push(this.#window.readFloatLE(this.#take(4, end)));
  }

  int64s(into: bigint[]): void {
    if (this.wire !== WIRE.bytes) {
      into.push(this.int64());
      return;
    }
    const outer = this.#end;
    this.#end = this.#open();
    while (this.position < this.#end) into.push(this.#bigVarint());
    this.#end = outer;
  }

  string(): string {
    const length = this.#length();
    if (length <= LARGEST_WINDOW) {
      const at = this.#take(length);
      return this.#window.toString('utf8', at, at + length);
    }
    const bytes = Buffer.alloc(length);
    this.source.read(bytes, this.position);
    this.position += length;
    return bytes.toString('utf8');
  }

  /** A copy of the bytes. Throws `format-unsupported` when they are more than `limit`. */
  bytes(limit: number = Number.POSITIVE_INFINITY): Uint8Array {
    const length = this.#length();
    this.#checkSize(length, limit);
    return this.#copy(length);
  }

  /** Where a length-delimited field's bytes are, without reading them. */
  range(): { offset: number; length: number } {
    const length = this.#length();
    const offset = this.position;
    this.position += length;
    return { offset, length };
  }

  /** The bytes of a length-delimited field: copied now when they are few, else left where they are. */
  data(inlineLimit: number): TensorData {
    const { offset, length } = this.range();
    if (length > inlineLimit || this.source instanceof MemorySource) return this.source.later(offset, length);
    this.position = offset;
    return new MemorySource(this.#copy(length)).later(0, length);
  }

  /** Reads a nested message with `parse`, which must call `next` until it is false. */
  message<Result>(parse: (reader: ProtobufReader) => Result): Result {
    const end = this.#open();
    if (this.#depth >= DEEPEST) throw this.corrupt(`Messages are nested more than ${DEEPEST} deep.`);
    const outer = this.#end;
    this.#end = end;
    this.#depth++;
    const result = parse(this);
    this.#depth--;
    this.#end = outer;
    return result;
  }

  /** A copy of bytes that were read already, for a message that turns out to be kept as it is. */
  slice(start: number, end: number): Uint8Array {
    const { position } = this;
    this.position = start;
    const bytes = this.#copy(end - start);
    this.position = position;
    return bytes;
  }

  skip(): void {
    if (this.wire === WIRE.varint) this.#bigVarint();
    else if (this.wire === WIRE.fixed64) this.#skipFixed(8);
    else if (this.wire === WIRE.fixed32) this.#skipFixed(4);
    else if (this.wire === WIRE.bytes) this.range();
    else throw this.corrupt(`A field has the wire type ${this.wire}, which no model uses.`);
  }

  /** The bytes of a single number as they stand on the wire. */
  rawNumber(): Uint8Array {
    if (this.wire === WIRE.bytes) throw this.corrupt(`Field ${this.field} holds bytes where a number should be.`);
    const start = this.position;
    this.skip();
    const length = this.position - start;
    this.position = start;
    return this.#copy(length);
  }

  /** The whole field with its tag, as it stands in the file: for parts that are kept without being read. */
  rawField(limit: number): Uint8Array {
    const start = this.#fieldStart;
    this.skip();
    const length = this.position - start;
    this.#checkSize(length, limit);
    this.position = start;
    return this.#copy(length);
  }

  where(offset: number = this.position): { file?: string; offset: number } {
    return this.source.path === null ? { offset } : { file: this.source.path, offset };
  }

  corrupt(message: string): HoneError {
    return new HoneError('file-corrupt', message, { where: this.where() });
  }

  #checkSize(length: number, limit: number): void {
    if (length <= limit) return;
    throw new HoneError('format-unsupported', `The model holds a part of ${length} bytes that Hone cannot read.`, {
      where: this.where(),
    });
  }

  #expect(wire: number): void {
    if (this.wire !== wire) {
      throw this.corrupt(`Field ${this.field} is encoded as wire type ${this.wire} and not ${wire}.`);
    }
  }

  /** The length of the field, checked against its message. */
  #length(): number {
    this.#expect(WIRE.bytes);
    const length = this.#varint();
    if (this.position + length > this.#end) throw this.#tooLong();
    return length;
  }

  #open(): number {
    const length = this.#length();
    return this.position + length;
  }

  #tooLong(): HoneError {
    // The outermost message ends with the file: what goes past that was cut off. Inside, the lengths contradict each other.
    const cut = this.#end === this.source.length;
    return cut
      ? new HoneError('file-truncated', 'The file ends before the data that it should hold.', { where: this.where() })
      : this.corrupt('A field is longer than the message that holds it.');
  }

  #skipFixed(length: number): void {
    if (this.position + length > this.#end) throw this.#tooLong();
    this.position += length;
  }

  #copy(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    if (length <= LARGEST_WINDOW) {
      const at = this.#take(length, this.source.length);
      bytes.set(this.#window.subarray(at, at + length));
    } else {
      this.source.read(bytes, this.position);
      this.position += length;
    }
    return bytes;
  }

  #varint(): number {
    const limit = Math.min(this.position + 10, this.#end);
    this.#ensure(limit - this.position);
    const window = this.#window;
    let at = this.position - this.#windowStart;
    const last = limit - this.#windowStart;
    let value = 0;
    let scale = 1;
    while (at < last) {
      const byte = window[at++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        this.position = at + this.#windowStart;
        if (value > Number.MAX_SAFE_INTEGER) throw this.corrupt('A length or code is impossibly large.');
        return value;
      }
      scale *= 128;
    }
    throw limit === this.#end ? this.#tooLong() : this.corrupt('A number is longer than ten bytes.');
  }

  #bigVarint(): bigint {
    const limit = Math.min(this.position + 10, this.#end);
    this.#ensure(limit - this.position);
    let at = this.position - this.#windowStart;
    const last = limit - this.#windowStart;
    // Seven groups of seven bits fit a double exactly; the rest (large or negative values) needs a second part.
    let low = 0;
    let scale = 1;
    let high = 0;
    for (let group = 0; at < last; group++) {
      const byte = this.#window[at++] ?? 0;
      if (group < 7) {
        low += (byte & 0x7f) * scale;
        scale *= 128;
      } else {
        high += (byte & 0x7f) * 128 ** (group - 7);
      }
      if (byte < 0x80) {
        this.position = at + this.#windowStart;
        return high === 0 ? BigInt(low) : BigInt.asIntN(64, (BigInt(high) << 49n) + BigInt(low));
      }
    }
    throw limit === this.#end ? this.#tooLong() : this.corrupt('A number is longer than ten bytes.');
  }

  /** Moves past `count` bytes and returns where they start in the window. */
  #take(count: number, end: number = this.#end): number {
    if (this.position + count > end) throw this.#tooLong();
    this.#ensure(count);
    const at = this.position - this.#windowStart;
    this.position += count;
    return at;
  }

  /** Makes the window hold `count` bytes from the position on; the caller has checked that the source has them. */
  #ensure(count: number): void {
    if (this.position >= this.#windowStart && this.position + count <= this.#windowEnd) return;
    const goesOn = this.position >= this.#windowStart && this.position <= this.#windowEnd;
    this.#windowSize = goesOn ? Math.min(this.#windowSize * 2, LARGEST_WINDOW) : SMALLEST_WINDOW;
    const length = Math.min(Math.max(this.#windowSize, count), this.source.length - this.position);
    if (this.#window.length < length) this.#window = Buffer.allocUnsafe(length);
    this.source.read(this.#window.subarray(0, length), this.position);
    this.#windowStart = this.position;
    this.#windowEnd = this.position + length;
  }
}
