/**
 * Where Q/DQ pairs go: a plan, made before anything is changed. It starts from the nodes that do the work and grows over the
 * nodes between them that the target runs on integers too; every node left out is named with its reason.
 */
import { elementCount } from '../../graph/dtype.ts';
import type { Graph } from '../../graph/graph.ts';
import type { Node } from '../../graph/node.ts';
import { topologicalOrder } from '../../graph/traversal.ts';
import type { Value } from '../../graph/value.ts';
import type { OperatorRule, QuantizationTarget } from './targets.ts';

/** A node with a constant weight that will run on integers. */
export interface ComputePlan {
  readonly node: Node;
  readonly data: Value;
  readonly weight: Value;
  /** Axis of the weight along which each channel has its own scale. */
  readonly channelAxis: number;
  /** Axis of the weight that is summed over, and of `data` that it meets. */
  readonly inputAxis: number;
  readonly dataAxis: number;
  readonly bias: Value | null;
  /** The value whose quantization ends the fused kernel, after an absorbed activation; null when the output stays float. */
  readonly output: Value | null;
}

export interface LeftOut {
  readonly node: Node;
  readonly reason: string;
}

export interface Placement {
  readonly compute: readonly ComputePlan[];
  /** Elementwise nodes that run on integers between them, each with the value whose quantization ends its kernel. */
  readonly elementwise: readonly { readonly node: Node; readonly output: Value }[];
  /** All nodes that run on integers, those included that only move codes. */
  readonly integerNodes: ReadonlySet<Node>;
  /**
   * The values that get a Q/DQ pair. `source` is the value whose parameters they take: themselves, or the input of the
   * `follows` nodes before them. `everyReader`: all readers get the dequantized value, since the maker fuses only then.
   */
  readonly values: ReadonlyMap<Value, { readonly source: Value; readonly everyReader: boolean }>;
  readonly left: readonly LeftOut[];
}

export interface PlacementOptions {
  readonly target: QuantizationTarget;
  /** Names of nodes, or operator types, that stay float. */
  readonly exclude: ReadonlySet<string>;
  /** Nodes that stay float, with the reason to give. */
  readonly excludeNodes?: ReadonlyMap<Node, string>;
  readonly depthwise: boolean;
  /** Weights with fewer elements stay float: their kernel call costs more than it saves. */
  readonly minimumWeights: number;
}

export function placeQuantization(graph: Graph, options: PlacementOptions): Placement {
  const left: LeftOut[] = [];
  const compute: ComputePlan[] = [];
  const elementwise: { node: Node; output: Value }[] = [];
  const integerNodes = new Set<Node>();
  const values = new Map<Value, { source: Value; everyReader: boolean }>();
  const isOutput = new Set(graph.outputs);

  const order = topologicalOrder(graph);
  for (const node of order) {
    const rule = ruleOf(node, options.target);
    if (rule?.role !== 'compute') continue;
    const plan = planCompute(node, rule, options, isOutput);
    if (typeof plan === 'string') left.push({ node, reason: plan });
    else {
      compute.push(plan);
      integerNodes.add(node);
    }
  }
  const planned = new Map(compute.map((plan) => [plan.node, plan]));

  for (const plan of compute) markValue(values, plan.data, false);
  // One walk in order suffices: a node's inputs are decided before it.
  for (const node of order) {
    const plan = planned.get(node);
    if (plan?.output != null) markValue(values, plan.output, true);
    const rule = ruleOf(node, options.target);
    const output = node.outputs[0];
    const input = node.inputs[0];
    if (rule === null || output == null || input == null) continue;
    if (rule.role === 'elementwise') {
      const reason = refusesElementwise(node, values, options);
      if (reason !== null) left.push({ node, reason });
      else {
        const end = activated(output, options.target, isOutput);
        elementwise.push({ node, output: end });
        integerNodes.add(node);
        markValue(values, end, true);
      }
    } else if (rule.role === 'follows' && values.has(input) && node.outputs.length === 1 && isFloat32(output)) {
      integerNodes.add(node);
      values.set(output, { source: values.get(input)?.source ?? input, everyReader: true });
    }
  }
  return { compute, elementwise, integerNodes, values, left };
}

export function ruleOf(node: Node, target: QuantizationTarget): OperatorRule | null {
  return node.domain === '' ? (target.rules[node.opType] ?? null) : null;
}

