import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryData } from '../../../native-workers/graph/tensor-data.ts';
import { concatBytes, FileSource, MemorySource } from '../../../native-workers/lib/bytes.ts';
import { ProtobufReader } from '../../../native-workers/lib/protobuf-reader.ts';
import { encodeMessage, type FieldWriter } from '../../../native-workers/lib/protobuf-writer.ts';
import { HoneError } from '../../../native-workers/protocol/errors.ts';

function encode(body: (writer: FieldWriter) => void): Uint8Array {
  const message = encodeMessage(body);
  const pieces: Uint8Array[] = [];
  message.write((piece) => pieces.push(new Uint8Array(piece)));
  const bytes = concatBytes(pieces);
  expect(bytes.length).toBe(message.bytes);
  return bytes;
}

const readerOf = (...bytes: number[]): ProtobufReader => new ProtobufReader(new MemorySource(Uint8Array.from(bytes)));

function codeOf(read: () => unknown): string {
  try {
    read();
  } catch (thrown) {
    if (thrown instanceof HoneError) return thrown.code;
    throw thrown;
  }
  return 'nothing thrown';
}

describe('numbers', () => {
  it('are written as the encoding guide shows', () => {
    expect([...encode((writer) => writer.uint(1, 150))]).toEqual([0x08, 0x96, 0x01]);
    expect([...encode((writer) => writer.string(2, 'testing'))]).toEqual([0x12, 7, ...Buffer.from('testing')]);
    expect([...encode((writer) => writer.message(3, (inner) => inner.uint(1, 150)))]).toEqual([0x1a, 3, 0x08, 0x96, 1]);
    expect([...encode((writer) => writer.int64(1, -2n))]).toEqual([0x08, 0xfe, ...Array(8).fill(0xff), 1]);
  });

  it('come back over the whole range of int64', () => {
    const values = [0n, 1n, 127n, 128n, 2n ** 31n, 2n ** 49n, 2n ** 53n, 2n ** 56n + 5n, 2n ** 63n - 1n];
    for (const value of [...values, ...values.map((each) => -each), -(2n ** 63n)]) {
      const reader = new ProtobufReader(new MemorySource(encode((writer) => writer.int64(5, value))));
      expect(reader.next()).toBe(true);
      expect(reader.int64()).toBe(value);
      expect(reader.next()).toBe(false);
    }
  });

  it('are read packed and one by one', () => {
    const packed = readerOf(0x0a, 3, 1, 0x96, 1);
    const values: bigint[] = [];
    packed.next();
    packed.int64s(values);
    const single = readerOf(0x08, 1, 0x08, 2);
    while (single.next()) single.int64s(values);
    expect(values).toEqual([1n, 150n, 1n, 2n]);
  });
});

describe('damage', () => {
  const cases: [string, ProtobufReader, (reader: ProtobufReader) => unknown, string][] = [
    [
      'a number that goes on for eleven bytes',
      readerOf(0x08, ...Array(11).fill(0x80)),
      (r) => r.int64(),
      'file-corrupt',
    ],
    ['a number cut off', readerOf(0x08, 0x80), (r) => r.int64(), 'file-truncated'],
    ['a length past the end', readerOf(0x0a, 5, 1), (r) => r.bytes(), 'file-truncated'],
    ['a length above 2^53', readerOf(0x0a, ...Array(9).fill(0xff), 1), (r) => r.bytes(), 'file-corrupt'],
    [
      'an inner length past its message',
      readerOf(0x0a, 2, 0x0a, 9, 0, 0),
      (r) => r.message((m) => m.next() && m.bytes()),
      'file-corrupt',
    ],
    ['a group', readerOf(0x0b, 0x0c), (r) => r.skip(), 'file-corrupt'],
    ['another wire type', readerOf(0x08, 1), (r) => r.string(), 'file-corrupt'],
    ['a float cut off', readerOf(0x0d, 1, 2), (r) => r.float(), 'file-truncated'],
  ];
  it.each(cases)('%s is an error of its own', (_name, reader, read, code) => {
    expect(reader.next()).toBe(true);
    expect(codeOf(() => read(reader))).toBe(code);
  });

  it('in a field number is found at once', () => {
    expect(codeOf(() => readerOf(0x00, 1).next())).toBe('file-corrupt');
  });

  it('by nesting is stopped before the stack is full', () => {
    let bytes: Uint8Array = new Uint8Array(0);
    for (let depth = 0; depth < 200; depth++) {
      const inner = bytes;
      bytes = encode((writer) => writer.bytes(1, inner));
    }
    const descend = (reader: ProtobufReader): void => {
      while (reader.next()) reader.message(descend);
    };
    expect(codeOf(() => descend(new ProtobufReader(new MemorySource(bytes))))).toBe('file-corrupt');
  });
});

describe('a file', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'protobuf-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is read by its parts, and what is large is left where it is', () => {
    const large = new Uint8Array(3 << 20).map((_, index) => index % 251);
    const path = join(folder, 'large');
    const bytes = encode((writer) => {
      for (let index = 0; index < 4; index++) {
        writer.string(1, `name ${index}`);
        writer.data(2, new MemoryData(large));
      }
    });
    writeFileSync(path, bytes);
    const source = new FileSource(path);
    let read = 0;
    const counting = {
      path,
      length: source.length,
      read: (target: Uint8Array, offset: number) => {
        read += target.length;
        source.read(target, offset);
      },
      later: (offset: number, length: number) => source.later(offset, length),
      close: () => source.close(),
    };
    const reader = new ProtobufReader(counting);
    const names: string[] = [];
    const data = [];
    while (reader.next()) {
      if (reader.field === 1) names.push(reader.string());
      else data.push(reader.data(1024));
    }
    source.close();
    expect(names).toEqual(['name 0', 'name 1', 'name 2', 'name 3']);
    expect(read).toBeLessThan(64 << 10);
    expect(data.map((each) => Buffer.compare(each.read(), large))).toEqual([0, 0, 0, 0]);
  });
});
