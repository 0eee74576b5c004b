/** An object of an HDF5 file: its header, the links of a group, the attributes and the data of a data set. */
import { byteLength, elementCount } from '../../graph/dtype.ts';
import { Tensor } from '../../graph/tensor.ts';
import { HoneError } from '../../protocol/errors.ts';
import { type Cursor, MOST_TEXT_BYTES, textUntilZero } from './cursor.ts';
import type { Hdf5File } from './file.ts';
import {
  type AttributeMessage,
  type ElementType,
  hasDenseStorage,
  MESSAGE,
  readAttribute,
  readElementType,
  readLayout,
  readLink,
  readShape,
} from './messages.ts';

const MOST_LINKS = 1_000_000;
const MOST_MESSAGES = 100_000;

interface Message {
  readonly type: number;
  readonly flags: number;
  readonly content: Cursor;
}

/** A group or a data set. */
export class Hdf5Object {
  readonly #file: Hdf5File;
  readonly #messages: readonly Message[];
  #links: Map<string, number> | null = null;
  readonly #opened: Map<string, Hdf5Object> = new Map();

  constructor(file: Hdf5File, address: number) {
    this.#file = file;
    this.#messages = [...readHeader(file, address)];
    for (const { type, flags } of this.#messages) {
      const needed: readonly number[] = [MESSAGE.dataspace, MESSAGE.datatype, MESSAGE.layout];
      if ((flags & 2) !== 0 && needed.includes(type)) throw this.#unsupported('shares the type of another object');
    }
  }

  /** Names of what the group holds, in the order of the file. */
  get names(): string[] {
    return [...this.#children.keys()];
  }

  /** The object at `path` (names with `/` between), or null. */
  child(path: string): Hdf5Object | null {
    let found: Hdf5Object | null = this;
    for (const name of path.split('/')) {
      if (name === '') continue;
      const next: Hdf5Object | null = found.#child(name);
      if (next === null) return null;
      found = next;
    }
    return found;
  }

  #child(name: string): Hdf5Object | null {
    const known = this.#opened.get(name);
    if (known !== undefined) return known;
    const address = this.#children.get(name);
    if (address === undefined) return null;
    const opened = new Hdf5Object(this.#file, address);
    this.#opened.set(name, opened);
    return opened;
  }

  get isDataset(): boolean {
    return this.#find(MESSAGE.layout) !== null;
  }

  /** An attribute of one text, or null when there is none or it is something else. */
  text(name: string): string | null {
    return this.texts(name)?.[0] ?? null;
  }

  /** An attribute of texts, in order. */
  texts(name: string): string[] | null {
    for (const { type, content } of this.#messages) {
      if (type !== MESSAGE.attribute) continue;
      content.rewind();
      const attribute = readAttribute(content);
      if (attribute?.name === name) return this.#texts(attribute);
    }
    const info = this.#find(MESSAGE.attributeInfo);
    if (info !== null && hasDenseStorage(info, 2)) throw this.#unsupported('keeps its attributes in a heap');
    return null;
  }

  #texts({ type, shape, content }: AttributeMessage): string[] | null {
    if (type.kind !== 'text' && type.kind !== 'heap-text') return null;
    const count = elementCount(shape);
    if (count * type.size > content.left) throw content.corrupt('An attribute is longer than its place.');
    let total = 0;
    return Array.from({ length: count }, () => {
      const text = type.kind === 'text' ? content.text(type.size) : this.#file.heapText(content);
      total += text.length;
      if (total > MOST_TEXT_BYTES) throw content.corrupt(`An attribute holds more than ${MOST_TEXT_BYTES} bytes.`);
      return text;
    });
  }

  /**
   * The data set as a tensor, its elements left in the file. Throws `format-unsupported` for data in chunks (and so for
   * compressed data), and for elements that are no numbers of a kind that Hone knows.
   */
  tensor(): Tensor {
    const [space, element, place] = [MESSAGE.dataspace, MESSAGE.datatype, MESSAGE.layout].map((type) => {
      const found = this.#find(type);
      if (found === null) throw new HoneError('file-corrupt', 'A data set lacks a part.', this.#where);
      return found;
    }) as [Cursor, Cursor, Cursor];
    const shape = readShape(space);
    const type: ElementType = readElementType(element);
    if (type.kind !== 'number') throw this.#unsupported('holds elements that are no little-endian numbers');
    const layout = readLayout(place);
    if (layout.kind === 'chunked') throw this.#unsupported('is stored in chunks, as compressed data is');
    const bytes = byteLength(type.dtype, elementCount(shape));
    const stored = layout.bytes ?? bytes;
    if (stored !== bytes)
      throw new HoneError('tensor-size-mismatch', `A data set needs ${bytes} bytes and has ${stored}.`, this.#where);
    const address = layout.kind === 'inline' ? layout.position : layout.address;
    if (address === null && bytes > 0) throw this.#unsupported('was never written');
    const data = this.#file.later(bytes === 0 ? 0 : (address ?? 0), bytes);
    return new Tensor({ dtype: type.dtype, shape, data });
  }

  get #where(): { where: { file: string } } {
    return { where: { file: this.#file.path } };
  }

  get #children(): Map<string, number> {
    this.#links ??= new Map(this.#readLinks());
    return this.#links;
  }

  *#readLinks(): Iterable<readonly [string, number]> {
    for (const { type, content } of this.#messages) {
      content.rewind();
      if (type === MESSAGE.symbolTable) yield* readSymbolTable(this.#file, content);
      else if (type === MESSAGE.link) {
        const link = readLink(content);
        if (link !== null) yield [link.name, link.address];
      } else if (type === MESSAGE.linkInfo && hasDenseStorage(content, 8))
        throw this.#unsupported('is a group that keeps its links in a heap');
    }
  }

  #find(type: number): Cursor | null {
    const content = this.#messages.find((message) => message.type === type)?.content ?? null;
    content?.rewind();
    return content;
  }

  #unsupported(what: string): HoneError {
    return new HoneError(
      'format-unsupported',
      `An object of the HDF5 file ${what}, which Hone does not read. Open the model in Keras and save it again.`,
      this.#where,
    );
  }
}

