/** Operators that ONNX Runtime fuses, written out: what the engine says of the model before and after. */
import { describe, expect, it } from 'vitest';
import { floatAttribute, floatsAttribute, stringAttribute } from '../../../native-workers/graph/attribute.ts';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import { type FusedCase, fusedDifference, ints, w, x } from '../../helpers/fused.ts';

const engine = await openEngine();
const text = stringAttribute;

describe('small fused operators', () => {
  const CASES: readonly (readonly [string, FusedCase])[] = [
    ['BiasGelu', { type: 'BiasGelu', operands: [x(2, 3, 4), w(4)] }],
    ['FastGelu with a bias', { type: 'FastGelu', operands: [x(2, 3, 4), w(4)] }],
    [
      'SkipLayerNormalization',
      {
        type: 'SkipLayerNormalization',
        operands: [x(2, 3, 8), x(2, 3, 8), w(8), w(8), w(8)],
        outputs: [0, 3],
        attributes: { epsilon: floatAttribute(1e-5) },
      },
    ],
    ['SkipLayerNormalization, little', { type: 'SkipLayerNormalization', operands: [x(2, 3, 8), x(3, 8), w(8)] }],
    [
      'SkipSimplifiedLayerNormalization',
      { type: 'SkipSimplifiedLayerNormalization', operands: [x(2, 3, 8), x(2, 3, 8), w(8), w(8)], outputs: [0, 3] },
    ],
    [
      'EmbedLayerNormalization',
      {
        type: 'EmbedLayerNormalization',
        operands: [
          ints([2, 3], 0, 4, 2, 3, 1, 0),
          ints([2, 3], 0, 0, 1, 0, 1, 1),
          w(5, 8),
          w(6, 8),
          w(2, 8),
          w(8),
          w(8),
        ],
        outputs: [0, 2],
      },
    ],
    [
      'EmbedLayerNormalization at places',
      {
        type: 'EmbedLayerNormalization',
        operands: [ints([1, 3], 0, 4, 2), null, w(5, 8), w(6, 8), null, w(8), w(8), null, ints([1, 3], 5, 1, 0)],
        outputs: [0, 2],
      },
    ],
    [
      'FusedMatMul',
      {
        type: 'FusedMatMul',
        operands: [x(2, 4, 3), x(2, 5, 4)],
        attributes: { transA: 1, transB: 1, alpha: floatAttribute(0.25) },
      },
    ],
    [
      'FusedConv with a sum',
      {
        type: 'FusedConv',
        operands: [x(1, 2, 5, 5), w(3, 2, 3, 3), w(3), x(1, 3, 3, 3)],
        attributes: { activation: text('Relu') },
      },
    ],
    [
      'FusedConv that clips',
      {
        type: 'FusedConv',
        operands: [x(1, 2, 5, 5), w(3, 2, 3, 3)],
        attributes: { pads: [1, 1, 1, 1], activation: text('Clip'), activation_params: floatsAttribute([-0.5, 1]) },
      },
    ],
    [
      'FusedGemm',
      {
        type: 'FusedGemm',
        operands: [x(2, 4), w(3, 4), w(3)],
        attributes: { transB: 1, activation: text('LeakyRelu'), activation_alpha: floatAttribute(0.2) },
      },
    ],
  ];

  it.each(CASES)('%s', async (_, each) => {
    for (const opset of [12, 17, 21]) expect(await fusedDifference(engine, { ...each, opset })).toBeLessThan(2e-5);
  });
});
