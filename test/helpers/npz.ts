/** NumPy archives and zips written apart from Hone's own readers. */
import { createWriteStream, writeFileSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';

export interface TestArray {
  /** As NumPy writes it: `<f4`, `|u1`, `<i8`, `<U3`. */
  readonly descr: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
  readonly fortran?: boolean;
}

const bytesOf = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

export const floats = (shape: readonly number[], values: Iterable<number>): TestArray => ({
  descr: '<f4',
  shape,
  bytes: bytesOf(Float32Array.from(values)),
});

export const longs = (shape: readonly number[], values: readonly number[]): TestArray => ({
  descr: '<i8',
  shape,
  bytes: bytesOf(BigInt64Array.from(values, BigInt)),
});

export const bytes = (shape: readonly number[], values: Iterable<number>): TestArray => ({
  descr: '|u1',
  shape,
  bytes: Uint8Array.from(values),
});

export const texts = (values: readonly string[]): TestArray => {
  const width = Math.max(...values.map((value) => [...value].length));
  const units = new Uint32Array(values.length * width);
  values.forEach((value, row) => {
    [...value].forEach((character, column) => {
      units[row * width + column] = character.codePointAt(0) ?? 0;
    });
  });
  return { descr: `<U${width}`, shape: [values.length], bytes: bytesOf(units) };
};

/** A version 1 `.npy` file, its header padded to 64 bytes as NumPy does. */
export function npy({ descr, shape, bytes: data, fortran = false }: TestArray): Buffer {
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': (${dims}), }`;
  const header = `${text.padEnd(Math.ceil((10 + text.length + 1) / 64) * 64 - 11)}\n`;
  const start = Buffer.from('\x93NUMPY\x01\x00\x00\x00', 'latin1');
  start.writeUInt16LE(header.length, 8);
  return Buffer.concat([start, Buffer.from(header, 'latin1'), data]);
}

export async function writeZip(path: string, files: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const zip = new ZipFile();
  for (const [name, content] of Object.entries(files)) zip.addBuffer(Buffer.from(content), name);
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(path));
  return path;
}

export function writeNpz(path: string, arrays: Readonly<Record<string, TestArray>>): Promise<string> {
  return writeZip(path, Object.fromEntries(Object.entries(arrays).map(([name, array]) => [`${name}.npy`, npy(array)])));
}

/** A zip with one stored entry, every field as given: for archives that no honest tool writes. */
export function writeRawZip(
  path: string,
  {
    name,
    content,
    packed = content.length,
    size = content.length,
    copies = 1,
  }: {
    readonly name: string;
    readonly content: Uint8Array;
    /** Sizes that the headers claim. */
    readonly packed?: number;
    readonly size?: number;
    /** Entries of the directory that all point to the one content. */
    readonly copies?: number;
  },
): string {
  const nameBytes = Buffer.from(name);
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt32LE(packed, 18);
  local.writeUInt32LE(size, 22);
  local.writeUInt16LE(nameBytes.length, 26);
  const central = Buffer.alloc(46);
  central.writeUInt32LE(0x02014b50, 0);
  central.writeUInt16LE(packed === size ? 0 : 8, 10);
  central.writeUInt32LE(packed, 20);
  central.writeUInt32LE(size, 24);
  central.writeUInt16LE(nameBytes.length, 28);
  const body = Buffer.concat([local, nameBytes, content]);
  const directory = Buffer.concat(Array.from({ length: copies }, () => Buffer.concat([central, nameBytes])));
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(copies, 8);
  end.writeUInt16LE(copies, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(body.length, 16);
  writeFileSync(path, Buffer.concat([body, directory, end]));
  return path;
}
