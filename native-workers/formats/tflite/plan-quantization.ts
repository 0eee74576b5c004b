/**
 * Decides which nodes run on quantized tensors: those between DequantizeLinear and QuantizeLinear, whose integers TFLite's own
 * operators take. Nothing that runs so is dequantized and quantized again.
 */
import type { Graph } from '../../graph/graph.ts';
import type { Node } from '../../graph/node.ts';
import { topologicalOrder } from '../../graph/traversal.ts';
import type { Value } from '../../graph/value.ts';
import { isDequantize, isQuantize, type StoredType, StoredTypes, sameQuantization, WEIGHTED } from './stored-type.ts';

const ACTIVATIONS: ReadonlySet<string> = new Set(['int8', 'uint8', 'int16']);

export interface QuantizationPlan {
  /** Nodes whose inputs and outputs are quantized. One that turns out not to be expressible so is taken out again. */
  readonly nodes: Set<Node>;
  /** How their outputs are stored. */
  readonly outputs: ReadonlyMap<Value, StoredType>;
  /** How codes of the graph are stored. */
  readonly types: StoredTypes;
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

export function planQuantization(graph: Graph): QuantizationPlan {
  const types = new StoredTypes(graph);
  const nodes = new Set<Node>();
  const outputs = new Map<Value, StoredType>();
  const isInterface = new Set(graph.outputs);
  const order = topologicalOrder(graph);
  const stored = new Map<Value, StoredType | null>();
  // From the end, since an activation hands what comes after it to the operator before.
  for (const node of order.toReversed()) {
    for (const output of node.outputs)
      if (output !== null) stored.set(output, storedAfter(output, isInterface, stored, types));
  }
  for (const node of order) {
    const count = node.domain === '' ? QUANTIZED.get(node.opType) : undefined;
    if (count === undefined) continue;
    const inputs = node.inputs.slice(0, count ?? node.inputs.length);
    const given = inputs.map((input) => (input === null ? null : inputType(input, outputs, types)));
    const results = node.outputs.map((output) => (output === null ? null : (stored.get(output) ?? null)));
    if (given.includes(null) || results.includes(null) || results.length === 0) continue;
    if (!isExpressible(node, given as StoredType[], inputs as Value[], results as StoredType[])) continue;
    nodes.add(node);
    node.outputs.forEach((output, index) => {
      const type = results[index];
      if (output !== null && type) outputs.set(output, type);
    });
  }
  return { nodes, outputs, types };
}

/** How a value is stored if all that reads it quantizes it the same way, itself or after an activation. */
function storedAfter(
  value: Value,
  isInterface: ReadonlySet<Value>,
  stored: ReadonlyMap<Value, StoredType | null>,
  types: StoredTypes,
): StoredType | null {
  if (isInterface.has(value) || value.consumers.size === 0) return null;
  let found: StoredType | null = null;
  for (const reader of value.consumers) {
    let type: StoredType | null = null;
    if (isQuantize(reader) && reader.inputs[0] === value) type = types.of(reader);
    else if (reader.is('Relu', 'Clip') && reader.inputs[0] === value && value.consumers.size === 1)
      type = reader.outputs[0] ? (stored.get(reader.outputs[0]) ?? null) : null;
    if (type === null || type.quantization.scales.length !== 1) return null;
    if (found !== null && !sameQuantization(found, type)) return null;
    found = type;
  }
  return found;
}

function inputType(value: Value, outputs: ReadonlyMap<Value, StoredType>, types: StoredTypes): StoredType | null {
  const planned = outputs.get(value);
  if (planned !== undefined) return planned;
  return value.producer !== null && isDequantize(value.producer) ? types.of(value.producer) : null;
}

function isExpressible(
  node: Node,
  types: readonly StoredType[],
  inputs: readonly Value[],
  results: readonly StoredType[],
): boolean {
  const [x, weights] = types;
  if (x === undefined || x.quantization.scales.length !== 1 || !ACTIVATIONS.has(x.dtype)) return false;
  if (results.some((result) => result.dtype !== x.dtype || result.quantization.scales.length !== 1)) return false;
  if (!WEIGHTED.has(node.opType)) {
    return types.every((type) => type.dtype === x.dtype && type.quantization.scales.length === 1);
  }
  if (weights === undefined) return false;
  const isConstant = inputs[1]?.producer?.inputs[0]?.tensor != null;
  if (!isConstant) return node.is('MatMul') && weights.quantization.scales.length === 1 && weights.dtype === x.dtype;
  // The older kernels of uint8 take weights with one scale and a zero point, those of int8 none.
  if (x.dtype === 'uint8') return weights.dtype === 'uint8' && weights.quantization.scales.length === 1;
  if (weights.dtype !== 'int8' && weights.dtype !== 'int4') return false;
  return weights.quantization.zeroPoints.every((zero) => zero === 0);
}
