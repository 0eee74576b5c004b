/** Operators that ONNX Runtime fuses, written out: what the engine says of the model before and after. */
import { describe, expect, it } from 'vitest';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import { fusedDifference } from '../../helpers/fused.ts';
import { FUSED } from '../../helpers/fused-cases.ts';

const engine = await openEngine();
describe('small fused operators', () => {
  it.each(FUSED)('%s', async (_, each) => {
    for (const opset of [12, 17, 21]) expect(await fusedDifference(engine, { ...each, opset })).toBeLessThan(2e-5);
  });
});
