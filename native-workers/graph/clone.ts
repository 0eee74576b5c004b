/** Copies of a model that can be edited without touching the original. Tensors are shared: they are never changed in place. */
import type { Attribute } from './attribute.ts';
import { Graph } from './graph.ts';
import { Model } from './model.ts';
import { Node } from './node.ts';
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
