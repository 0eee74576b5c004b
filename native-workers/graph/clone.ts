/** Copies of a model that can be edited without touching the original. Tensors are shared: they are never changed in place. */
import type { Attribute } from './attribute.ts';
import { Graph } from './graph.ts';
import { Model } from './model.ts';
import { Node } from './node.ts';
import { topologicalOrder } from './traversal.ts';
import { Value } from './value.ts';

/** The copy, and the way from the original's values and nodes to the copy's. */
export interface Clone {
  readonly model: Model;
  readonly values: ReadonlyMap<Value, Value>;
  readonly nodes: ReadonlyMap<Node, Node>;
}

export function cloneModel(model: Model): Clone {
  const values = new Map<Value, Value>();
  const nodes = new Map<Node, Node>();
  const copy = new Model(cloneGraph(model.graph, values, nodes), model.opset, model.irVersion);
  copy.opsets.clear();
  for (const [domain, version] of model.opsets) copy.opsets.set(domain, version);
  copy.producerName = model.producerName;
  copy.producerVersion = model.producerVersion;
  copy.domain = model.domain;
  copy.modelVersion = model.modelVersion;
  copy.docString = model.docString;
  for (const [key, value] of model.metadata) copy.metadata.set(key, value);
  copy.functions = [...model.functions];
  copy.opaqueFields = model.opaqueFields;
  copy.source = model.source;
  return { model: copy, values, nodes };
}

/**
 * Copies what a graph computes into another, as many times as it is called: `inputs` stand for the graph's own, and what it
 * reads from around it stays what it is. Constants are shared between copies made with the same `constants`. Returns the values
 * that stand for the graph's outputs.
 */
export function inlineGraph(
  body: Graph,
  into: Graph,
  inputs: readonly Value[],
  prefix: string,
  constants: Map<Value, Value> = new Map(),
): Value[] {
  const values = new Map<Value, Value>();
  body.inputs.forEach((input, index) => {
    const given = inputs[index];
    if (given !== undefined) values.set(input, given);
  });
  for (const initializer of body.initializers) {
    if (values.has(initializer) || initializer.tensor === null) continue;
    const shared =
      constants.get(initializer) ??
      into.addInitializer(into.uniqueName(`${prefix}${initializer.name}`), initializer.tensor);
    constants.set(initializer, shared);
    values.set(initializer, shared);
  }
  const own = new Set(body.values());
  const isOutside = (value: Value): boolean => !own.has(value) && !values.has(value);
  for (const node of body.allNodes())
    for (const input of node.inputs) if (input !== null && isOutside(input)) values.set(input, input);
  for (const output of body.outputs) if (isOutside(output)) values.set(output, output);
  for (const node of topologicalOrder(body)) {
    const outputs = node.outputs.map((output) => {
      if (output === null) return null;
      const made = into.createValue(`${prefix}${output.name}`, output.type);
      values.set(output, made);
      return made;
    });
    const copy = into.addNode({
      opType: node.opType,
      domain: node.domain,
      name: node.name === '' ? '' : `${prefix}${node.name}`,
      inputs: node.inputs.map((input) => (input === null ? null : (values.get(input) ?? input))),
      outputs,
      attributes: [...node.attributes].map(
        ([name, attribute]) => [name, cloneAttribute(attribute, values, new Map())] as const,
      ),
    });
    copy.overload = node.overload;
  }
  return body.outputs.map((output) => values.get(output) ?? output);
}

function cloneGraph(graph: Graph, values: Map<Value, Value>, nodes: Map<Node, Node>): Graph {
  const copy = new Graph(graph.name);
  copy.docString = graph.docString;
  copy.opaqueFields = graph.opaqueFields;
  for (const [key, value] of graph.metadata) copy.metadata.set(key, value);
  const copied = (value: Value): Value => {
    const known = values.get(value);
    if (known !== undefined) return known;
    const made = new Value(value.name, value.type);
    made.docString = value.docString;
    made.metadata = value.metadata;
    made.tensor = value.tensor;
    values.set(value, made);
    return made;
  };
  for (const input of graph.inputs) copy.inputs.push(copied(input));
  for (const initializer of graph.initializers) copy.initializers.add(copied(initializer));
  for (const [value, bytes] of graph.sparseInitializers) copy.sparseInitializers.set(copied(value), bytes);
  for (const node of graph.nodes) {
    const made = new Node({
      opType: node.opType,
      domain: node.domain,
      name: node.name,
      inputs: node.inputs.map((input) => (input === null ? null : copied(input))),
      outputs: node.outputs.map((output) => (output === null ? null : copied(output))),
      attributes: [...node.attributes].map(
        ([name, attribute]) => [name, cloneAttribute(attribute, values, nodes)] as const,
      ),
    });
    made.docString = node.docString;
    made.overload = node.overload;
    made.opaqueFields = node.opaqueFields;
    if (node.hasMetadata) for (const [key, value] of node.metadata) made.metadata.set(key, value);
    nodes.set(node, made);
    copy.addNode(made);
  }
  for (const output of graph.outputs) copy.outputs.push(copied(output));
  return copy;
}

function cloneAttribute(attribute: Attribute, values: Map<Value, Value>, nodes: Map<Node, Node>): Attribute {
  if (attribute.type === 'graph') return { type: 'graph', value: cloneGraph(attribute.value, values, nodes) };
  if (attribute.type === 'graphs') {
    return { type: 'graphs', value: attribute.value.map((graph) => cloneGraph(graph, values, nodes)) };
  }
  return attribute;
}
