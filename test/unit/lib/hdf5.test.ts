import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileData } from '../../../native-workers/graph/tensor-data.ts';
import { toNumbers } from '../../../native-workers/graph/tensor-values.ts';
import { FileSource, MemorySource } from '../../../native-workers/lib/bytes.ts';
import { Hdf5File } from '../../../native-workers/lib/hdf5/file.ts';
import { ROOT } from '../../helpers/sources.ts';

const FOLDER = join(ROOT, 'test', 'golden', 'keras');
const bytesOf = (name: string): Buffer => readFileSync(join(FOLDER, name));

function opened(bytes: Uint8Array): Hdf5File {
  return new Hdf5File(new MemorySource(bytes), 'model.h5');
}

describe('an HDF5 file', () => {
  it('gives its groups, texts and data, which stay in the file', () => {
    const path = join(FOLDER, 'refused', 'data.h5');
    const source = new FileSource(path);
    const { root } = new Hdf5File(source, path);
    expect(root.names).toEqual(['measurements']);
    expect(root.child('nothing')).toBeNull();
    const data = root.child('measurements');
    expect(data?.isDataset).toBe(true);
    const tensor = data?.tensor();
    source.close();
    expect(tensor?.data).toBeInstanceOf(FileData);
    expect(tensor?.dtype).toBe('float64');
    expect(tensor === undefined ? [] : toNumbers(tensor)).toEqual([0, 1, 2, 3]);
  });

  it('reads attributes of one text and of many', () => {
    const { root } = opened(bytesOf('basic-2.h5'));
    expect(root.text('keras_version')).toMatch(/^2\./);
    expect(root.text('no_such')).toBeNull();
    const weights = root.child('model_weights');
    expect(weights?.texts('layer_names')?.[0]).toBe('conv2d');
    expect(weights?.child('conv2d')?.texts('weight_names')).toEqual(['conv2d/kernel:0', 'conv2d/bias:0']);
    expect(weights?.child('conv2d/conv2d/kernel:0')?.tensor().shape).toEqual([3, 3, 3, 4]);
  });

  it('may begin anywhere in another file', () => {
    const inner = bytesOf('refused/data.h5');
    const outer = Buffer.concat([Buffer.alloc(77), inner, Buffer.alloc(5)]);
    const file = new Hdf5File(new MemorySource(outer), 'archive.keras', 77, inner.length);
    expect(file.root.child('measurements')?.tensor().shape).toEqual([4]);
  });

  it('is refused when it is shorter than it says', () => {
    const bytes = bytesOf('basic-2.h5');
    expect(() => opened(bytes.subarray(0, bytes.length - 1))).toThrow(/should have \d+ bytes/);
    expect(() => opened(bytes.subarray(0, 40))).toThrow(/points to byte/);
  });

  it('is refused when the tree of a group runs in a circle', () => {
    const bytes = bytesOf('basic-2.h5');
    const tree = bytes.indexOf('TREE');
    // The first child of a node: after the header of 24 bytes and a key of 8.
    bytes.writeBigUInt64LE(BigInt(tree), tree + 32);
    expect(() => opened(bytes).root.names).toThrow(/runs in a circle/);
  });

  it('is refused when a name lies outside its heap', () => {
    const bytes = bytesOf('basic-2.h5');
    const entries = bytes.indexOf('SNOD');
    bytes.writeBigUInt64LE(1n << 40n, entries + 8);
    expect(() => opened(bytes).root.names).toThrow(/outside the heap/);
  });
});
