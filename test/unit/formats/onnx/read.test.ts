import { describe, expect, it } from 'vitest';
import { readOnnxBytes } from '../../../../native-workers/formats/onnx/read.ts';
import { onnxBytes } from '../../../../native-workers/formats/onnx/write.ts';
import { validate } from '../../../../native-workers/graph/validate.ts';
import { type Fields, leaves } from '../../../helpers/wire.ts';
import { FLOAT, info, model, node, relu, tensorType } from '../../../helpers/wire-onnx.ts';

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
