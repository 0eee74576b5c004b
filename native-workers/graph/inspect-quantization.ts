/** Whether a model is quantized already, and in which of the ways that ONNX Runtime knows. */
import type { Model } from './model.ts';
import type { Node } from './node.ts';

export type QuantizationKind = 'QDQ' | 'QLinear' | 'dynamic' | 'weight-only';

const DYNAMIC = new Set([
  'DynamicQuantizeLinear',
  'DynamicQuantizeMatMul',
  'DynamicQuantizeLSTM',
  'MatMulIntegerToFloat',
  'QAttention',
]);
const INTEGER = new Set(['MatMulInteger', 'ConvInteger']);
const PACKED_WEIGHTS = new Set(['MatMulNBits', 'MatMulBnb4', 'MatMulFpQ4', 'GatherBlockQuantized', 'QMoE']);

/** The ways that the model uses, each with how many nodes; empty for a float model. */
export function quantizationOf(model: Model): Map<QuantizationKind, number> {
  const kinds = new Map<QuantizationKind, number>();
  const add = (kind: QuantizationKind): void => {
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  };
  for (const node of model.graph.allNodes()) {
    if (DYNAMIC.has(node.opType) || INTEGER.has(node.opType)) add('dynamic');
    else if (PACKED_WEIGHTS.has(node.opType)) add('weight-only');
    else if (/^(QLinear|QGemm)/.test(node.opType)) add('QLinear');
    else if (node.opType === 'DequantizeLinear') {
      const kind = dequantizes(node);
      if (kind !== null) add(kind);
    }
  }
  // The weights of a QDQ model are dequantized too: they are part of it, and no weight-only quantization.
  if (kinds.has('QDQ') && ![...model.graph.allNodes()].some((node) => PACKED_WEIGHTS.has(node.opType))) {
    kinds.delete('weight-only');
  }
  return kinds;
}

/** A DequantizeLinear of an activation belongs to QDQ, one of a constant to its weights. */
function dequantizes(node: Node): QuantizationKind | null {
  const input = node.inputs[0];
  if (input === null || input === undefined) return null;
  if (input.producer?.opType === 'QuantizeLinear') return 'QDQ';
  return input.tensor !== null || input.producer?.is('Constant') ? 'weight-only' : null;
}

export function quantizationText(kinds: ReadonlyMap<QuantizationKind, number>): string | null {
  return kinds.size === 0 ? null : [...kinds.keys()].join(' + ');
}
