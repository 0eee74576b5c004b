/** Integer kernels exist from opset 10 on; models of opset 7 to 9 can mostly be declared as such. */
import type { Model } from '../../graph/model.ts';

/** The first opset with QLinearConv and QLinearMatMul, which ONNX Runtime makes of Q/DQ pairs. */
const NEEDED = 10;
const OLDEST = 7;

/** Operators that opset 8, 9 or 10 changed in meaning or form (Changelog.md of ONNX); all others stay as they are. */
const CHANGED = ['Slice', 'TopK', 'Upsample', 'Scan', 'BatchNormalization'];

/** Declares opset 10 where the model is older and means the same by it; returns why that cannot be, or null. */
export function raiseOpset(model: Model): string | null {
  const { opset } = model;
  if (opset >= NEEDED) return null;
  const changed = [...model.graph.allNodes()].find((node) => node.is(...CHANGED));
  if (opset < OLDEST || changed !== undefined) {
    const because = changed === undefined ? '' : `, and ${changed.label} would change its meaning in a newer one`;
    return `The model is of opset ${opset}, which has no integer kernels${because}.`;
  }
  model.opsets.set('', NEEDED);
  return null;
}
