/**
 * The graph: nodes and values linked as objects. Nodes stand in a set, so that removal is O(1); order matters only when a
 * graph is written or walked, and `topologicalOrder` gives it. Edits go through these methods, which keep the links true.
 */
import { HoneError } from '../protocol/errors.ts';
import { Node, type NodeInit } from './node.ts';
import type { Tensor } from './tensor.ts';
import { tensorType, type ValueType } from './types.ts';
import { Value } from './value.ts';

export class Graph {
  name: string;
  docString = '';
  readonly inputs: Value[] = [];
  readonly outputs: Value[] = [];
  /** Values with a tensor. An initializer may be a graph input too (an overridable default, the only way before IR 4). */
  readonly initializers: Set<Value> = new Set();
  /** Initializers in ONNX's sparse form, which Hone does not read: the bytes of their `SparseTensorProto`, by value. */
  readonly sparseInitializers: Map<Value, Uint8Array> = new Map();
  /** In file order; use `topologicalOrder` where order matters. */
  readonly nodes: Set<Node> = new Set();
  /** `GraphProto.metadata_props`. */
  readonly metadata: Map<string, string> = new Map();
  /** Parts that Hone does not read (quantization annotations): raw fields, written back as they were. */
  opaqueFields: Uint8Array | null = null;
  readonly #usedNames: Set<string> = new Set();

  constructor(name: string) {
    this.name = name;
  }

  addNode(init: NodeInit | Node): Node {
    const node = init instanceof Node ? init : new Node(init);
    node.graph = this;
    this.nodes.add(node);
    return node;
  }

  addInput(name: string, type: ValueType): Value {
    const value = new Value(name, type);
    this.inputs.push(value);
    return value;
  }

  addInitializer(name: string, tensor: Tensor): Value {
    const value = new Value(name, tensorType(tensor.dtype, tensor.shape));
    value.tensor = tensor;
    this.initializers.add(value);
    return value;
  }

  /** Removes a node and its links. Its outputs must be unread, or replaced before. */
  removeNode(node: Node): void {
    for (const output of node.outputs) {
      if (output !== null && (output.consumers.size > 0 || this.outputs.includes(output))) {
        throw new HoneError(
          'internal',
          `The node ${node.label} cannot be removed: its output ${output.name} is still read.`,
        );
      }
    }
    node.truncateInputs(0);
    for (let index = 0; index < node.outputs.length; index++) node.setOutput(index, null);
    for (const subgraph of node.subgraphs()) subgraph.unlink();
    this.nodes.delete(node);
    node.graph = null;
  }

  removeInitializer(value: Value): void {
    if (value.consumers.size > 0) throw new HoneError('internal', `The initializer ${value.name} is still read.`);
    this.initializers.delete(value);
  }

  /** Makes every reader of `before`, and the graph's outputs, read `after`. A graph output keeps its public name. */
  replaceValue(before: Value, after: Value): void {
    for (const node of [...before.consumers]) {
      node.inputs.forEach((input, index) => {
        if (input === before) node.setInput(index, after);
      });
    }
    if (!this.outputs.includes(before)) return;
    // The interface of a model is its names: the new value takes the old one's, unless it is a public name itself.
    const isPublic = this.inputs.includes(after) || this.outputs.includes(after) || after.isConstant;
    if (isPublic) {
      const identity = this.addNode({ opType: 'Identity', inputs: [after] });
      const producer = before.producer;
      producer?.setOutput(producer.outputs.indexOf(before), this.createValue(before.name, before.type));
      identity.setOutput(0, before);
      return;
    }
    const name = before.name;
    before.name = this.uniqueName(`${name}_replaced`);
    after.name = name;
    after.type ??= before.type;
    this.outputs.forEach((output, index) => {
      if (output === before) this.outputs[index] = after;
    });
  }

  /** Puts `node` (which reads `value` already) between `value` and the given readers of it; returns the node's new output. */
  insertBetween(value: Value, node: Node, readers: Iterable<Node> = [...value.consumers]): Value {
    const output = node.outputs[0] ?? this.createValue(`${value.name}_${node.opType}`, value.type);
    for (const reader of readers) {
      if (reader === node) continue;
      reader.inputs.forEach((input, index) => {
        if (input === value) reader.setInput(index, output);
      });
    }
    node.setOutput(0, output);
    if (node.graph === null) this.addNode(node);
    return output;
  }

  /** A new value with a name that nothing else uses, made from `hint`. */
  createValue(hint: string, type: ValueType | null = null): Value {
    return new Value(this.uniqueName(hint), type);
  }

  /** A name no value of this graph has, and that no later call returns again. */
  uniqueName(hint: string): string {
    if (this.#usedNames.size === 0) for (const value of this.values()) this.#usedNames.add(value.name);
    let name = hint;
    for (let number = 1; this.#usedNames.has(name); number++) name = `${hint}_${number}`;
    this.#usedNames.add(name);
    return name;
  }

  /** Every value of this graph, and of its subgraphs, since names are visible inwards; each once. */
  *values(): Iterable<Value> {
    yield* this.inputs;
    const inputs = new Set(this.inputs);
    for (const value of this.initializers) if (!inputs.has(value)) yield value;
    yield* this.sparseInitializers.keys();
    for (const node of this.nodes) {
      for (const output of node.outputs) if (output !== null) yield output;
      for (const subgraph of node.subgraphs()) yield* subgraph.values();
    }
  }

  /** Every node of this graph and of its subgraphs. */
  *allNodes(): Iterable<Node> {
    for (const node of this.nodes) {
      yield node;
      for (const subgraph of node.subgraphs()) yield* subgraph.allNodes();
    }
  }

  /** Takes every node of this graph out of the consumers of the values it reads, for when the graph is thrown away. */
  unlink(): void {
    for (const node of this.nodes) {
      node.truncateInputs(0);
      for (const subgraph of node.subgraphs()) subgraph.unlink();
    }
  }
}
