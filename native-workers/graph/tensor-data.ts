/** The places where a tensor's bytes can be: in memory, in a range of a file, or made from another tensor's on the way. */
import { closeSync, openSync, readSync } from 'node:fs';
import { HoneError } from '../protocol/errors.ts';
import type { TensorData } from './tensor.ts';

export class MemoryData implements TensorData {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get byteLength(): number {
    return this.#bytes.length;
  }

  read(): Uint8Array {
    return this.#bytes;
  }

  *chunks(size: number): Iterable<Uint8Array> {
    for (let at = 0; at < this.#bytes.length; at += size) yield this.#bytes.subarray(at, at + size);
  }
}

export const NO_DATA: TensorData = new MemoryData(new Uint8Array(0));

/** A range of a file, which must stay as it is while the model is in use. */
export class FileData implements TensorData {
  readonly path: string;
  readonly offset: number;
  readonly byteLength: number;

  constructor(path: string, offset: number, length: number) {
    this.path = path;
    this.offset = offset;
    this.byteLength = length;
  }

  read(): Uint8Array {
    const bytes = new Uint8Array(this.byteLength);
    const file = openSync(this.path, 'r');
    try {
      this.#fill(file, bytes, 0);
    } finally {
      closeSync(file);
    }
    return bytes;
  }

  *chunks(size: number): Iterable<Uint8Array> {
    const buffer = new Uint8Array(Math.min(size, this.byteLength));
    const file = openSync(this.path, 'r');
    try {
      for (let at = 0; at < this.byteLength; at += size) {
        const piece = buffer.subarray(0, Math.min(size, this.byteLength - at));
        this.#fill(file, piece, at);
        yield piece;
      }
    } finally {
      closeSync(file);
    }
  }

  #fill(file: number, target: Uint8Array, from: number): void {
    // One read() returns at most 2 GiB - 4 KiB on Linux, so a large tensor takes several.
    for (let done = 0; done < target.length; ) {
      const got = readSync(file, target, done, Math.min(target.length - done, 1 << 30), this.offset + from + done);
      if (got === 0) {
        throw new HoneError('file-truncated', `The file ends before the tensor data that it should hold.`, {
          where: { file: this.path, offset: this.offset + from + done },
        });
      }
      done += got;
    }
  }
}

/**
 * Data made from another tensor's, piece by piece, each time it is read: a 4 GB weight becomes float16 on its way to disk.
 * `convert` gets pieces whose length is a multiple of `step` source bytes (but for the last), with the offset of the
 * piece in the source, and returns new bytes.
 */
export class ConvertedData implements TensorData {
  readonly byteLength: number;
  readonly #source: TensorData;
  readonly #sourceStep: number;
  readonly #resultStep: number;
  readonly #convert: (piece: Uint8Array, offset: number) => Uint8Array;

  /** `sourceStep` bytes of the source become `resultStep` bytes; the source's length must be a multiple of `sourceStep`. */
  constructor(
    source: TensorData,
    sourceStep: number,
    resultStep: number,
    convert: (piece: Uint8Array, offset: number) => Uint8Array,
  ) {
    this.#source = source;
    this.#sourceStep = sourceStep;
    this.#resultStep = resultStep;
    this.#convert = convert;
    this.byteLength = (source.byteLength / sourceStep) * resultStep;
  }

  read(): Uint8Array {
    return this.#convert(this.#source.read(), 0);
  }

  *chunks(size: number): Iterable<Uint8Array> {
    const steps = Math.max(1, Math.floor(size / Math.max(this.#sourceStep, this.#resultStep)));
    let offset = 0;
    for (const piece of this.#source.chunks(steps * this.#sourceStep)) {
      yield this.#convert(piece, offset);
      offset += piece.length;
    }
  }
}
