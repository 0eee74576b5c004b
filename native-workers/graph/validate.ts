/** Proof that a model is what its types cannot say: links are true, names are unique, nothing is missing, nothing is circular. */
import { HoneError } from '../protocol/errors.ts';
import type { Graph } from './graph.ts';
import type { Model } from './model.ts';
import type { Node } from './node.ts';
import { topologicalOrder } from './traversal.ts';
import type { Value } from './value.ts';

/**
 * Throws `graph-invalid`, `graph-duplicate-name`, `graph-missing-input` or `graph-cycle`, with the node and value. Linear in
 * the size of the model; reads no weights.
 */
export function validate(model: Model): void {
  validateGraph(model.graph, new Set());
  for (const each of model.functions) validateGraph(each.body, new Set());
}

/** `outer`: the values that are visible from outside. */
function validateGraph(graph: Graph, outer: ReadonlySet<Value>): void {
  const own = declaredValues(graph);
  const visible = outer.size === 0 ? own : new Set([...outer, ...own]);
  for (const node of graph.nodes) validateNode(graph, node, visible);
  for (const output of graph.outputs) {
    if (!visible.has(output)) throw missing(graph, null, output);
  }
  for (const value of own) {
    for (const consumer of value.consumers) {
      if (!consumer.inputs.includes(value)) throw invalid(graph, consumer, value, 'is not read by its consumer');
    }
  }
  topologicalOrder(graph);
}

/** The values that the graph makes or is given, each name once. */
function declaredValues(graph: Graph): Set<Value> {
  const own = new Set<Value>();
  const names = new Set<string>();
  const declare = (value: Value, node: Node | null): void => {
    if (own.has(value)) throw invalid(graph, node, value, 'is made twice');
    if (names.has(value.name)) throw duplicate(graph, node, value);
    own.add(value);
    names.add(value.name);
  };
  for (const input of graph.inputs) declare(input, null);
  for (const value of graph.initializers) {
    if (!own.has(value)) declare(value, null);
    validateInitializer(graph, value);
  }
  for (const value of graph.sparseInitializers.keys()) declare(value, null);
  for (const value of own) {
    if (value.producer !== null) throw invalid(graph, value.producer, value, 'is an input or constant with a producer');
    if (value.tensor !== null && !graph.initializers.has(value)) {
      throw invalid(graph, null, value, 'has a tensor but is no initializer');
    }
  }
  for (const node of graph.nodes) {
    for (const output of node.outputs) {
      if (output === null) continue;
      declare(output, node);
      if (output.producer !== node) throw invalid(graph, node, output, 'does not know its producer');
      if (output.tensor !== null) throw invalid(graph, node, output, 'has a producer and a tensor');
    }
  }
  return own;
}

function validateInitializer(graph: Graph, value: Value): void {
  const { tensor, type } = value;
  if (tensor === null) throw invalid(graph, null, value, 'is an initializer without a tensor');
  if (type === null) return;
  if (type.kind !== 'tensor') throw invalid(graph, null, value, `is an initializer of type ${type.kind}`);
  const { dtype, shape } = type;
  if (dtype !== null && dtype !== tensor.dtype) {
    throw invalid(graph, null, value, `is declared ${dtype} and holds ${tensor.dtype}`);
  }
  const fits =
    shape === null ||
    (shape.length === tensor.shape.length &&
      shape.every((dim, axis) => typeof dim !== 'number' || dim === tensor.shape[axis]));
  if (!fits)
    throw invalid(graph, null, value, `is declared [${shape?.join(', ')}] and holds [${tensor.shape.join(', ')}]`);
}

function validateNode(graph: Graph, node: Node, visible: ReadonlySet<Value>): void {
  if (node.graph !== graph) throw invalid(graph, node, null, 'does not know its graph');
  for (const input of node.inputs) {
    if (input === null) continue;
    if (!visible.has(input)) throw missing(graph, node, input);
    if (!input.consumers.has(node)) throw invalid(graph, node, input, 'does not know its consumer');
  }
  for (const subgraph of node.subgraphs()) validateGraph(subgraph, visible);
}

function where(
  graph: Graph,
  node: Node | null,
  value: Value | null,
): { graph: string; node?: string; tensor?: string } {
  return {
    graph: graph.name,
    ...(node === null ? {} : { node: node.label }),
    ...(value === null ? {} : { tensor: value.name }),
  };
}

function invalid(graph: Graph, node: Node | null, value: Value | null, what: string): HoneError {
  const subject = value === null ? `The node ${node?.label ?? ''}` : `The value ${value.name}`;
  return new HoneError('graph-invalid', `${subject} ${what}.`, { where: where(graph, node, value) });
}

function missing(graph: Graph, node: Node | null, value: Value): HoneError {
  const reader = node === null ? 'The graph gives out' : `The node ${node.label} reads`;
  return new HoneError('graph-missing-input', `${reader} ${value.name}, which nothing makes.`, {
    where: where(graph, node, value),
  });
}

function duplicate(graph: Graph, node: Node | null, value: Value): HoneError {
  return new HoneError('graph-duplicate-name', `The graph has two values of the name ${value.name}.`, {
    where: where(graph, node, value),
  });
}
