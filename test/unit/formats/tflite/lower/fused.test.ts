/** Operators of ONNX Runtime's own domain, which the writer says in ONNX's, on LiteRT against ONNX Runtime's kernels. */
import { describe, expect, it } from 'vitest';
import { fusedModel, w, x } from '../../../../helpers/fused.ts';
import { ATTENTION, FUSED, GROUPED } from '../../../../helpers/fused-cases.ts';
import { againstOnnxRuntime, agrees } from '../../../../helpers/tflite-lowering.ts';

describe('fused operators on LiteRT', () => {
  it.each([...FUSED, ...ATTENTION, ...GROUPED])('%s', async (_, each) => {
    const { model, feeds } = fusedModel({ ...each, opset: 17 });
    const difference = await againstOnnxRuntime(model, feeds);
    expect(agrees(difference), JSON.stringify(difference)).toBe(true);
  });

  it.each(['Gelu', 'FastGelu', 'QuickGelu'])('%s of ONNX Runtime', async (type) => {
    const { model, feeds } = fusedModel({ type, operands: [x(2, 3, 4)] });
    expect(agrees(await againstOnnxRuntime(model, feeds))).toBe(true);
  });

  it('SimplifiedLayerNormalization', async () => {
    const { model, feeds } = fusedModel({ type: 'SimplifiedLayerNormalization', operands: [x(2, 3, 8), w(8)] });
    for (const node of model.graph.nodes) node.domain = '';
    expect(agrees(await againstOnnxRuntime(model, feeds))).toBe(true);
  });
});
