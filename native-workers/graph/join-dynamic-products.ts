/**
 * Products of activations that are quantized at run time, as one operator: what tools write as DynamicQuantizeLinear, MatMulInteger,
 * Cast and Mul is ONNX Runtime's DynamicQuantizeMatMul, and formats whose products quantize by themselves have a word for that.
 * Only where the weights are symmetric, which such products want.
 */
import type { Model } from './model.ts';
import type { Node } from './node.ts';
import { toNumbers } from './tensor-values.ts';
import type { Value } from './value.ts';

const FLOAT = 1;

/** Rewrites the main graph. Returns how many products were joined. */
export function joinDynamicProducts(model: Model): number {
  const { graph } = model;
  let count = 0;
  for (const node of [...graph.nodes]) {
    const found = node.is('MatMulInteger')
      ? scaledProduct(node)
      : node.domain === 'com.microsoft' && node.opType === 'MatMulIntegerToFloat'
        ? floatProduct(node)
        : null;
    if (found === null) continue;
    const { result, parts, inputs } = found;
    const output = graph.createValue(`${node.label}/joined`, result.type);
    graph.addNode({
      opType: 'DynamicQuantizeMatMul',
      domain: 'com.microsoft',
      name: node.label,
      inputs,
      outputs: [output],
    });
    graph.replaceValue(result, output);
    for (const part of parts) if (isUnread(part)) graph.removeNode(part);
    if (!model.opsets.has('com.microsoft')) model.opsets.set('com.microsoft', 1);
    count++;
  }
  return count;
}

/** Whether the weights of a product are int8, a matrix, and around zero. */
export function isSymmetric(weights: Value | null | undefined, zero: Value | null | undefined): boolean {
  if (weights?.tensor?.dtype !== 'int8' || weights.tensor.shape.length !== 2) return false;
  return !zero || (zero.tensor !== null && toNumbers(zero.tensor).every((each) => each === 0));
}

interface Found {
  /** What the last of the parts makes. */
  readonly result: Value;
  /** What the product replaces, the last first. */
  readonly parts: readonly Node[];
  /** Of DynamicQuantizeMatMul: input, weights, scale, zero point, bias. */
  readonly inputs: readonly (Value | null)[];
}

/** The DynamicQuantizeLinear that makes all three values. */
function quantizerOf(
  codes: Value | null | undefined,
  scale: Value | null,
  zero: Value | null | undefined,
): Node | null {
  const maker = codes?.producer;
  if (!maker?.is('DynamicQuantizeLinear')) return null;
  const [first, second, third] = maker.outputs;
  return first === codes && (scale === null || second === scale) && third === zero ? maker : null;
}

function scaledProduct(node: Node): Found | null {
  const [codes, weights, zero, weightZero] = node.inputs;
  const quantizer = quantizerOf(codes, null, zero);
  const cast = onlyReader(node.outputs[0]);
  const scaled = onlyReader(cast?.outputs[0]);
  if (!quantizer || !cast?.is('Cast') || cast.int('to', 0) !== FLOAT || !scaled?.is('Mul')) return null;
  const scales = scaled.inputs.find((value) => value !== cast.outputs[0])?.producer;
  if (!scales?.is('Mul') || !scales.inputs.includes(quantizer.outputs[1] ?? null)) return null;
  const scale = scales.inputs.find((value) => value !== quantizer.outputs[1]);
  const [result] = scaled.outputs;
  if (!scale?.tensor || scale.tensor.shape.length > 1 || !result || !isSymmetric(weights, weightZero)) return null;
  const inputs = [quantizer.inputs[0] ?? null, weights ?? null, scale];
  return { result, parts: [scaled, cast, node, scales, quantizer], inputs };
}

function floatProduct(node: Node): Found | null {
  const [codes, weights, scale = null, weightScale, zero, weightZero, bias = null] = node.inputs;
  const quantizer = quantizerOf(codes, scale, zero);
  const [result] = node.outputs;
  if (!quantizer || !weightScale?.tensor || !result || !isSymmetric(weights, weightZero)) return null;
  const inputs = [quantizer.inputs[0] ?? null, weights ?? null, weightScale, null, bias];
  return { result, parts: [node, quantizer], inputs };
}

function onlyReader(value: Value | null | undefined): Node | null {
  if (value?.consumers.size !== 1) return null;
  const [reader = null] = value.consumers;
  return reader?.graph?.outputs.includes(value) === true ? null : reader;
}

function isUnread(node: Node): boolean {
  return node.outputs.every(
    (output) => output === null || (output.consumers.size === 0 && node.graph?.outputs.includes(output) !== true),
  );
}
