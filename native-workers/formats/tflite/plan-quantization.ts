/**
 * Decides which nodes run on quantized tensors: those between DequantizeLinear and QuantizeLinear, whose integers TFLite's own
 * operators take. Nothing that runs so is dequantized and quantized again. uint8 becomes int8 by moving the zero point by 128,
 * which changes no real value.
 */
import type { DType } from '../../graph/dtype.ts';
import type { Graph } from '../../graph/graph.ts';
import type { Node } from '../../graph/node.ts';
import { toNumbers } from '../../graph/tensor-values.ts';
import { topologicalOrder } from '../../graph/traversal.ts';
import type { Value } from '../../graph/value.ts';
import type { Quantization } from './ir.ts';

export interface StoredType {
  readonly dtype: DType;
  readonly quantization: Quantization;
}

export interface QuantizationPlan {
  /** Nodes whose inputs and outputs are quantized. One that turns out not to be expressible so is taken out again. */
  readonly nodes: Set<Node>;
  /** How their outputs are stored. */
  readonly outputs: ReadonlyMap<Value, StoredType>;
}

/** Operators with kernels on quantized tensors, and how many of their inputs are such: null for all. */
const QUANTIZED: ReadonlyMap<string, number | null> = new Map([
  ['Conv', 2],
  ['ConvTranspose', 2],
  ['Gemm', 2],
  ['MatMul', 2],
  ['Add', null],
  ['Sub', null],
  ['Mul', null],
  ['Concat', null],
  ...[
    'Relu',
    'Clip',
    'LeakyRelu',
    'HardSwish',
    'Sigmoid',
    'Tanh',
    'Softmax',
    'AveragePool',
    'GlobalAveragePool',
    'ReduceMean',
    'MaxPool',
    'GlobalMaxPool',
    'Reshape',
    'Flatten',
    'Squeeze',
    'Unsqueeze',
    'Transpose',
    'Slice',
    'Split',
    'Pad',
    'Resize',
    'DepthToSpace',
    'SpaceToDepth',
    'Gather',
  ].map((name) => [name, 1] as const),
]);
const WEIGHTED: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

/** Whether the node is one of ONNX's, or one of ONNX Runtime's older ones that mean the same. */
export function isQuantize(node: Node): boolean {
  return node.opType === 'QuantizeLinear' && (node.domain === '' || node.domain === 'com.microsoft');
}

export function isDequantize(node: Node): boolean {
  return node.opType === 'DequantizeLinear' && (node.domain === '' || node.domain === 'com.microsoft');
}

/** Scale, zero point and type of a QuantizeLinear or DequantizeLinear with constant operands; null for all others. */
export function storedTypeOf(node: Node): StoredType | null {
  const [x, scaleValue, zeroValue] = node.inputs;
  if (!scaleValue?.tensor || (node.int('block_size', 0) !== 0 && scaleValue.tensor.shape.length > 1)) return null;
  if (zeroValue && !zeroValue.tensor) return null;
  const scales = toNumbers(scaleValue.tensor);
  const declared = zeroValue?.tensor?.dtype ?? (isDequantize(node) ? (x?.tensor?.dtype ?? typeOf(x ?? null)) : 'uint8');
  if (scaleValue.tensor.shape.length > 1 || declared === null) return null;
  const shift = declared === 'uint8' ? 128 : declared === 'uint4' ? 8 : 0;
  const dtype = declared === 'uint8' ? 'int8' : declared === 'uint4' ? 'int4' : declared;
  if (!['int8', 'int16', 'int32', 'int4'].includes(dtype)) return null;
  const zeros = zeroValue?.tensor ? toNumbers(zeroValue.tensor) : scales.map(() => 0);
  if (dtype === 'int16' && zeros.some((zero) => zero !== 0)) return null;
  const axis = scales.length === 1 ? 0 : node.int('axis', 1);
  return { dtype, quantization: { scales, zeroPoints: zeros.map((zero) => zero - shift), axis } };
}