/** The plan for one node with a weight, or why it stays float. Exported for the search, which asks node by node. */
export function planCompute(
  node: Node,
  rule: OperatorRule,
  options: PlacementOptions,
  isOutput: ReadonlySet<Value>,
): ComputePlan | string {
  const [data, weight, bias] = node.inputs;
  const output = node.outputs[0];
  const excluded = exclusionOf(node, options);
  if (excluded !== null) return excluded;
  if (data == null || weight == null || output == null) return 'an input is missing';
  if (weight.tensor === null || data.isConstant) return 'its weight is not a constant';
  if (isRefusedPool(data.producer, options.target)) return 'it reads an average with dilations, which must stay float';
  if (weight.tensor.dtype !== 'float32') return `its weight is ${weight.tensor.dtype}, not float32`;
  if (weight.tensor.shape.length < 2) return 'its weight is a vector';
  if (bias != null && bias.tensor === null) return 'its bias is not a constant';
  if (elementCount(weight.tensor.shape) < options.minimumWeights) {
    return `its weight has ${elementCount(weight.tensor.shape)} elements; integers gain nothing there`;
  }
  const rank = weight.tensor.shape.length;
  let axes = { channel: 0, input: 1, data: 1 };
  if (node.opType === 'Conv') {
    const group = node.int('group', 1);
    const depthwise = group > 1 && weight.tensor.shape[1] === 1;
    if (depthwise && !options.depthwise) return 'a depthwise convolution is faster in float on this target';
  } else if (node.opType === 'MatMul') {
    if (rank !== 2) return 'its weight is a stack of matrices';
    axes = { channel: 1, input: 0, data: -1 };
  } else if (node.opType === 'Gemm') {
    if (node.float('alpha', 1) !== 1 || (bias != null && node.float('beta', 1) !== 1))
      return 'its alpha or beta is not 1';
    if (node.int('transA', 0) !== 0) return 'its data is transposed';
    axes = node.int('transB', 0) === 1 ? { channel: 0, input: 1, data: 1 } : { channel: 1, input: 0, data: 1 };
    if (bias?.tensor != null && bias.tensor.size !== weight.tensor.shape[axes.channel])
      return 'its bias is not one value a channel';
  }
  const end = activated(output, options.target, isOutput);
  const wanted = rule.output === 'quantized' || feedsIntegers(end, options.target);
  return {
    node,
    data,
    weight,
    bias: bias ?? null,
    channelAxis: axes.channel,
    inputAxis: axes.input,
    dataAxis: axes.data,
    output: wanted && !(isOutput.has(end) && rule.output !== 'quantized') ? end : null,
  };
}

/** The value after the activation that the kernel absorbs, or `value` itself. */
function activated(value: Value, target: QuantizationTarget, isOutput: ReadonlySet<Value>): Value {
  const [reader] = value.consumers;
  if (reader === undefined || value.consumers.size !== 1 || isOutput.has(value)) return value;
  if (ruleOf(reader, target)?.role !== 'activation') return value;
  const constantBounds = reader.inputs.slice(1).every((bound) => bound === null || bound.isConstant);
  return constantBounds && reader.outputs[0] != null ? reader.outputs[0] : value;
}

/** Whether some reader could run on integers, so that an optional output quantization pays. */
function feedsIntegers(value: Value, target: QuantizationTarget): boolean {
  for (const reader of value.consumers) {
    const role = ruleOf(reader, target)?.role;
    if (role === 'compute' && reader.inputs[0] === value) return true;
  }
  return false;
}

function refusesElementwise(node: Node, values: ReadonlyMap<Value, unknown>, options: PlacementOptions): string | null {
  const excluded = exclusionOf(node, options);
  if (excluded !== null) return excluded;
  const inputs = node.inputs.filter((input) => input !== null);
  const output = node.outputs[0];
  if (output == null || !isFloat32(output)) return 'it does not compute on float32';
  if (inputs.some((input) => input.isConstant)) return 'one of its inputs is a constant';
  if (!inputs.every((input) => values.has(input))) return 'one of its inputs stays float';
  if (isRefusedPool(node, options.target)) return 'the integer kernel takes no dilations';
  // Q/DQ pairs shared by two equal inputs are seen as one by the runtime, which then does not fuse.
  if (new Set(inputs).size !== inputs.length) return 'it reads the same value twice';
  return null;
}

/** ONNX Runtime 1.30 makes QLinearAveragePool of an average between Q/DQ pairs, and refuses its dilations whatever they say. */
function isRefusedPool(node: Node | null, target: QuantizationTarget): boolean {
  return target.kernels !== null && node?.opType === 'AveragePool' && node.ints('dilations') !== null;
}

function exclusionOf(node: Node, options: PlacementOptions): string | null {
  if (options.exclude.has(node.label) || options.exclude.has(node.opType)) return 'excluded by the options';
  return options.excludeNodes?.get(node) ?? null;
}

function isFloat32(value: Value): boolean {
  return value.type === null || (value.type.kind === 'tensor' && (value.type.dtype ?? 'float32') === 'float32');
}

function markValue(
  values: Map<Value, { source: Value; everyReader: boolean }>,
  value: Value,
  everyReader: boolean,
): void {
  const before = values.get(value);
  values.set(value, { source: before?.source ?? value, everyReader: everyReader || (before?.everyReader ?? false) });
}
