/**
 * Computes what depends on constants alone, once, and stores the result: Constant nodes become initializers, and nodes whose
 * inputs are all constants are run by the engine and replaced by what they gave.
 *
 * Notes
 * - The engine runs them, so that Hone has no second definition of any operator. One small model holds all nodes whose inputs
 *   are known by now; its outputs make the next ones known. A chain of shape arithmetic takes a dozen rounds of about 1 ms.
 * - What a node would give is bounded before it runs (`constant-sizes.ts`). A result may take as many bytes as the constants
 *   that become unused by it, or `maxBytes` if that is more: a transposed weight is folded, an expanded mask of 100 MB is not.
 * - Not folded: operators of other domains, random ones, those with subgraphs, and DequantizeLinear, whose constant input is
 *   the very thing that makes a quantized model small.
 * - Against ONNX Runtime's own folding (level `basic`, saved and read back): that rewrites names, drops what the runtime does
 *   not know, needs the whole model in memory, and refuses a model with one unknown operator. What it does beyond this
 *   (MatMul+Add to Gemm, moving transposes) it does again at every load, and it does not make the file smaller.
 */
import { z } from 'zod';
import { Graph } from '../graph/graph.ts';
import { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { Tensor } from '../graph/tensor.ts';
import { MemoryData } from '../graph/tensor-data.ts';
import { staticShape, tensorType, type ValueType } from '../graph/types.ts';
import type { Value } from '../graph/value.ts';
import type { Feeds, HostTensor } from '../lib/engine.ts';
import { toHoneError } from '../protocol/errors.ts';
import { resultBytes } from './constant-sizes.ts';
import { allGraphs, allOutputs, type ConstantOf, Counter, constantsOf, dropIfUnread } from './edit.ts';
import { definePass, type PassContext, type PassNote } from './pass.ts';
import { spill } from './spill.ts';

export interface FoldConstantsOptions {
  /** Largest result that may be stored where it frees less than it takes, in bytes; 0 or more. */
  readonly maxBytes: number;
}

export const FOLD_CONSTANTS_DEFAULTS: FoldConstantsOptions = { maxBytes: 1 << 20 };

const optionsSchema = z.strictObject({
  maxBytes: z
    .number()
    .int()
    .min(0)
    .describe('Largest result that may be stored where it frees less than it takes, in bytes.'),
});

export const foldConstants = definePass<FoldConstantsOptions>(
  {
    id: 'fold-constants',
    title: 'Fold constants',
    summary: 'Computes what depends on constants alone, once, and stores the result.',
    family: 'clean',
    lossy: false,
    needs: ['engine'],
  },
  FOLD_CONSTANTS_DEFAULTS,
  optionsSchema,
  async (model, options, context) => {
    const counts = new Counter();
    const notes: PassNote[] = [];
    await foldAllConstants(model, options, context, counts, notes);
    if (counts.total === 0) return { status: 'unchanged', reason: 'Nothing depends on constants alone.', notes };
    return { status: 'changed', counts: counts.counts, notes };
  },
);

/** Folds in the graph and its subgraphs until nothing more is known. */
export async function foldAllConstants(
  model: Model,
  options: FoldConstantsOptions,
  context: PassContext,
  counts: Counter,
  notes: PassNote[],
): Promise<void> {
  const constantOf = constantsOf(model);
  const outputs = allOutputs(model.graph);
  const types = await context.types(model);
  const refused = new Set<Node>();
  const read = new Set<Value>();
  for (const graph of allGraphs(model.graph)) {
    for (const node of [...graph.nodes]) {
      const tensor = constantAttribute(node) ?? staticShapeOf(node, types);
      const output = node.outputs[0];
      if (tensor === null || !output || outputs.has(output)) continue;
      makeInitializer(graph, node, [tensor]);
      counts.add(node.is('Constant') ? 'Constant nodes to initializers' : 'nodes folded');
    }
    for (let round = 0; ; round++) {
      await context.progress(round, round + 1, 'folding constants');
      const ready = readyNodes(graph, outputs, options, constantOf, refused);
      if (ready.length === 0) break;
      const results = await evaluateAll(ready, model, context, constantOf, refused, notes);
      for (const [node, tensors] of results) {
        for (const input of node.inputs) if (input !== null) read.add(input);
        makeInitializer(graph, node, tensors);
        counts.add('nodes folded');
      }
    }
  }
  for (const graph of allGraphs(model.graph)) {
    for (const value of [...graph.initializers]) if (read.has(value)) dropIfUnread(graph, value);
  }
}

/** Nodes of the graph that can be computed now and whose result is worth its bytes. */
function readyNodes(
  graph: Graph,
  outputs: ReadonlySet<Value>,
  options: FoldConstantsOptions,
  constantOf: ConstantOf,
  refused: ReadonlySet<Node>,
): Node[] {
  return [...graph.nodes].filter((node) => {
    if (node.domain !== '' || refused.has(node) || node.inputs.length === 0) return false;
    if (node.outputs.some((output) => output !== null && outputs.has(output))) return false;
    const inputs = node.inputs.map((input) => (input === null ? null : constantOf(input)));
    if (inputs.some((tensor, index) => tensor === null && node.inputs[index] !== null)) return false;
    const bytes = resultBytes(node, inputs);
    return bytes !== null && bytes <= Math.max(options.maxBytes, freedBytes(node));
  });
}

/** Bytes of the initializers that only this node reads. */
function freedBytes(node: Node): number {
  let bytes = 0;
  for (const input of new Set(node.inputs)) {
    if (input?.tensor && input.consumers.size === 1) bytes += input.tensor.bytes;
  }
  return bytes;
}

/** Runs the nodes as one model, or one by one when the engine refuses that; those that it refuses alone are noted. */
async function evaluateAll(
  nodes: readonly Node[],
  model: Model,
  context: PassContext,
  constantOf: ConstantOf,
  refused: Set<Node>,
  notes: PassNote[],
): Promise<Map<Node, Tensor[]>> {
  try {
    return await evaluate(nodes, model, context, constantOf);
  } catch (thrown) {
    const error = toHoneError(thrown);
    if (error.code === 'cancelled') throw error;
    const [node] = nodes;
    if (nodes.length === 1 && node !== undefined) {
      refused.add(node);
      notes.push({ message: `Not folded: ${error.message}`, node: node.label });
      return new Map();
    }
    const results = new Map<Node, Tensor[]>();
    for (const each of nodes) {
      for (const [done, tensors] of await evaluateAll([each], model, context, constantOf, refused, notes)) {
        results.set(done, tensors);
      }
    }
    return results;
  }
}

async function evaluate(
  nodes: readonly Node[],
  model: Model,
  context: PassContext,
  constantOf: ConstantOf,
): Promise<Map<Node, Tensor[]>> {
  const graph = new Graph('constants');
  const inputs = new Map<Value, Value>();
  const inputOf = (value: Value | null): Value | null => {
    if (value === null) return null;
    const tensor = constantOf(value);
    const known = inputs.get(value);
    if (known !== undefined || tensor === null) return known ?? null;
    const made = graph.addInitializer(`c${inputs.size}`, tensor);
    inputs.set(value, made);
    return made;
  };
  const outputsOf = nodes.map((node, index) => {
    const copy = graph.addNode({
      opType: node.opType,
      name: `n${index}`,
      inputs: node.inputs.map(inputOf),
      attributes: node.attributes,
    });
    return node.outputs.map((output, position) => {
      if (output === null) return null;
      const made = graph.createValue(`o${index}_${position}`);
      copy.setOutput(position, made);
      graph.outputs.push(made);
      return made.name;
    });
  });
  // Initializers that are no inputs need IR version 4.
  const small = new Model(graph, model.opset, Math.max(model.irVersion, 4));
  const session = await context.open(small, { optimization: 'disabled' });
  try {
    const feeds = await session.run({});
    return new Map(nodes.map((node, index) => [node, tensorsOf(outputsOf[index] ?? [], feeds, context.scratch)]));
  } finally {
    await session.release();
  }
}

function tensorsOf(names: readonly (string | null)[], feeds: Feeds, scratch: string): Tensor[] {
  return names.flatMap((name) => {
    const tensor = name === null ? undefined : feeds[name];
    return tensor === undefined ? [] : [tensorOf(tensor, scratch)];
  });
}

function tensorOf({ dtype, shape, data }: HostTensor, scratch: string): Tensor {
  if (ArrayBuffer.isView(data)) return new Tensor({ dtype, shape, data: spill(scratch, data) });
  const strings = data.map((text) => new TextEncoder().encode(text));
  return new Tensor({ dtype, shape, data: new MemoryData(new Uint8Array(0)), strings });
}

/** The content of a Constant node, in whichever attribute it is; null for a sparse one and for other nodes. */
function constantAttribute(node: Node): Tensor | null {
  if (!node.is('Constant')) return null;
  const numbers = (dtype: 'float32' | 'int64', shape: number[], values: Float32Array | BigInt64Array): Tensor =>
    new Tensor({ dtype, shape, data: new MemoryData(new Uint8Array(values.buffer)) });
  for (const [name, attribute] of node.attributes) {
    if (name === 'value' && attribute.type === 'tensor') return attribute.value;
    if (name === 'value_float' && attribute.type === 'float') {
      return numbers('float32', [], Float32Array.of(attribute.value));
    }
    if (name === 'value_int' && attribute.type === 'int')
      return numbers('int64', [], BigInt64Array.of(attribute.value));
    if (name === 'value_floats' && attribute.type === 'floats') {
      return numbers('float32', [attribute.value.length], Float32Array.from(attribute.value));
    }
    if (name === 'value_ints' && attribute.type === 'ints') {
      return numbers('int64', [attribute.value.length], BigInt64Array.from(attribute.value));
    }
  }
  return null;
}

/** What a Shape or Size node gives when the shape of its input is known and has no symbol. */
function staticShapeOf(node: Node, types: ReadonlyMap<Value, ValueType>): Tensor | null {
  const input = node.inputs[0];
  if (!node.is('Shape', 'Size') || !input) return null;
  const shape = staticShape(types.get(input) ?? input.type);
  if (shape === null) return null;
  const size = BigInt64Array.of(BigInt(shape.reduce((product, dim) => product * dim, 1)));
  if (node.is('Size'))
    return new Tensor({ dtype: 'int64', shape: [], data: new MemoryData(new Uint8Array(size.buffer)) });
  const end = node.attributes.has('end') ? node.int('end', shape.length) : shape.length;
  const dims = BigInt64Array.from(shape.slice(node.int('start', 0), end), BigInt);
  return new Tensor({ dtype: 'int64', shape: [dims.length], data: new MemoryData(new Uint8Array(dims.buffer)) });
}

/** Takes the node away and makes initializers of its outputs, which keep their names and readers. */
function makeInitializer(graph: Graph, node: Node, tensors: readonly Tensor[]): void {
  const outputs = node.outputs.filter((output) => output !== null);
  node.outputs.forEach((_, index) => {
    node.setOutput(index, null);
  });
  graph.removeNode(node);
  outputs.forEach((output, index) => {
    const tensor = tensors[index];
    if (tensor === undefined || output.consumers.size === 0) return;
    output.tensor = tensor;
    output.type = tensorType(tensor.dtype, tensor.shape);
    graph.initializers.add(output);
  });
}
