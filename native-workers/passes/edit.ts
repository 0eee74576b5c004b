/** What passes share when they read constants and take nodes out of a graph. */
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { Tensor } from '../graph/tensor.ts';
import { MemoryData } from '../graph/tensor-data.ts';
import type { Value } from '../graph/value.ts';

/** The tensor of a value that no caller of the model can change, else null. */
export type ConstantOf = (value: Value | null | undefined) => Tensor | null;

/**
 * Constants are initializers and the outputs of Constant nodes. From IR version 4 on, an initializer that is also a graph
 * input is a default that a caller may override; before, every initializer had to be listed as an input (onnx.proto,
 * `GraphProto.initializer`) and is constant all the same, which is how ONNX Runtime takes it too.
 */
export function constantsOf(model: Model): ConstantOf {
  const overridable = new Set<Value>();
  if (model.irVersion >= 4) {
    for (const graph of allGraphs(model.graph)) for (const input of graph.inputs) overridable.add(input);
  }
  return (value) => {
    if (value === null || value === undefined || overridable.has(value)) return null;
    if (value.tensor !== null) return value.tensor;
    const attribute = value.producer?.is('Constant') ? value.producer.attributes.get('value') : undefined;
    return attribute?.type === 'tensor' ? attribute.value : null;
  };
}

/** The graph and all graphs inside it, outer ones first. */
export function* allGraphs(graph: Graph): Iterable<Graph> {
  yield graph;
  for (const node of graph.nodes) for (const subgraph of node.subgraphs()) yield* allGraphs(subgraph);
}

/** The outputs of the graph and of all its subgraphs: values that are read although no node reads them. */
export function allOutputs(graph: Graph): Set<Value> {
  const outputs = new Set<Value>();
  for (const each of allGraphs(graph)) for (const output of each.outputs) outputs.add(output);
  return outputs;
}

/**
 * Takes out a node whose first output is the same as one of its inputs: readers of the output read the input. Returns false,
 * and changes nothing, where that would change the interface of the graph: an output of a graph must keep its name and be made
 * by a node of that graph.
 */
export function bypass(node: Node, input: Value): boolean {
  const { graph } = node;
  const output = node.outputs[0];
  if (graph === null || output === null || output === undefined) return false;
  if (graph.outputs.includes(output)) {
    if (input.producer?.graph !== graph || graph.outputs.includes(input)) return false;
    const { type } = output;
    graph.replaceValue(output, input);
    // The declared type is part of the interface, down to the names of its dimensions.
    input.type = type ?? input.type;
  } else {
    graph.replaceValue(output, input);
  }
  graph.removeNode(node);
  return true;
}

/** A new initializer from values in memory, little-endian as every machine that Hone runs on is. */
export function addConstant(
  graph: Graph,
  hint: string,
  dtype: Tensor['dtype'],
  shape: readonly number[],
  values: ArrayBufferView,
): Value {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return graph.addInitializer(graph.uniqueName(hint), new Tensor({ dtype, shape, data: new MemoryData(bytes) }));
}

/** Bytes seen as float32 elements; copied when they do not stand at a multiple of four. */
export function float32View(bytes: Uint8Array): Float32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
}

/** Removes an initializer that nothing reads any more, unless it is public. */
export function dropIfUnread(graph: Graph, value: Value): boolean {
  if (value.consumers.size > 0 || !graph.initializers.has(value)) return false;
  if (graph.inputs.includes(value) || graph.outputs.includes(value)) return false;
  graph.removeInitializer(value);
  return true;
}

/** What `counts` of an outcome hold: how often each thing was done. */
export class Counter {
  readonly counts: Record<string, number> = {};
  #total = 0;

  add(what: string, times = 1): void {
    if (times === 0) return;
    this.counts[what] = (this.counts[what] ?? 0) + times;
    this.#total += times;
  }

  get total(): number {
    return this.#total;
  }
}
