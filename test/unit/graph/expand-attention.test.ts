/** ONNX Runtime's attention and rotary embedding, written out: what the engine says of the model before and after. */
import { describe, expect, it } from 'vitest';
import { expandFused } from '../../../native-workers/graph/expand-fused.ts';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import { fusedDifference, fusedModel, ints, x } from '../../helpers/fused.ts';
import { ATTENTION, GROUPED } from '../../helpers/fused-cases.ts';

const engine = await openEngine();

describe('attention', () => {
  it.each(ATTENTION)('%s', async (_, each) => {
    for (const opset of [12, 21]) expect(await fusedDifference(engine, { ...each, opset })).toBeLessThan(2e-6);
  });

  it.each(GROUPED)('of groups: %s', async (_, each) => {
    expect(await fusedDifference(engine, each)).toBeLessThan(2e-6);
  });

  it.each([
    [
      'a length that is computed',
      {
        type: 'GroupQueryAttention',
        operands: [x(1, 1, 64), x(1, 1, 32), x(1, 1, 32), x(1, 2, 5, 16), x(1, 2, 5, 16), ints([1, 1], 5), ints([], 6)],
        attributes: { num_heads: 4, kv_num_heads: 2 },
      },
    ],
    [
      'an open length',
      {
        type: 'MultiHeadAttention',
        operands: [{ shape: [2, 4, 8], declared: [2, 'length', 8] }, x(2, 4, 8), x(2, 4, 8)],
        attributes: { num_heads: 2, unidirectional: 1 },
      },
    ],
  ] as const)('stays as it is with %s', (_, each) => {
    const { model } = fusedModel(each);
    const before = [...model.graph.nodes].length;
    expect(expandFused(model, new Map())).toBe(0);
    expect([...model.graph.nodes]).toHaveLength(before);
  });
});
