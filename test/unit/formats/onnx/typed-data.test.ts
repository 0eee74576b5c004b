import { describe, expect, it } from 'vitest';
import { readOnnxBytes } from '../../../../native-workers/formats/onnx/read.ts';
import { toNumbers } from '../../../../native-workers/graph/tensor-values.ts';
import { type Fields, varint } from '../../../helpers/wire.ts';
import { model, relu } from '../../../helpers/wire-onnx.ts';

function initializer(tensor: Fields): number[] {
  const { graph } = readOnnxBytes(model([...relu, [5, [...tensor, [8, 'w']]]]));
  const [value] = graph.initializers;
  return value?.tensor ? toNumbers(value.tensor) : [];
}

describe('typed tensor data', () => {
  const packed = (...values: (number | bigint)[]): Buffer => Buffer.concat(values.map(varint));
  const cases: [string, Fields, number[]][] = [
    [
      'float32 packed',
      [
        [1, 2],
        [2, 1],
        [4, new Uint8Array(Float32Array.of(1.5, -2).buffer)],
      ],
      [1.5, -2],
    ],
    [
      'float64',
      [
        [1, 1],
        [2, 11],
        [10, new Uint8Array(Float64Array.of(0.1).buffer)],
      ],
      [0.1],
    ],
    [
      'int32, negative',
      [
        [1, 3],
        [2, 6],
        [5, packed(-1, 5, -2147483648)],
      ],
      [-1, 5, -2147483648],
    ],
    [
      'int32, one by one',
      [
        [1, 2],
        [2, 6],
        [5, 7],
        [5, -7],
      ],
      [7, -7],
    ],
    [
      'int64',
      [
        [1, 3],
        [2, 7],
        [7, packed(-1, 2n ** 52n, 0)],
      ],
      [-1, 2 ** 52, 0],
    ],
    [
      'uint64',
      [
        [1, 2],
        [2, 13],
        [11, packed(3, 2n ** 63n)],
      ],
      [3, 2 ** 63],
    ],
    [
      'uint32',
      [
        [1, 1],
        [2, 12],
        [11, packed(4294967295)],
      ],
      [4294967295],
    ],
    [
      'uint8',
      [
        [1, 2],
        [2, 2],
        [5, packed(200, 3)],
      ],
      [200, 3],
    ],
    [
      'int8',
      [
        [1, 2],
        [2, 3],
        [5, packed(-128, 127)],
      ],
      [-128, 127],
    ],
    [
      'bool',
      [
        [1, 2],
        [2, 9],
        [5, packed(1, 0)],
      ],
      [1, 0],
    ],
    [
      'float16 by its bits',
      [
        [1, 2],
        [2, 10],
        [5, packed(0x3c00, 0xc000)],
      ],
      [1, -2],
    ],
    [
      'bfloat16 by its bits',
      [
        [1, 1],
        [2, 16],
        [5, packed(0x3f80)],
      ],
      [1],
    ],
    [
      'float8',
      [
        [1, 1],
        [2, 17],
        [5, packed(0x38)],
      ],
      [1],
    ],
    [
      'int4, two to a byte',
      [
        [1, 3],
        [2, 22],
        [5, packed(0xf1, 0x07)],
      ],
      [1, -1, 7],
    ],
    [
      'uint2, four to a byte',
      [
        [1, 5],
        [2, 25],
        [5, packed(0b00111001, 1)],
      ],
      [1, 2, 3, 0, 1],
    ],
  ];
  it.each(cases)('of %s', (_name, tensor, values) => {
    expect(initializer(tensor)).toEqual(values);
  });

  it('that is large is decoded when it is read', () => {
    const values = Array.from({ length: 100_000 }, (_, index) => (index % 3 === 1 ? -index : index * 1000));
    expect(
      initializer([
        [1, values.length],
        [2, 7],
        [7, packed(...values)],
      ]),
    ).toEqual(values);
  });

  const wrong: [string, Fields][] = [
    [
      'more values than dims',
      [
        [1, 1],
        [2, 6],
        [5, packed(1, 2)],
      ],
    ],
    [
      'fewer values than dims',
      [
        [1, 3],
        [2, 6],
        [5, packed(1, 2)],
      ],
    ],
    [
      'no data at all',
      [
        [1, 3],
        [2, 6],
      ],
    ],
    [
      'raw data of another length',
      [
        [1, 3],
        [2, 6],
        [9, new Uint8Array(11)],
      ],
    ],
  ];
  it.each(wrong)('with %s is refused', (_name, tensor) => {
    expect(() => initializer(tensor)).toThrow(expect.objectContaining({ code: 'tensor-size-mismatch' }));
  });
});
