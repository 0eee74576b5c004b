/** Places to read bytes from at any offset: a file, without loading it, or memory. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { TensorData } from '../graph/tensor.ts';
import { FileData, MemoryData } from '../graph/tensor-data.ts';
import { HoneError } from '../protocol/errors.ts';

export interface ByteSource {
  /** The file's path for messages; null for memory. */
  readonly path: string | null;
  readonly length: number;
  /** Fills `target` from `offset`. Throws `file-truncated` when the bytes end before. */
  read(target: Uint8Array, offset: number): void;
  /** A range to be read later, without reading it now. The caller has checked that it lies inside. */
  later(offset: number, length: number): TensorData;
  close(): void;
}

/** A file read by position. Open until `close`; what `later` gave keeps working after that. */
export class FileSource implements ByteSource {
  readonly path: string;
  readonly length: number;
  readonly #file: number;

  /** Throws the system's error when the file cannot be opened, `file-not-a-model` for what is no regular file. */
  constructor(path: string) {
    this.path = path;
    this.#file = openSync(path, 'r');
    const facts = fstatSync(this.#file);
    this.length = facts.size;
    if (!facts.isFile()) {
      closeSync(this.#file);
      throw new HoneError('file-not-a-model', 'This is a folder or a device, and no file.', { where: { file: path } });
    }
  }

  read(target: Uint8Array, offset: number): void {
    for (let done = 0; done < target.length; ) {
      // One read() returns at most 2 GiB - 4 KiB on Linux.
      const got = readSync(this.#file, target, done, Math.min(target.length - done, 1 << 30), offset + done);
      if (got === 0) {
        throw new HoneError('file-truncated', 'The file ends before the data that it should hold.', {
          where: { file: this.path, offset: offset + done },
        });
      }
      done += got;
    }
  }

  later(offset: number, length: number): TensorData {
    return new FileData(this.path, offset, length);
  }

  close(): void {
    closeSync(this.#file);
  }
}

export class MemorySource implements ByteSource {
  readonly path = null;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get length(): number {
    return this.bytes.length;
  }

  read(target: Uint8Array, offset: number): void {
    if (offset + target.length > this.bytes.length) {
      throw new HoneError('file-truncated', 'The bytes end before the data that they should hold.', {
        where: { offset },
      });
    }
    target.set(this.bytes.subarray(offset, offset + target.length));
  }

  later(offset: number, length: number): TensorData {
    return new MemoryData(this.bytes.subarray(offset, offset + length));
  }

  close(): void {
    // Memory needs no closing.
  }
}

/** True when the two hold the same bytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

export function concatBytes(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
