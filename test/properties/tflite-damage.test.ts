/** Damaged TFLite files never end the process, never hang, and give only errors about the input. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { TflGraph, TflOperator, TflTensor } from '../../native-workers/formats/tflite/ir.ts';
import { readTflite } from '../../native-workers/formats/tflite/read.ts';
import { slotOf } from '../../native-workers/formats/tflite/schema.ts';
import { writeTflite } from '../../native-workers/formats/tflite/write.ts';
import { tensorFromFloat32, tensorFromNumbers } from '../../native-workers/graph/tensor-values.ts';
import { FlatBuffer } from '../../native-workers/lib/flatbuffer-reader.ts';
import { HoneError } from '../../native-workers/protocol/errors.ts';
import { hasShared, SHARED } from '../helpers/shared.ts';

/** The error of opening `bytes`, or null when they open: damage in weights is no damage of the structure. */
function opening(bytes: Uint8Array, folder: string): HoneError | null {
  const path = join(folder, 'model.tflite');
  writeFileSync(path, bytes);
  try {
    readTflite(path);
    return null;
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(HoneError);
    return thrown as HoneError;
  }
}

function expectInputError(error: HoneError | null): void {
  if (error === null) return;
  expect(['input', 'unsupported']).toContain(error.kind);
  expect(error.message.length).toBeGreaterThan(10);
}

/** A file of two layers, made in code: [1, 4] -> 3 -> 2. */
function smallFile(): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'tflite-'));
  const path = join(folder, 'small.tflite');
  writeTflite(layers(), path);
  const bytes = Uint8Array.from(readFileSync(path));
  rmSync(folder, { recursive: true, force: true });
  return bytes;
}

function layers(): TflGraph {
  const tensor = (name: string, shape: readonly number[], isConstant = false): TflTensor => {
    const count = shape.reduce((all, dim) => all * dim, 1);
    const constant = isConstant ? tensorFromFloat32(new Float32Array(count).fill(0.5), shape) : null;
    return { name, shape, dtype: 'float32', constant, quantization: null, signature: null };
  };
  const [x, h, r, y] = [tensor('x', [1, 4]), tensor('h', [1, 3]), tensor('r', [1, 3]), tensor('y', [1, 2])];
  const shape = {
    name: 'shape',
    shape: [2],
    dtype: 'int32' as const,
    constant: tensorFromNumbers('int32', [1, 3], [2]),
    quantization: null,
    signature: null,
  };
  const layer = (input: TflTensor, output: TflTensor, sizes: readonly [number, number]): TflOperator => ({
    code: 'FULLY_CONNECTED',
    inputs: [input, tensor('w', sizes, true), tensor('b', [sizes[0]], true)],
    outputs: [output],
    options: { fused_activation_function: 1, weights_format: 0, keep_num_dims: false },
    source: '',
  });
  return {
    inputs: [{ source: 'x', name: 'x', tensor: x }],
    outputs: [{ source: 'y', name: 'y', tensor: y }],
    operators: [
      layer(x, h, [3, 4]),
      { code: 'RESHAPE', inputs: [h, shape], outputs: [r], options: { new_shape: [1, 3] }, source: '' },
      layer(r, y, [2, 3]),
    ],
  };
}

describe('a damaged small file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tflite-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const bytes = smallFile();

  it('opens when it is whole, and cut at each of its bytes it is refused', () => {
    expect(opening(bytes, folder)).toBeNull();
    for (let length = 0; length < bytes.length; length++) {
      const error = opening(bytes.subarray(0, length), folder);
      expectInputError(error);
    }
  });

  it.each([0x01, 0x80, 0xff])('with any byte changed by %s gives an error about the input, or opens', (mask) => {
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Uint8Array.from(bytes);
      damaged[at] = (damaged[at] as number) ^ mask;
      expectInputError(opening(damaged, folder));
    }
  });

  // Offsets, counts and vtables are words: zero, huge, negative, pointing at themselves or at the beginning.
  it.each([0, 0x7fffffff, 0x80000000, 0xffffffff])('with any word set to %s likewise', (word) => {
    for (let at = 0; at + 4 <= bytes.length; at += 4) {
      const damaged = Uint8Array.from(bytes);
      new DataView(damaged.buffer).setUint32(at, word, true);
      expectInputError(opening(damaged, folder));
    }
  });

  it('with its bytes one further on is read all the same: no number in it need be aligned', () => {
    const moved = new Uint8Array(bytes.length + 1);
    moved.set(bytes, 1);
    expect(opening(moved.subarray(1), folder)).toBeNull();
  });

  it('of another schema is told so', () => {
    const other = Uint8Array.from(bytes);
    other[7] = '2'.charCodeAt(0);
    expect(opening(other, folder)).toMatchObject({ code: 'file-not-a-model' });
    const newer = Uint8Array.from(bytes);
    const root = new FlatBuffer(newer, 'small').root();
    new DataView(newer.buffer).setUint32(root.field(slotOf('Model', 'version')) ?? 0, 4, true);
    expect(opening(newer, folder)).toMatchObject({ code: 'format-unsupported' });
  });
});

const FILES = ['pretrainedResnet_quant.tflite', 'vww_96_float.tflite'];

describe.skipIf(!hasShared)('damaged TFLite files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tflite-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(FILES)('%s cut at each fiftieth of it is refused', (file) => {
    const bytes = readFileSync(join(SHARED, 'real', file));
    for (let part = 0; part < 50; part++) {
      const error = opening(bytes.subarray(0, Math.floor((bytes.length * part) / 50)), folder);
      expect(error).not.toBeNull();
      expectInputError(error);
    }
  });

  it.each(FILES)('%s cut anywhere is refused', (file) => {
    const bytes = readFileSync(join(SHARED, 'real', file));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bytes.length - 1 }), (length) => {
        expectInputError(opening(bytes.subarray(0, length), folder));
      }),
      { numRuns: 60 },
    );
    expect(opening(bytes.subarray(0, 7), folder)?.code).toBe('file-truncated');
  });

  it.each(FILES)('%s with flipped bits gives an error about the input, or opens', (file) => {
    const bytes = readFileSync(join(SHARED, 'real', file));
    // The structure is dense at the end of the file and at its beginning.
    const place = fc.oneof(
      fc.integer({ min: 0, max: 64 }),
      fc.integer({ min: bytes.length - 12_000, max: bytes.length - 1 }),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(place, fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 6 }),
        (flips) => {
          const damaged = Uint8Array.from(bytes);
          for (const [at, mask] of flips) damaged[at] = (damaged[at] as number) ^ mask;
          expectInputError(opening(damaged, folder));
        },
      ),
      { numRuns: 300 },
    );
  });
});
