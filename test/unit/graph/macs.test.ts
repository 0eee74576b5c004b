import { describe, expect, it } from 'vitest';
import { intAttribute, stringAttribute } from '../../../native-workers/graph/attribute.ts';
import { countMacs, nodeMacs } from '../../../native-workers/graph/macs.ts';
import { Node } from '../../../native-workers/graph/node.ts';
import { staticShape, tensorType } from '../../../native-workers/graph/types.ts';
import { Value } from '../../../native-workers/graph/value.ts';
import { ModelBuilder } from '../../helpers/models.ts';

type Shape = readonly number[];
type Case = [
  opType: string,
  inputs: (Shape | null)[],
  output: Shape,
  macs: number,
  attributes?: Record<string, number | string>,
  domain?: string,
];

const shaped = (shape: Shape | null): Value | null =>
  shape === null ? null : new Value('x', tensorType('float32', shape));
const shapeOf = (value: Value): Shape | null => staticShape(value.type);

/** Each by hand: output elements times the length of the sum behind one of them. */
const CASES: Case[] = [
  [
    'Conv',
    [
      [1, 3, 224, 224],
      [64, 3, 7, 7],
    ],
    [1, 64, 112, 112],
    118_013_952,
  ],
  [
    'Conv',
    [
      [1, 32, 10, 10],
      [32, 1, 3, 3],
    ],
    [1, 32, 10, 10],
    28_800,
  ],
  ['QLinearConv', [[1, 2, 4, 4], [], [], [5, 2, 1, 1]], [1, 5, 4, 4], 160],
  [
    'ConvTranspose',
    [
      [1, 8, 5, 5],
      [8, 4, 2, 2],
    ],
    [1, 4, 10, 10],
    3200,
  ],
  [
    'Gemm',
    [
      [2, 3],
      [4, 3],
    ],
    [2, 4],
    24,
    { transB: 1 },
  ],
  [
    'Gemm',
    [
      [3, 2],
      [3, 4],
    ],
    [2, 4],
    24,
    { transA: 1 },
  ],
  [
    'MatMul',
    [
      [5, 2, 3],
      [3, 4],
    ],
    [5, 2, 4],
    120,
  ],
  ['MatMul', [[3], [3]], [], 3],
  ['QLinearMatMul', [[2, 3], [], [], [3, 4]], [2, 4], 24],
  [
    'MatMulNBits',
    [
      [2, 64],
      [32, 2, 16],
    ],
    [2, 32],
    4096,
    { N: 32, K: 64 },
    'com.microsoft',
  ],
  [
    'LSTM',
    [
      [7, 2, 3],
      [1, 20, 3],
      [1, 20, 5],
    ],
    [7, 1, 2, 5],
    7 * 2 * (20 * 3 + 20 * 5),
  ],
  [
    'Einsum',
    [
      [2, 3, 4],
      [2, 4, 5],
    ],
    [2, 3, 5],
    120,
    { equation: 'bij,bjk->bik' },
  ],
  [
    'Einsum',
    [
      [2, 3, 4],
      [4, 5],
    ],
    [2, 3, 5],
    120,
    { equation: '...j, jk -> ...k' },
  ],
  ['Einsum', [[3, 4]], [4, 3], 0, { equation: 'ij->ji' }],
  [
    'Attention',
    [[2, 10, 64], [64, 192], [192]],
    [2, 10, 64],
    2 * 10 * 64 * 192 + 2 * 2 * 10 * 10 * 64,
    {},
    'com.microsoft',
  ],
  [
    'Attention',
    [
      [1, 4, 10, 16],
      [1, 4, 12, 16],
      [1, 4, 12, 16],
    ],
    [1, 4, 10, 16],
    2 * 4 * 10 * 12 * 16,
  ],
  [
    'GroupQueryAttention',
    [
      [1, 1, 64],
      [1, 1, 16],
      [1, 1, 16],
      [1, 2, 31, 8],
    ],
    [1, 1, 64],
    2 * 64 * 32,
    {},
    'com.microsoft',
  ],
  ['Relu', [[5]], [5], 0],
];

describe('multiply-accumulates', () => {
  it.each(CASES)('of %s %j -> %j are %d', (opType, inputs, output, macs, attributes = {}, domain = '') => {
    const node = new Node({
      opType,
      domain,
      inputs: inputs.map(shaped),
      outputs: [shaped(output)],
      attributes: Object.entries(attributes).map(([name, value]) => [
        name,
        typeof value === 'number' ? intAttribute(value) : stringAttribute(value),
      ]),
    });
    expect(nodeMacs(node, shapeOf)).toBe(macs);
  });

  it('are unknown where a shape is', () => {
    const build = new ModelBuilder();
    const product = build.op('MatMul', [build.input('a', [2, 3]), build.weight('b', [3, 4])], 'product');
    const { macs, unknown } = countMacs(build.outputs(product).model().graph, shapeOf);
    expect([macs, unknown?.label]).toEqual([null, 'product_node']);
  });

  it('count the larger branch of an If, and a Scan as often as it runs', () => {
    const branch = (size: number) => {
      const inner = new ModelBuilder(`branch${size}`);
      const made = inner.op(
        'MatMul',
        [inner.weight(`a${size}`, [size, 2]), inner.weight(`b${size}`, [2, size])],
        `made${size}`,
      );
      made.type = tensorType('float32', [size, size]);
      return { type: 'graph', value: inner.outputs(made).graph } as const;
    };
    const build = new ModelBuilder();
    const condition = build.input('condition', [], 'bool');
    const chosen = build.op('If', [condition], 'chosen', { then_branch: branch(3), else_branch: branch(5) });
    const scanned = build.op('Scan', [build.input('sequence', [7, 2])], 'scanned', {
      body: branch(4),
      num_scan_inputs: 1,
    });
    const { macs, byNode } = countMacs(build.outputs(chosen, scanned).model().graph, shapeOf);
    expect(macs).toBe(5 * 5 * 2 + 7 * 4 * 4 * 2);
    expect([...byNode.values()]).toEqual([18, 50, 32]);
  });
});
