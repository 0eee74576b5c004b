/** Which operators of quantization a model can use. */
import type { Model } from '../graph/model.ts';
import type { QuantizedType } from './quantization-parameters.ts';

/**
 * The domain of Q/DQ nodes: ONNX's own has an axis from opset 13 on and 16 bits from 21 on; ONNX Runtime's own operators of
 * the same names serve older models, and it fuses them alike.
 */
export function quantizationDomain(model: Model, type: QuantizedType): string {
  const needed = type.endsWith('16') ? 21 : 13;
  if (model.opset >= needed) return '';
  if (!model.opsets.has('com.microsoft')) model.opsets.set('com.microsoft', 1);
  return 'com.microsoft';
}