function typeOf(value: Value | null): DType | null {
  return value?.type?.kind === 'tensor' ? value.type.dtype : null;
}

export function sameQuantization(a: StoredType, b: StoredType): boolean {
  return (
    a.dtype === b.dtype &&
    a.quantization.scales.join() === b.quantization.scales.join() &&
    a.quantization.zeroPoints.join() === b.quantization.zeroPoints.join()
  );
}

export function planQuantization(graph: Graph): QuantizationPlan {
  const nodes = new Set<Node>();
  const outputs = new Map<Value, StoredType>();
  const isInterface = new Set(graph.outputs);
  const order = topologicalOrder(graph);
  const stored = new Map<Value, StoredType | null>();
  // From the end, since an activation hands what comes after it to the operator before.
  for (const node of order.toReversed()) {
    for (const output of node.outputs)
      if (output !== null) stored.set(output, storedAfter(output, isInterface, stored));
  }
  for (const node of order) {
    const count = node.domain === '' ? QUANTIZED.get(node.opType) : undefined;
    if (count === undefined) continue;
    const inputs = node.inputs.slice(0, count ?? node.inputs.length);
    const types = inputs.map((input) => (input === null ? null : inputType(input, outputs)));
    const results = node.outputs.map((output) => (output === null ? null : (stored.get(output) ?? null)));
    if (types.includes(null) || results.includes(null) || results.length === 0) continue;
    if (!isExpressible(node, types as StoredType[], inputs as Value[], results as StoredType[])) continue;
    nodes.add(node);
    node.outputs.forEach((output, index) => {
      const type = results[index];
      if (output !== null && type) outputs.set(output, type);
    });
  }
  return { nodes, outputs };
}

/** How a value is stored if all that reads it quantizes it the same way, itself or after an activation. */
function storedAfter(
  value: Value,
  isInterface: ReadonlySet<Value>,
  stored: ReadonlyMap<Value, StoredType | null>,
): StoredType | null {
  if (isInterface.has(value) || value.consumers.size === 0) return null;
  let found: StoredType | null = null;
  for (const reader of value.consumers) {
    let type: StoredType | null = null;
    if (isQuantize(reader) && reader.inputs[0] === value) type = storedTypeOf(reader);
    else if (reader.is('Relu', 'Clip') && reader.inputs[0] === value && value.consumers.size === 1)
      type = reader.outputs[0] ? (stored.get(reader.outputs[0]) ?? null) : null;
    if (type === null || type.quantization.scales.length !== 1) return null;
    if (found !== null && !sameQuantization(found, type)) return null;
    found = type;
  }
  return found;
}

function inputType(value: Value, outputs: ReadonlyMap<Value, StoredType>): StoredType | null {
  const planned = outputs.get(value);
  if (planned !== undefined) return planned;
  return value.producer !== null && isDequantize(value.producer) ? storedTypeOf(value.producer) : null;
}

function isExpressible(
  node: Node,
  types: readonly StoredType[],
  inputs: readonly Value[],
  results: readonly StoredType[],
): boolean {
  const [x, weights] = types;
  if (x === undefined || x.quantization.scales.length !== 1 || (x.dtype !== 'int8' && x.dtype !== 'int16'))
    return false;
  if (results.some((result) => result.dtype !== x.dtype || result.quantization.scales.length !== 1)) return false;
  if (!WEIGHTED.has(node.opType)) {
    return types.every((type) => type.dtype === x.dtype && type.quantization.scales.length === 1);
  }
  if (weights === undefined) return false;
  const isConstant = inputs[1]?.producer?.inputs[0]?.tensor != null;
  if (!isConstant) return node.is('MatMul') && weights.quantization.scales.length === 1 && weights.dtype === x.dtype;
  if (weights.dtype !== 'int8' && weights.dtype !== 'int4') return false;
  return weights.quantization.zeroPoints.every((zero) => zero === 0);
}
