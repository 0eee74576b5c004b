import { describe, expect, it } from 'vitest';
import { layerRows } from '../../../native-workers/calibrate/layer-rows.ts';
import { type Attribute, stringAttribute } from '../../../native-workers/graph/attribute.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { normal, numbers, runModel } from '../../helpers/passes.ts';

interface Case {
  readonly operator: string;
  readonly data: readonly number[];
  readonly weight: readonly number[];
  readonly attributes?: Readonly<Record<string, number | readonly number[] | Attribute>>;
  /** Axis of the weight that is summed over; 1 unless said. */
  readonly inputAxis?: number;
}

const CASES: readonly (readonly [string, Case])[] = [
  ['a convolution', { operator: 'Conv', data: [2, 3, 7, 6], weight: [4, 3, 3, 3] }],
  [
    'strides, dilations and padding of each side',
    {
      operator: 'Conv',
      data: [2, 3, 9, 8],
      weight: [4, 3, 3, 2],
      attributes: { strides: [2, 1], dilations: [2, 3], pads: [1, 0, 2, 3] },
    },
  ],
  [
    'a depthwise convolution',
    { operator: 'Conv', data: [2, 6, 5, 5], weight: [6, 1, 3, 3], attributes: { group: 6, pads: [1, 1, 1, 1] } },
  ],
  ['groups', { operator: 'Conv', data: [2, 6, 5, 5], weight: [4, 3, 3, 3], attributes: { group: 2 } }],
  ...['SAME_UPPER', 'SAME_LOWER', 'VALID'].map(
    (padding) =>
      [
        padding,
        {
          operator: 'Conv',
          data: [1, 2, 8, 7],
          weight: [3, 2, 3, 4],
          attributes: { auto_pad: stringAttribute(padding), strides: [2, 2] },
        },
      ] as const,
  ),
  [
    'a convolution of one dimension',
    { operator: 'Conv', data: [2, 3, 11], weight: [4, 3, 3], attributes: { strides: [2], pads: [0, 2] } },
  ],
  ['a product of matrices', { operator: 'Gemm', data: [5, 6], weight: [6, 4], inputAxis: 0 }],
  ['a turned weight', { operator: 'Gemm', data: [5, 6], weight: [4, 6], attributes: { transB: 1 } }],
  ['a product of stacks', { operator: 'MatMul', data: [2, 3, 5, 6], weight: [6, 4], inputAxis: 0 }],
];

describe('rows of a layer', () => {
  it.each(CASES)(
    'give what the engine computes: %s',
    async (_, { operator, data, weight, attributes, inputAxis = 1 }) => {
      const builder = new ModelBuilder();
      const weights = builder.weight('w', weight, 1);
      builder.outputs(builder.op(operator, [builder.input('x', data), weights], 'y', attributes));
      const model = builder.model();
      const x = normal(data);
      const y = (await runModel(model, { x }))['y'];
      const [node] = model.graph.nodes;
      const rows = node === undefined ? null : layerRows(node, weight, inputAxis);
      if (rows === null || weights.tensor === null || y === undefined) throw new Error('There are no rows.');
      const values = numbers(weights.tensor);
      const outputs = values.length / rows.columns;
      const found = numbers(y);
      const positions = rows.positions(x);
      expect((data[0] ?? 1) * positions * outputs).toBe(found.length);
      const row = new Float32Array(rows.columns);
      const read = rows.reader(x);
      for (let sample = 0; sample < (data[0] ?? 1); sample++) {
        for (let position = 0; position < positions; position++) {
          for (let output = 0; output < outputs; output++) {
            read(sample, Math.floor((output * rows.groups) / outputs), position, row, 0);
            const along = inputAxis === 0 ? [1, outputs] : [rows.columns, 1];
            const sum = row.reduce(
              (all, value, column) => all + value * (values[output * (along[0] ?? 0) + column * (along[1] ?? 0)] ?? 0),
              0,
            );
            const at =
              operator === 'Conv'
                ? (sample * outputs + output) * positions + position
                : (sample * positions + position) * outputs + output;
            expect(found[at]).toBeCloseTo(sum, 3);
          }
        }
      }
    },
  );

  it('are not taken of a convolution of three dimensions', () => {
    const builder = new ModelBuilder();
    const x = builder.input('x', [1, 2, 4, 4, 4]);
    builder.outputs(builder.op('Conv', [x, builder.weight('w', [3, 2, 2, 2, 2])], 'y'));
    const [node] = builder.model().graph.nodes;
    expect(node === undefined ? undefined : layerRows(node, [3, 2, 2, 2, 2], 1)).toBeNull();
  });
});
