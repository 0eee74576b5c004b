/**
 * A graph while it is read: nodes and values are made in whatever order the fields come, and names become links when all of
 * them are known. Names are visible in their graph and inwards; an inner name hides an outer one.
 */
import { Graph } from '../../graph/graph.ts';
import type { Node } from '../../graph/node.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { topologicalOrder } from '../../graph/traversal.ts';
import { tensorType, type ValueType } from '../../graph/types.ts';
import { Value } from '../../graph/value.ts';
import { HoneError } from '../../protocol/errors.ts';

/** A node whose inputs are still names, with the graphs in its attributes. */
export interface PendingNode {
  readonly node: Node;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly subgraphs: readonly PendingGraph[];
}

/** `ValueInfoProto`. */
export interface ValueInfo {
  readonly name: string;
  readonly type: ValueType | null;
  readonly docString: string;
  readonly metadata: ReadonlyMap<string, string> | null;
}

export const untyped = (name: string): ValueInfo => ({ name, type: null, docString: '', metadata: null });

export class PendingGraph {
  readonly graph: Graph = new Graph('');
  readonly #file: string | null;
  readonly #nodes: PendingNode[] = [];
  readonly #infos: ValueInfo[] = [];
  readonly #outputs: ValueInfo[] = [];
  readonly #values: Map<string, Value> = new Map();
  readonly #inputs: Set<Value> = new Set();
  /** Nodes whose inputs are linked, to see whether the file has them in order. */
  readonly #linked: Set<Node> = new Set();
  #isSorted = true;
  #outer: PendingGraph | null = null;

  /** `file`: for messages. */
  constructor(file: string | null) {
    this.#file = file;
  }

  addInput(info: ValueInfo): void {
    const known = this.#values.get(info.name);
    // An initializer of the same name is the input's default; anything else is a second value of that name.
    if (known !== undefined && (known.tensor === null || this.#inputs.has(known))) throw this.#duplicate(info.name);
    const value = known ?? this.#declare(info.name);
    applyInfo(value, info);
    this.#inputs.add(value);
    this.graph.inputs.push(value);
  }

  addInitializer(name: string, tensor: Tensor): void {
    const known = this.#values.get(name);
    if (known !== undefined && (known.tensor !== null || !this.#inputs.has(known))) throw this.#duplicate(name);
    const value = known ?? this.#declare(name);
    value.tensor = tensor;
    value.type ??= tensorType(tensor.dtype, tensor.shape);
    this.graph.initializers.add(value);
  }

  addSparseInitializer(name: string, type: ValueType, bytes: Uint8Array): void {
    if (this.#values.has(name)) throw this.#duplicate(name);
    const value = this.#declare(name);
    value.type = type;
    this.graph.sparseInitializers.set(value, bytes);
  }

  addNode(pending: PendingNode): void {
    const { node } = pending;
    pending.outputs.forEach((name, index) => {
      if (name !== '' && this.#values.has(name)) throw this.#duplicate(name, pending);
      node.setOutput(index, name === '' ? null : this.#declare(name));
    });
    this.graph.addNode(node);
    this.#nodes.push(pending);
  }

  addOutput(info: ValueInfo): void {
    this.#outputs.push(info);
  }

  /** What `value_info` says of a value; names that the graph does not have are left out when it is linked. */
  addInfo(info: ValueInfo): void {
    this.#infos.push(info);
  }

  /**
   * Links this graph and those inside it. Throws `graph-missing-input` for a name that nothing makes, `graph-cycle`.
   */
  link(outer: PendingGraph | null = null): void {
    this.#outer = outer;
    for (const pending of this.#nodes) {
      pending.inputs.forEach((name, index) => {
        pending.node.setInput(index, name === '' ? null : this.#find(name, pending));
      });
      for (const subgraph of pending.subgraphs) subgraph.link(this);
      this.#linked.add(pending.node);
    }
    for (const info of this.#outputs) {
      const value = this.#find(info.name, null);
      const isOwn = this.#values.get(info.name) === value;
      if (isOwn && !this.#inputs.has(value)) applyInfo(value, info);
      this.graph.outputs.push(value);
    }
    for (const info of this.#infos) {
      const value = this.#values.get(info.name);
      if (value === undefined || value.tensor !== null || this.#inputs.has(value)) continue;
      applyInfo(value, { ...info, type: value.type ?? info.type });
    }
    if (!this.#isSorted) topologicalOrder(this.graph);
  }

  #declare(name: string): Value {
    const value = new Value(name);
    this.#values.set(name, value);
    return value;
  }

  /** The value of that name, here or outside. Notes when its maker comes later in the file than its reader. */
  #find(name: string, reader: PendingNode | null): Value {
    for (let scope: PendingGraph | null = this; scope !== null; scope = scope.#outer) {
      const value = scope.#values.get(name);
      if (value === undefined) continue;
      if (value.producer !== null && !scope.#linked.has(value.producer)) scope.#isSorted = false;
      return value;
    }
    const message =
      reader === null
        ? `The graph's output ${name} is made by no node.`
        : `The node ${reader.node.label} reads ${name}, which nothing makes.`;
    throw new HoneError('graph-missing-input', message, { where: this.#where(name, reader) });
  }

  #duplicate(name: string, reader: PendingNode | null = null): HoneError {
    return new HoneError('graph-duplicate-name', `The graph has two values of the name ${name === '' ? "''" : name}.`, {
      where: this.#where(name, reader),
    });
  }

  #where(tensor: string, reader: PendingNode | null): HoneError['where'] & object {
    return {
      ...(this.#file === null ? {} : { file: this.#file }),
      graph: this.graph.name,
      ...(reader === null ? {} : { node: reader.node.name === '' ? reader.node.opType : reader.node.name }),
      tensor,
    };
  }
}

function applyInfo(value: Value, info: ValueInfo): void {
  value.type = info.type ?? value.type;
  if (info.docString !== '') value.docString = info.docString;
  if (info.metadata !== null) value.metadata = info.metadata;
}
