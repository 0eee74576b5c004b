/**
 * Protocol buffers to the wire in two passes over the same code: the first counts and notes the length of every message, the
 * second writes. Nothing is built in memory, so a file of any size takes one buffer.
 * Source: protobuf.dev/programming-guides/encoding.
 */
import type { TensorData } from '../graph/tensor.ts';
import { HoneError } from '../protocol/errors.ts';
import { WIRE } from './protobuf-reader.ts';

/** Where fields of a message go. Numbers are written even when they are 0: whether a field is there is the caller's word. */
export interface FieldWriter {
  /** An unsigned or enum value below 2^53. */
  uint(field: number, value: number): void;
  int64(field: number, value: bigint): void;
  float(field: number, value: number): void;
  string(field: number, text: string): void;
  bytes(field: number, bytes: Uint8Array): void;
  /** A bytes field that is streamed. */
  data(field: number, data: TensorData): void;
  message(field: number, body: (writer: FieldWriter) => void): void;
  /** Whole fields, as `ProtobufReader.rawField` gave them. */
  raw(fields: Uint8Array): void;
}

const BUFFER = 1 << 20;
/** Streamed data goes to the disk in pieces of this size. */
const CHUNK = 8 << 20;

/** A message ready to be written: its size is known. */
export interface EncodedMessage {
  readonly bytes: number;
  /** Calls `sink` with the bytes in order; a piece may be reused after the call. */
  write(sink: (piece: Uint8Array) => void): void;
}

/** `body` is called twice and must write the same fields both times. */
export function encodeMessage(body: (writer: FieldWriter) => void): EncodedMessage {
  const counter = new Counter();
  body(counter);
  return {
    bytes: counter.total,
    write(sink): void {
      const writer = new Writer(counter.lengths, sink);
      body(writer);
      writer.flush();
    },
  };
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++;
  return length;
}

function tagLength(field: number): number {
  return field < 16 ? 1 : varintLength(field * 8);
}

function int64Length(value: bigint): number {
  if (value < 0n) return 10;
  return value <= 0x1f_ffff_ffff_ffffn ? varintLength(Number(value)) : Math.ceil(value.toString(2).length / 7);
}

class Counter implements FieldWriter {
  total = 0;
  /** Lengths of the messages in the order in which they begin. */
  readonly lengths: number[] = [];

  uint(field: number, value: number): void {
    this.total += tagLength(field) + varintLength(value);
  }

  int64(field: number, value: bigint): void {
    this.total += tagLength(field) + int64Length(value);
  }

  float(field: number): void {
    this.total += tagLength(field) + 4;
  }

  string(field: number, text: string): void {
    this.#delimited(field, Buffer.byteLength(text));
  }

  bytes(field: number, bytes: Uint8Array): void {
    this.#delimited(field, bytes.length);
  }

  data(field: number, data: TensorData): void {
    this.#delimited(field, data.byteLength);
  }

  message(field: number, body: (writer: FieldWriter) => void): void {
    const index = this.lengths.push(0) - 1;
    const start = this.total;
    body(this);
    const length = this.total - start;
    this.lengths[index] = length;
    this.total += tagLength(field) + varintLength(length);
  }

  raw(fields: Uint8Array): void {
    this.total += fields.length;
  }

  #delimited(field: number, length: number): void {
    this.total += tagLength(field) + varintLength(length) + length;
  }
}

class Writer implements FieldWriter {
  readonly #lengths: readonly number[];
  readonly #sink: (piece: Uint8Array) => void;
  readonly #buffer = Buffer.allocUnsafe(BUFFER);
  #used = 0;
  #messages = 0;

  constructor(lengths: readonly number[], sink: (piece: Uint8Array) => void) {
    this.#lengths = lengths;
    this.#sink = sink;
  }

  uint(field: number, value: number): void {
    this.#tag(field, WIRE.varint);
    this.#varint(value);
  }

  int64(field: number, value: bigint): void {
    this.#tag(field, WIRE.varint);
    if (value >= 0n && value <= 0x1f_ffff_ffff_ffffn) {
      this.#varint(Number(value));
      return;
    }
    this.#room(10);
    let rest = BigInt.asUintN(64, value);
    for (; rest >= 128n; rest >>= 7n) this.#buffer[this.#used++] = Number(rest & 0x7fn) | 0x80;
    this.#buffer[this.#used++] = Number(rest);
  }

  float(field: number, value: number): void {
    this.#tag(field, WIRE.fixed32);
    this.#room(4);
    this.#used = this.#buffer.writeFloatLE(value, this.#used);
  }

  string(field: number, text: string): void {
    const length = Buffer.byteLength(text);
    this.#delimited(field, length);
    if (length > BUFFER) {
      this.#bytes(Buffer.from(text));
      return;
    }
    this.#room(length);
    this.#used += this.#buffer.write(text, this.#used);
  }

  bytes(field: number, bytes: Uint8Array): void {
    this.#delimited(field, bytes.length);
    this.#bytes(bytes);
  }

  data(field: number, data: TensorData): void {
    this.#delimited(field, data.byteLength);
    let written = 0;
    for (const piece of data.chunks(CHUNK)) {
      this.#bytes(piece);
      written += piece.length;
    }
    if (written !== data.byteLength) {
      throw new HoneError('internal', `Tensor data said to be ${data.byteLength} bytes long came as ${written}.`);
    }
  }

  message(field: number, body: (writer: FieldWriter) => void): void {
    this.#delimited(field, this.#lengths[this.#messages++] ?? 0);
    body(this);
  }

  raw(fields: Uint8Array): void {
    this.#bytes(fields);
  }

  flush(): void {
    if (this.#used > 0) this.#sink(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }

  #delimited(field: number, length: number): void {
    this.#tag(field, WIRE.bytes);
    this.#varint(length);
  }

  #tag(field: number, wire: number): void {
    this.#varint(field * 8 + wire);
  }

  #varint(value: number): void {
    this.#room(10);
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#buffer[this.#used++] = (rest % 128) | 0x80;
    this.#buffer[this.#used++] = rest;
  }

  #bytes(bytes: Uint8Array): void {
    if (bytes.length > BUFFER / 4) {
      this.flush();
      this.#sink(bytes);
      return;
    }
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  #room(length: number): void {
    if (this.#used + length > BUFFER) this.flush();
  }
}
