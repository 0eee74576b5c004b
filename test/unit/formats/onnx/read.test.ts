import { describe, expect, it } from 'vitest';
import { readOnnxBytes } from '../../../../native-workers/formats/onnx/read.ts';
import { onnxBytes } from '../../../../native-workers/formats/onnx/write.ts';
import { toNumbers } from '../../../../native-workers/graph/tensor-values.ts';
import { validate } from '../../../../native-workers/graph/validate.ts';
import { type Fields, leaves, varint, wire } from '../../../helpers/wire.ts';

const FLOAT = 1;
const tensorType = (code: number, ...dims: (number | string)[]): Fields => [
  [
    1,
    [
      [1, code],
      [2, dims.map((dim) => [1, [[typeof dim === 'number' ? 1 : 2, dim]]] as const)],
    ],
  ],
];
const info = (name: string, type: Fields): Fields => [
  [1, name],
  [2, type],
];
const node = (opType: string, inputs: string[], outputs: string[], ...rest: Fields): Fields => [
  ...inputs.map((name) => [1, name] as const),
  ...outputs.map((name) => [2, name] as const),
  [4, opType],
  ...rest,
];
const model = (graph: Fields, ...rest: Fields): Buffer =>
  wire([
    [1, 8],
    [7, graph],
    [
      8,
      [
        [1, ''],
        [2, 17],
      ],
    ],
    ...rest,
  ]);
const relu: Fields = [
  [1, node('Relu', ['x'], ['y'])],
  [2, 'g'],
  [11, info('x', tensorType(FLOAT, 2))],
  [12, info('y', tensorType(FLOAT, 2))],
];

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

describe('what Hone has no words for', () => {
  const sparse: Fields = [
    [
      1,
      [
        [1, 1],
        [2, FLOAT],
        [8, 's'],
        [9, new Uint8Array(4)],
      ],
    ],
    [
      2,
      [
        [1, 1],
        [2, 7],
        [9, new Uint8Array(8)],
      ],
    ],
    [3, 5],
  ];
  const odd = model(
    [
      [
        1,
        node(
          'Add',
          ['x', 's'],
          ['y'],
          [
            5,
            [
              [1, 'future'],
              [3, 7],
              [20, 99],
            ],
          ],
          [
            5,
            [
              [1, 'sparse'],
              [20, 11],
              [22, sparse],
            ],
          ],
          [10, [[1, 'devices']]],
        ),
      ],
      [2, 'g'],
      [
        11,
        info('x', [
          [
            1,
            [
              [1, FLOAT],
              [
                2,
                [
                  [
                    1,
                    [
                      [1, 5],
                      [3, 'DATA_CHANNEL'],
                    ],
                  ],
                ],
              ],
            ],
          ],
          [6, 'IMAGE'],
        ]),
      ],
      [
        12,
        info('y', [
          [
            7,
            [
              [1, 'domain'],
              [2, 'name'],
            ],
          ],
        ]),
      ],
      [
        14,
        [
          [1, 'x'],
          [
            2,
            [
              [1, 'SCALE_TENSOR'],
              [2, 's'],
            ],
          ],
        ],
      ],
      [15, sparse],
      [200, 'a field of the future'],
    ],
    [20, [[1, [[2, 'training']]]]],
    [26, [[1, 'configuration']]],
  );

  it('comes back as it was', () => {
    const read = readOnnxBytes(odd);
    validate(read);
    expect(leaves(Buffer.from(onnxBytes(read))).sort()).toEqual(leaves(odd).sort());
  });
});

describe('names', () => {
  it('may be read before they are made, in subgraphs too', () => {
    const branch: Fields = [
      [1, node('Neg', ['late'], ['inner'])],
      [2, 'branch'],
      [12, info('inner', [])],
    ];
    const attribute = (name: string): Fields => [
      [1, name],
      [6, branch],
      [20, 5],
    ];
    const { graph } = readOnnxBytes(
      model([
        [1, node('If', ['c'], ['y'], [5, attribute('then_branch')], [5, attribute('else_branch')])],
        [1, node('Abs', ['x'], ['late'])],
        [2, 'g'],
        [11, info('c', tensorType(9))],
        [11, info('x', tensorType(FLOAT))],
        [12, info('y', tensorType(FLOAT))],
      ]),
    );
    const [choice, abs] = graph.nodes;
    expect([...(abs?.outputs[0]?.consumers ?? [])].map((consumer) => consumer.opType)).toEqual(['Neg', 'Neg']);
    expect(choice?.opType).toBe('If');
    expect(leaves(Buffer.from(onnxBytes(readOnnxBytes(model(relu)))))).toContain('.7.1.4=52656c75');
  });

  const bad: [string, string, Fields][] = [
    [
      'read but not made',
      'graph-missing-input',
      [
        [1, node('Relu', ['ghost'], ['y'])],
        [12, info('y', [])],
      ],
    ],
    ['given out but not made', 'graph-missing-input', [[12, info('y', [])]]],
    ['made twice', 'graph-duplicate-name', [...relu, [1, node('Abs', ['x'], ['y'])]]],
    ['made though given', 'graph-duplicate-name', [...relu, [1, node('Abs', ['y'], ['x'])]]],
    ['given twice', 'graph-duplicate-name', [...relu, [11, info('x', [])]]],
    [
      'in a circle',
      'graph-cycle',
      [
        [1, node('Add', ['x', 'b'], ['a'])],
        [1, node('Relu', ['a'], ['b'])],
        [11, info('x', [])],
        [12, info('a', [])],
      ],
    ],
  ];
  it.each(bad)('%s are an error', (_name, code, graph) => {
    expect(() => readOnnxBytes(model(graph))).toThrow(expect.objectContaining({ code, where: expect.anything() }));
  });
});

describe('functions', () => {
  it('come back with their attributes, references and operator sets', () => {
    const body: Fields = [
      [1, 'Scale'],
      [4, 'in'],
      [5, 'out'],
      [6, 'by'],
      [
        7,
        node(
          'Constant',
          [],
          ['factor'],
          [
            5,
            [
              [1, 'value_float'],
              [20, 1],
              [21, 'by'],
            ],
          ],
        ),
      ],
      [7, node('Mul', ['in', 'factor'], ['out'])],
      [
        9,
        [
          [1, ''],
          [2, 17],
        ],
      ],
      [10, 'local'],
      [
        11,
        [
          [1, 'default'],
          [3, 4],
          [20, 2],
        ],
      ],
      [12, info('factor', tensorType(FLOAT))],
      [13, 'fast'],
      [
        14,
        [
          [1, 'k'],
          [2, 'v'],
        ],
      ],
    ];
    const call = node('Scale', ['x'], ['y'], [7, 'local'], [8, 'fast']);
    const file = model(
      [
        [1, call],
        [2, 'g'],
        [11, info('x', tensorType(FLOAT))],
        [12, info('y', tensorType(FLOAT))],
      ],
      [25, body],
    );
    const read = readOnnxBytes(file);
    expect(
      read.functions.map(({ name, domain, overload, attributes }) => [name, domain, overload, attributes]),
    ).toEqual([['Scale', 'local', 'fast', ['by']]]);
    expect(leaves(Buffer.from(onnxBytes(read))).sort()).toEqual(leaves(file).sort());
  });
});
