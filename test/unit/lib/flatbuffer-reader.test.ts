import { describe, expect, it } from 'vitest';
import { FlatBuffer } from '../../../native-workers/lib/flatbuffer-reader.ts';

/**
 * A file by hand: root offset, identifier, a vtable of two slots at 8, the table at 16 (slot 0: int32 42 at +4; slot 1: a
 * vector of three bytes at +8), and the vector at 28.
 */
function file(change: (view: DataView) => void = () => undefined): FlatBuffer {
  const bytes = new Uint8Array(36);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 16, true);
  bytes.set([0x54, 0x45, 0x53, 0x54], 4);
  view.setUint16(8, 8, true);
  view.setUint16(10, 12, true);
  view.setUint16(12, 4, true);
  view.setUint16(14, 8, true);
  view.setInt32(16, 8, true);
  view.setInt32(20, 42, true);
  view.setUint32(24, 4, true);
  view.setUint32(28, 3, true);
  bytes.set([0x61, 0x62, 0x63], 32);
  change(view);
  return new FlatBuffer(bytes, 'made.bin');
}

describe('FlatBuffer', () => {
  it('reads fields, vectors and texts, and defaults for what is left out', () => {
    const buffer = file();
    const root = buffer.root();
    expect(buffer.identifier).toBe('TEST');
    expect(root.int32(0)).toBe(42);
    expect([...root.bytes(1)]).toEqual([97, 98, 99]);
    expect(root.string(1)).toBe('abc');
    expect(root.int32(7, -5)).toBe(-5);
    expect(root.string(7)).toBeNull();
    expect(root.tables(7)).toEqual([]);
  });

  it('reads a view that does not begin at an aligned byte', () => {
    const shifted = new Uint8Array(39);
    shifted.set(file().slice(0, 36), 3);
    expect(new FlatBuffer(shifted.subarray(3), 'shifted.bin').root().int32(0)).toBe(42);
  });

  it('reads pages of what is not in memory, and those only that it needs', () => {
    // The table and its vtable stand behind weights, and its number across the end of a page.
    const bytes = new Uint8Array(40 << 16);
    const view = new DataView(bytes.buffer);
    const table = (30 << 16) - 6;
    view.setUint32(0, table, true);
    view.setUint16(100, 8, true);
    view.setUint16(102, 8, true);
    view.setUint16(104, 4, true);
    view.setUint16(106, 0, true);
    view.setInt32(table, table - 100, true);
    view.setInt32(table + 4, 123456789, true);
    let read = 0;
    const pages = {
      length: bytes.length,
      read: (at: number, length: number): Uint8Array => {
        read += length;
        return bytes.slice(at, at + length);
      },
    };
    const root = new FlatBuffer(pages, 'paged.bin').root();
    expect(root.int32(0)).toBe(123456789);
    expect(root.int32(1, -1)).toBe(-1);
    expect(read).toBeLessThan(5 << 16);
    expect(() => new FlatBuffer({ ...pages, length: 2 }, 'paged.bin').root()).toThrow(/byte 0.*has 2/);
  });

  const corrupt = { code: 'file-corrupt', where: { file: 'made.bin' } };

  it.each<[string, (view: DataView) => void, (buffer: FlatBuffer) => unknown]>([
    ['a root outside', (view) => view.setUint32(0, 0xfffffff0, true), (buffer) => buffer.root()],
    ['a vtable before the file', (view) => view.setInt32(16, 1000, true), (buffer) => buffer.root()],
    ['a vtable past the end', (view) => view.setInt32(16, -1000, true), (buffer) => buffer.root()],
    ['a vtable that is longer than the file', (view) => view.setUint16(8, 60000, true), (buffer) => buffer.root()],
    ['a field outside', (view) => view.setUint16(12, 60000, true), (buffer) => buffer.root().int32(0)],
    ['a vector outside', (view) => view.setUint32(24, 0xffffff, true), (buffer) => buffer.root().bytes(1)],
    ['a vector that is too long', (view) => view.setUint32(28, 0xffffffff, true), (buffer) => buffer.root().bytes(1)],
    [
      'more tables than there is room for',
      (view) => view.setUint32(28, 0x40000000, true),
      (buffer) => buffer.root().tables(1),
    ],
    [
      'texts that point outside',
      (view) => view.setUint32(32, 0xfffffff0, true),
      (buffer) => {
        new DataView(buffer.slice(0, 1).buffer).setUint32(28, 1, true);
        return buffer.root().strings(1);
      },
    ],
  ])('refuses %s', (_, change, read) => {
    const buffer = file(change);
    expect(() => read(buffer)).toThrowError(expect.objectContaining({ code: corrupt.code }));
  });

  it('refuses a file that ends in its head, naming the file and the byte', () => {
    const short = new FlatBuffer(Uint8Array.of(1, 2), 'made.bin');
    expect(() => short.root()).toThrowError(
      expect.objectContaining({ code: 'file-corrupt', where: { file: 'made.bin', offset: 0 } }),
    );
    expect(() => short.identifier).toThrowError(expect.objectContaining({ code: 'file-corrupt' }));
  });
});
