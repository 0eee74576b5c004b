/**
 * Reads HDF5 files without reading their data: groups, texts in attributes, and where each data set lies in the file.
 *
 * Own code and no library, after trying both that exist. `jsfive` wants the whole file in memory, gives each number as a
 * JavaScript number and follows tree nodes without counting them; `h5wasm` is the C library (15 MB) and reads from paths, not
 * from inside a `.keras` archive; neither says where a data set lies, which is what lets weights stay in the file until they are
 * written. What Keras writes is a small part of HDF5: h5py's default (oldest) structures with whole data sets. That is read
 * here; chunked and compressed data and heaps of links are refused, by name.
 *
 * Source: HDF5 File Format Specification 3.0. Addresses of 8 bytes. Every address is checked, no structure is visited twice,
 * and what a group or an attribute can hold is limited, so that a hostile file costs no more than its size.
 */
import type { TensorData } from '../../graph/tensor.ts';
import { HoneError } from '../../protocol/errors.ts';
import type { ByteSource } from '../bytes.ts';
import { Cursor, MOST_TEXT_BYTES, textUntilZero } from './cursor.ts';
import { Hdf5Object } from './object.ts';

/** Superblock signature, section II.A. */
export const HDF5_MARK: readonly number[] = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

const MOST_HEAP_OBJECTS = 1_000_000;

export class Hdf5File {
  readonly root: Hdf5Object;
  readonly path: string;
  readonly #source: ByteSource;
  readonly #start: number;
  readonly #length: number;
  readonly #heaps: Map<number, Map<number, HeapObject>> = new Map();
  #heapObjects = 0;

  /** The file in `source` from `start` on, `length` bytes of it. `path` is for messages. Throws `file-corrupt` and `file-truncated`. */
  constructor(source: ByteSource, path: string, start = 0, length: number = source.length - start) {
    this.#source = source;
    this.#start = start;
    this.#length = length;
    this.path = path;
    const cursor = this.at(0, 9);
    if (!HDF5_MARK.every((byte) => cursor.uint8() === byte)) throw cursor.corrupt('The file has no HDF5 superblock.');
    this.root = new Hdf5Object(this, this.#rootAddress(cursor.uint8()));
  }

  /** Section II.A: the superblock of versions 0 and 1 holds the entry of the root group, later ones its address. */
  #rootAddress(version: number): number {
    const old = version <= 1;
    const cursor = this.at(9, old ? (version === 0 ? 63 : 67) : 35);
    if (version > 3) throw cursor.corrupt(`The superblock is of version ${version}.`);
    if (old) cursor.skip(4);
    if (cursor.uint8() !== 8 || cursor.uint8() !== 8) {
      throw new HoneError('format-unsupported', 'The file has addresses of other than 8 bytes.', {
        where: { file: this.path },
      });
    }
    cursor.skip(old ? (version === 0 ? 9 : 13) : 1);
    const base = cursor.uint64();
    cursor.skip(8);
    const end = cursor.uint64() ?? 0;
    if (base !== 0) throw cursor.corrupt(`The superblock says that the file begins at byte ${base}.`);
    if (end > this.#length) {
      throw new HoneError('file-truncated', `The file should have ${end} bytes and has ${this.#length}.`, {
        where: { file: this.path, offset: this.#length },
      });
    }
    if (old) cursor.skip(16);
    const address = cursor.uint64();
    if (address === null) throw cursor.corrupt('The file has no root group.');
    return address;
  }

  /** `length` bytes at an address of the file. */
  at(address: number, length: number): Cursor {
    this.check(address, length);
    const bytes = new Uint8Array(length);
    this.#source.read(bytes, this.#start + address);
    return new Cursor(bytes, this.path, this.#start + address);
  }

  /** A range that is read when asked. */
  later(address: number, length: number): TensorData {
    this.check(address, length);
    return this.#source.later(this.#start + address, length);
  }

  check(address: number, length: number): void {
    if (address >= 0 && length >= 0 && address + length <= this.#length) return;
    throw new HoneError('file-truncated', `The file points to byte ${address + length} and has ${this.#length}.`, {
      where: { file: this.path, offset: address },
    });
  }

  /** A text that an attribute keeps in a heap: 4 bytes of length, the heap's address, the index in it. Section III.E. */
  heapText(reference: Cursor): string {
    const length = reference.uint32();
    const address = reference.uint64();
    const index = reference.uint32();
    if (address === null || address === 0 || length === 0) return '';
    const heap = this.#heaps.get(address) ?? this.#readHeap(address);
    this.#heaps.set(address, heap);
    const object = heap.get(index);
    if (object === undefined || object.size < length || length > MOST_TEXT_BYTES)
      throw reference.corrupt(`An attribute names a text (${index} of ${length} bytes) that its heap does not hold.`);
    return textUntilZero(this.at(object.address, length).bytes);
  }

  #readHeap(address: number): Map<number, HeapObject> {
    const header = this.at(address, 16);
    header.expect('GCOL');
    header.skip(4);
    const end = address + (header.uint64() ?? 0);
    this.check(address, end - address);
    const objects = new Map<number, HeapObject>();
    for (let at = address + 16; at + 16 <= end; ) {
      const object = this.at(at, 16);
      const index = object.uint16();
      object.skip(6);
      const size = object.uint64() ?? 0;
      if (index === 0) break;
      if (++this.#heapObjects > MOST_HEAP_OBJECTS) throw object.corrupt('The file has more texts than any would need.');
      objects.set(index, { address: at + 16, size });
      at += 16 + Math.ceil(size / 8) * 8;
    }
    return objects;
  }
}

interface HeapObject {
  readonly address: number;
  readonly size: number;
}
