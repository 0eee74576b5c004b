import { describe, expect, it } from 'vitest';
import { DTYPES, type DType } from '../../../native-workers/graph/dtype.ts';
import { Tensor } from '../../../native-workers/graph/tensor.ts';
import { FileData, MemoryData } from '../../../native-workers/graph/tensor-data.ts';
import {
  float32Chunks,
  scalarTensor,
  tensorFromBytes,
  tensorFromFloat32,
  tensorFromHost,
  tensorFromInt64,
  tensorFromNumbers,
  tensorFromStrings,
  toFloat32,
  toHostTensor,
  toNumbers,
} from '../../../native-workers/graph/tensor-values.ts';

const numeric = (Object.keys(DTYPES) as DType[]).filter(
  (dtype) => !['string', 'complex64', 'complex128'].includes(dtype),
);

describe('values', () => {
  it.each(numeric)('of %s come back', (dtype) => {
    const values = {
      float8e8m0: [1, 2, 0.5, 4, 8],
      bool: [0, 1, 1, 0, 1],
      uint2: [0, 1, 2, 3, 1],
      int2: [0, 1, -2, -1, 1],
    };
    const unsigned = DTYPES[dtype].kind === 'unsigned';
    const wanted = values[dtype as 'bool'] ?? (unsigned ? [0, 1, 2, 6, 3] : [0, 1, -2, 6, -3]);
    const tensor = tensorFromNumbers(dtype, wanted, [5]);
    expect(tensor.data.byteLength).toBe(Math.ceil((5 * DTYPES[dtype].bits) / 8));
    expect(toNumbers(tensor)).toEqual(wanted);
    expect([...toFloat32(tensor)]).toEqual(wanted);
    expect([...float32Chunks(tensor, 16)].flatMap((piece) => [...piece])).toEqual(wanted);
  });

  it('of sub-byte types are packed from the lowest bits', () => {
    expect([...tensorFromNumbers('int4', [1, -1, 7], [3]).data.read()]).toEqual([0xf1, 0x07]);
    expect([...tensorFromNumbers('uint2', [1, 2, 3, 0, 1], [5]).data.read()]).toEqual([0b00111001, 1]);
    expect([...tensorFromNumbers('float4e2m1', [6, -0.5], [2]).data.read()]).toEqual([0x97]);
  });

  it('are rounded to even and clipped', () => {
    expect(toNumbers(tensorFromNumbers('int8', [0.5, 1.5, -2.5, 300, -300], [5]))).toEqual([0, 2, -2, 127, -128]);
    expect(toNumbers(tensorFromNumbers('uint4', [-1, 99, 2.5], [3]))).toEqual([0, 15, 2]);
    expect(toHostTensor(tensorFromNumbers('int64', [2 ** 63], [])).data).toEqual(BigInt64Array.of(2n ** 63n - 1n));
  });

  it('are read at any alignment', () => {
    const bytes = Buffer.from([0, 0, 0, 128, 63, 0, 0, 0, 64]).subarray(1);
    expect(toNumbers(tensorFromBytes('float32', [2], bytes))).toEqual([1, 2]);
  });

  it('go to the engine and back', () => {
    for (const tensor of [
      tensorFromFloat32(Float32Array.of(1, 2), [2, 1]),
      tensorFromInt64([1, -5n], [2]),
      tensorFromNumbers('float16', [0.5], [1]),
      tensorFromStrings(['a', 'é'], [2]),
      tensorFromNumbers('int4', [1, 2, 3], [3]),
    ]) {
      const back = tensorFromHost(toHostTensor(tensor));
      expect([back.dtype, back.shape, [...back.data.read()], back.strings]).toEqual([
        tensor.dtype,
        tensor.shape,
        [...tensor.data.read()],
        tensor.strings,
      ]);
    }
    expect(toHostTensor(tensorFromNumbers('float16', [0.5], [1])).data).toEqual(Uint16Array.of(0x3800));
  });

  it('of strings are none', () => {
    expect(() => toNumbers(tensorFromStrings(['a'], [1]))).toThrow(/no numbers/);
  });
});

describe('a tensor', () => {
  it('refuses data of another size', () => {
    const mismatch = expect.objectContaining({ code: 'tensor-size-mismatch' });
    expect(() => tensorFromBytes('float32', [2], new Uint8Array(7))).toThrow(mismatch);
    expect(() => tensorFromNumbers('int8', [1, 2], [3])).toThrow(mismatch);
    expect(() => tensorFromStrings(['a'], [2])).toThrow(mismatch);
    expect(scalarTensor('float32', 3).shape).toEqual([]);
  });

  it('refuses dimensions whose product overflows', () => {
    const data = new MemoryData(new Uint8Array(0));
    for (const shape of [[2 ** 40, 2 ** 40], [-1], [2 ** 53, 2]]) {
      expect(() => new Tensor({ dtype: 'float32', shape, data })).toThrow(
        expect.objectContaining({ code: 'tensor-too-large' }),
      );
    }
  });

  it('says when its file ends early', () => {
    const tensor = new Tensor({
      dtype: 'uint8',
      shape: [1 << 20],
      data: new FileData(import.meta.filename, 0, 1 << 20),
    });
    expect(() => tensor.data.read()).toThrow(expect.objectContaining({ code: 'file-truncated' }));
  });
});
