import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bytesConstant, numbersConstant } from '../../../../native-workers/formats/coreml/constants.ts';
import {
  blobAt,
  isBlob,
  packBits,
  unpackBits,
  WeightPlan,
} from '../../../../native-workers/formats/coreml/weight-file.ts';
import { MemorySource } from '../../../../native-workers/lib/bytes.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const folder = mkdtempSync(join(tmpdir(), 'hone-coreml-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// What coremltools' own library writes for these values.
const VECTORS = [
  { dtype: 'int4', bits: 4, values: [1, 2, 3, -1, 7], packed: '21f307', padding: 4 },
  { dtype: 'uint3', bits: 3, values: [1, 2, 3, 4, 5, 6, 7, 0, 1], packed: 'd1581f01', padding: 5 },
  { dtype: 'uint6', bits: 6, values: [1, 2, 3, 4, 63], packed: '8130103f', padding: 2 },
  { dtype: 'uint1', bits: 1, values: [1, 0, 0, 1, 1, 0, 0, 0, 1], packed: '1901', padding: 7 },
] as const;

describe('packed bits', () => {
  it.each(VECTORS)('of $dtype are those of coremltools', ({ bits, values, packed }) => {
    expect(hex(packBits(values, bits))).toBe(packed);
    const mask = (1 << bits) - 1;
    expect([...unpackBits(packBits(values, bits), bits, values.length)]).toEqual(values.map((value) => value & mask));
  });
});

describe('the weight file', () => {
  const write = (...constants: Parameters<WeightPlan['add']>[0][]): { bytes: Buffer; offsets: number[] } => {
    const plan = new WeightPlan();
    const offsets = constants.map((constant) => plan.add(constant));
    const path = join(folder, `${Math.random()}.bin`);
    plan.write(path);
    return { bytes: readFileSync(path), offsets };
  };

  it.each(VECTORS)('says how many bits of a $dtype blob are unused', ({ dtype, bits, values, padding }) => {
    const { bytes, offsets } = write(bytesConstant(dtype, packBits(values, bits), [values.length]));
    expect(bytes.readBigUInt64LE((offsets[0] ?? 0) + 24)).toBe(BigInt(padding));
  });

  it('has a header, then a record and data for each constant, aligned to 64 bytes', () => {
    const first = numbersConstant('fp32', [1, 2, 3], [3]);
    const second = numbersConstant('int8', [-1, 5], [2]);
    const { bytes, offsets } = write(first, second);
    expect([bytes.readUInt32LE(0), bytes.readUInt32LE(4)]).toEqual([2, 2]);
    expect(offsets).toEqual([64, 192]);
    expect(bytes.readUInt32LE(64)).toBe(0xdeadbeef);
    expect(bytes.readUInt32LE(68)).toBe(2);
    expect([bytes.readBigUInt64LE(72), bytes.readBigUInt64LE(80)]).toEqual([12n, 128n]);
    expect(bytes.readFloatLE(132)).toBe(2);
    expect(bytes.readUInt32LE(196)).toBe(4);
    expect(bytes.length).toBe(192 + 64 + 2);
    const source = new MemorySource(bytes);
    expect(hex(blobAt(source, 192, second).read())).toBe('ff05');
  });

  it('keeps the same data once', () => {
    const constant = numbersConstant('fp32', [1, 2, 3], [3]);
    expect(write(constant, constant).offsets).toEqual([64, 64]);
  });

  it('takes constants of ten elements, and of more types from iOS 18 on', () => {
    expect(isBlob(numbersConstant('fp32', Array(9).fill(1), [9]), 18)).toBe(false);
    expect(isBlob(numbersConstant('fp32', Array(10).fill(1), [10]), 15)).toBe(true);
    expect(isBlob(numbersConstant('int32', Array(10).fill(1), [10]), 17)).toBe(false);
    expect(isBlob(numbersConstant('int32', Array(10).fill(1), [10]), 18)).toBe(true);
    expect(isBlob(bytesConstant('uint4', new Uint8Array(1), [2]), 18)).toBe(true);
  });

  it('that is damaged is refused', () => {
    const constant = numbersConstant('fp32', [1, 2, 3], [3]);
    const { bytes } = write(constant);
    const broken = (change: (copy: Buffer) => void): (() => unknown) => {
      const copy = Buffer.from(bytes);
      change(copy);
      return () => blobAt(new MemorySource(copy), 64, constant);
    };
    expect(broken((copy) => copy.writeUInt32LE(0, 64))).toThrow('no weight');
    expect(broken((copy) => copy.writeUInt32LE(1, 68))).toThrow('not of the type');
    expect(broken((copy) => copy.writeBigUInt64LE(16n, 72))).toThrow('elements');
    expect(broken((copy) => copy.writeBigUInt64LE(2n ** 40n, 80))).toThrow('outside');
    expect(() => blobAt(new MemorySource(bytes), 65, constant)).toThrow('outside');
    expect(() => blobAt(new MemorySource(bytes), 640, constant)).toThrow('outside');
  });
});