/** The messages of an object header, of its continuations too. Sections IV.A.1.a and b. */
function* readHeader(file: Hdf5File, address: number): Iterable<Message> {
  const first = file.at(address, 4);
  const isNew = first.bytes[0] === 0x4f;
  const visited = new Set<number>();
  let count = 0;
  let creationOrder = 0;
  let pending: { address: number; length: number }[];
  if (isNew) {
    first.expect('OHDR');
    const head = file.at(address + 4, 2);
    if (head.uint8() !== 2) throw head.corrupt('An object header is of an unknown version.');
    const flags = head.uint8();
    creationOrder = (flags & 4) !== 0 ? 2 : 0;
    const before = 6 + ((flags & 32) !== 0 ? 16 : 0) + ((flags & 16) !== 0 ? 4 : 0);
    const width = 1 << (flags & 3);
    const length = file.at(address + before, width).sized(flags & 3);
    pending = [{ address: address + before + width, length }];
  } else {
    const head = file.at(address, 16);
    if (head.uint8() !== 1) throw head.corrupt('An object header is of an unknown version.');
    head.skip(7);
    pending = [{ address: address + 16, length: head.uint32() }];
  }
  for (let block = pending.shift(); block !== undefined; block = pending.shift()) {
    if (visited.has(block.address)) continue;
    visited.add(block.address);
    const cursor = file.at(block.address, block.length);
    const smallest = isNew ? 4 + creationOrder : 8;
    while (cursor.left >= smallest) {
      const type = isNew ? cursor.uint8() : cursor.uint16();
      const size = cursor.uint16();
      const flags = cursor.uint8();
      cursor.skip(isNew ? creationOrder : 3);
      if (++count > MOST_MESSAGES) throw cursor.corrupt('An object has more messages than any would need.');
      const content = cursor.part(size);
      if (type !== MESSAGE.continuation) {
        yield { type, flags, content };
        continue;
      }
      const next = content.uint64();
      const length = content.uint64() ?? 0;
      if (next === null) continue;
      // New continuations begin with OCHK and end with a checksum, which is not among the messages.
      pending.push(isNew ? { address: next + 4, length: length - 8 } : { address: next, length });
    }
  }
}

/** The links of a group in the old form: a B-tree of symbol tables, whose names are in a heap. Sections III.A.1, III.C, III.D. */
function* readSymbolTable(file: Hdf5File, message: Cursor): Iterable<readonly [string, number]> {
  const tree = message.uint64();
  const heapAddress = message.uint64();
  if (tree === null || heapAddress === null) return;
  const heap = file.at(heapAddress, 32);
  heap.expect('HEAP');
  heap.skip(4);
  const heapBytes = heap.uint64() ?? 0;
  heap.skip(8);
  const names = file.at(heap.uint64() ?? 0, heapBytes).bytes;
  const visited = new Set<number>();
  let links = 0;
  const pending = [tree];
  for (let address = pending.pop(); address !== undefined; address = pending.pop()) {
    if (visited.has(address)) throw heap.corrupt('The tree of a group runs in a circle.');
    visited.add(address);
    const isTree = file.at(address, 4).bytes[0] === 0x54;
    const cursor = file.at(address, isTree ? 24 : 8);
    if (isTree) {
      cursor.expect('TREE');
      cursor.skip(2);
      const count = cursor.uint16();
      const entries = file.at(address + 24, count * 16 + 8);
      const children: number[] = [];
      for (let index = 0; index < count; index++) {
        entries.skip(8);
        const child = entries.uint64();
        if (child !== null) children.push(child);
      }
      pending.push(...children.reverse());
      continue;
    }
    cursor.expect('SNOD');
    cursor.skip(2);
    const count = cursor.uint16();
    const entries = file.at(address + 8, count * 40);
    for (let index = 0; index < count; index++) {
      if (++links > MOST_LINKS) throw cursor.corrupt('A group has more entries than any would need.');
      const name = entries.uint64() ?? 0;
      const object = entries.uint64();
      const isSoft = entries.uint32() === 2;
      entries.skip(20);
      if (name >= names.length) throw entries.corrupt('An entry of a group has its name outside the heap.');
      if (!isSoft && object !== null) yield [textUntilZero(names.subarray(name)), object];
    }
  }
}
