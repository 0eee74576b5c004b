/** A value: one edge bundle of the graph, with the node that makes it and the nodes that read it. */
import type { Node } from './node.ts';
import type { Tensor } from './tensor.ts';
import type { ValueType } from './types.ts';

export class Value {
  /** Unique among the values visible in its graph; writers rely on it. */
  name: string;
  type: ValueType | null;
  docString = '';
  /** `ValueInfoProto.metadata_props`; null when there are none, as nearly always. */
  metadata: ReadonlyMap<string, string> | null = null;
  /** Content when the value is an initializer. A value with a tensor has no producer. */
  tensor: Tensor | null = null;
  /** The node that makes it; null for graph inputs and initializers. Kept true by the methods of `Graph` and `Node`. */
  producer: Node | null = null;
  /** The nodes that read it, in this graph or in subgraphs of it, each once. Kept true likewise. */
  readonly consumers: Set<Node> = new Set();

  constructor(name: string, type: ValueType | null = null) {
    this.name = name;
    this.type = type;
  }

  get isConstant(): boolean {
    return this.tensor !== null;
  }
}
