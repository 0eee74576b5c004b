/**
 * Fused attention with a constant weight, for dynamic INT8: ONNX Runtime's Attention becomes its QAttention, whose projections
 * to query, key and value run on integers. Source: docs/ContribOperators.md of ONNX Runtime, attention_quant.cc.
 */
import type { Node } from '../../graph/node.ts';
import { Tensor } from '../../graph/tensor.ts';
import { toFloat32 } from '../../graph/tensor-values.ts';
import type { Value } from '../../graph/value.ts';
import { addConstant, type ConstantOf } from '../edit.ts';
import type { PassContext } from '../pass.ts';
import { spill } from '../spill.ts';
import { channelView, quantizeWeight, relativeError, type WeightOptions } from './weights.ts';

/** Attributes that QAttention shares with Attention; one with others stays float. */
const KNOWN_ATTRIBUTES = new Set([
  ...['num_heads', 'unidirectional', 'do_rotary', 'mask_filter_value', 'past_present_share_buffer'],
]);

export function isAttention(node: Node): boolean {
  return node.domain === 'com.microsoft' && node.opType === 'Attention';
}

/** Why an Attention node stays float, or null. */
export function attentionUnfit(node: Node, constantOf: ConstantOf): string | null {
  const weight = constantOf(node.inputs[1]);
  if (weight?.dtype !== 'float32' || weight.shape.length !== 2) return 'its weight is no float32 constant matrix';
  if (!node.inputs[2]) return 'it has no bias, which QAttention needs';
  if (node.inputs.slice(5).some((input) => input !== null)) return 'it has inputs that QAttention does not take';
  const unknown = [...node.attributes.keys()].find((name) => !KNOWN_ATTRIBUTES.has(name));
  return unknown === undefined ? null : `it has the attribute ${unknown}, which QAttention does not take`;
}

/** Replaces the node's inputs and type; the input comes quantized. Returns the relative error of the weight. */
export function quantizeAttention(
  node: Node,
  input: { readonly codes: Value; readonly scale: Value; readonly zeroPoint: Value },
  weight: Tensor,
  options: WeightOptions,
  context: PassContext,
): number {
  const { graph } = node;
  if (graph === null) return 0;
  const source = toFloat32(weight);
  const view = channelView(weight.shape, 1, true);
  const quantized = quantizeWeight(source, view, options);
  const name = node.inputs[1]?.name ?? node.label;
  const columns = [quantized.scales.length];
  const codes = new Tensor({ dtype: 'int8', shape: weight.shape, data: spill(context.scratch, quantized.codes) });
  const [, , bias = null, mask = null, past = null] = node.inputs;
  const inputs = [
    input.codes,
    graph.addInitializer(graph.uniqueName(`${name}_int8`), codes),
    bias,
    input.scale,
    addConstant(graph, `${name}_scale`, 'float32', columns, quantized.scales),
    mask,
    input.zeroPoint,
    addConstant(graph, `${name}_zero_point`, 'int8', columns, new Int8Array(quantized.scales.length)),
    past,
  ];
  node.opType = 'QAttention';
  node.truncateInputs(0);
  inputs.forEach((value, index) => {
    if (value !== null) node.setInput(index, value);
  });
  return relativeError(source, quantized, view);
}
