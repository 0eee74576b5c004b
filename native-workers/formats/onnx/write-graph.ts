/** Graphs, nodes, tensors and types as messages. Fields come in the order of their numbers, as protobuf's own writers do. */
import type { Attribute } from '../../graph/attribute.ts';
import { DTYPES, type DType } from '../../graph/dtype.ts';
import type { Graph } from '../../graph/graph.ts';
import type { Node } from '../../graph/node.ts';
import type { Tensor, TensorData } from '../../graph/tensor.ts';
import { topologicalOrder } from '../../graph/traversal.ts';
import type { Dim, ValueType } from '../../graph/types.ts';
import type { Value } from '../../graph/value.ts';
import type { FieldWriter } from '../../lib/protobuf-writer.ts';
import {
  ATTRIBUTE,
  ATTRIBUTE_TYPE,
  DIM,
  ELEMENT_TYPE,
  ENTRY,
  EXTERNAL,
  GRAPH,
  MAP_TYPE,
  NODE,
  OPERATOR_SET,
  SHAPE,
  TENSOR,
  TENSOR_TYPE,
  TYPE,
  VALUE_INFO,
} from './schema.ts';

/** Tensor data that stands in a file beside the model. */
export interface ExternalPlan {
  /** The file's name. */
  readonly location: string;
  readonly offsets: ReadonlyMap<TensorData, number>;
}

/** What is worked out once, since messages are written in two passes. */
export class GraphWriter {
  readonly #external: ExternalPlan | null;
  readonly #orders: Map<Graph, readonly Node[]> = new Map();

  constructor(external: ExternalPlan | null) {
    this.#external = external;
  }

  order(graph: Graph): readonly Node[] {
    const known = this.#orders.get(graph);
    if (known !== undefined) return known;
    const order = topologicalOrder(graph);
    this.#orders.set(graph, order);
    return order;
  }

  graph(writer: FieldWriter, graph: Graph): void {
    for (const node of this.order(graph)) writer.message(GRAPH.node, (inner) => this.node(inner, node));
    writer.string(GRAPH.name, graph.name);
    for (const { name, tensor } of graph.initializers) {
      if (tensor !== null)
        writer.message(GRAPH.initializer, (inner) => this.#tensor(inner, name, tensor, this.#external));
    }
    optionalString(writer, GRAPH.docString, graph.docString);
    for (const input of graph.inputs) writer.message(GRAPH.input, (inner) => valueInfo(inner, input));
    for (const output of graph.outputs) writer.message(GRAPH.output, (inner) => valueInfo(inner, output));
    this.valueInfos(writer, GRAPH.valueInfo, graph);
    for (const bytes of graph.sparseInitializers.values()) writer.bytes(GRAPH.sparseInitializer, bytes);
    entries(writer, GRAPH.metadata, graph.metadata);
    if (graph.opaqueFields !== null) writer.raw(graph.opaqueFields);
  }

  /** What is known of the values inside the graph; its inputs and outputs say it themselves. */
  valueInfos(writer: FieldWriter, field: number, graph: Graph): void {
    const outputs = new Set(graph.outputs);
    for (const node of this.order(graph)) {
      for (const value of node.outputs) {
        if (value === null || outputs.has(value)) continue;
        if (value.type === null && value.docString === '' && value.metadata === null) continue;
        writer.message(field, (inner) => valueInfo(inner, value));
      }
    }
  }

  node(writer: FieldWriter, node: Node): void {
    for (const input of node.inputs) writer.string(NODE.input, input?.name ?? '');
    for (const output of node.outputs) writer.string(NODE.output, output?.name ?? '');
    optionalString(writer, NODE.name, node.name);
    writer.string(NODE.opType, node.opType);
    for (const [name, attribute] of node.attributes) this.attribute(writer, NODE.attribute, name, attribute);
    optionalString(writer, NODE.docString, node.docString);
    optionalString(writer, NODE.domain, node.domain);
    optionalString(writer, NODE.overload, node.overload);
    if (node.hasMetadata) entries(writer, NODE.metadata, node.metadata);
    if (node.opaqueFields !== null) writer.raw(node.opaqueFields);
  }

  attribute(writer: FieldWriter, field: number, name: string, attribute: Attribute): void {
    if (attribute.type === 'opaque') writer.bytes(field, attribute.value);
    else {
      writer.message(field, (inner) => {
        inner.string(ATTRIBUTE.name, name);
        this.#attributeValue(inner, attribute);
        optionalString(inner, ATTRIBUTE.docString, attribute.docString ?? '');
        if (attribute.type === 'reference') {
          inner.uint(ATTRIBUTE.type, attribute.typeCode);
          inner.string(ATTRIBUTE.refAttrName, attribute.value);
        } else inner.uint(ATTRIBUTE.type, ATTRIBUTE_TYPE[attribute.type]);
      });
    }
  }

  #attributeValue(writer: FieldWriter, attribute: Exclude<Attribute, { type: 'opaque' }>): void {
    switch (attribute.type) {
      case 'float':
        writer.float(ATTRIBUTE.f, attribute.value);
        return;
      case 'int':
        writer.int64(ATTRIBUTE.i, attribute.value);
        return;
      case 'string':
        writer.bytes(ATTRIBUTE.s, attribute.value);
        return;
      case 'tensor':
        writer.message(ATTRIBUTE.t, (inner) => this.#tensor(inner, attribute.name ?? '', attribute.value, null));
        return;
      case 'graph':
        writer.message(ATTRIBUTE.g, (inner) => this.graph(inner, attribute.value));
        return;
      case 'type':
        writer.message(ATTRIBUTE.tp, (inner) => type(inner, attribute.value));
        return;
      case 'floats':
        for (const value of attribute.value) writer.float(ATTRIBUTE.floats, value);
        return;
      case 'ints':
        for (const value of attribute.value) writer.int64(ATTRIBUTE.ints, value);
        return;
      case 'strings':
        for (const value of attribute.value) writer.bytes(ATTRIBUTE.strings, value);
        return;
      case 'tensors':
        for (const value of attribute.value) {
          writer.message(ATTRIBUTE.tensors, (inner) => this.#tensor(inner, '', value, null));
        }
        return;
      case 'graphs':
        for (const value of attribute.value) writer.message(ATTRIBUTE.graphs, (inner) => this.graph(inner, value));
        return;
      case 'types':
        for (const value of attribute.value) writer.message(ATTRIBUTE.typeProtos, (inner) => type(inner, value));
        return;
      case 'reference':
        return;
    }
  }

  #tensor(writer: FieldWriter, name: string, tensor: Tensor, external: ExternalPlan | null): void {
    for (const dim of tensor.shape) writer.uint(TENSOR.dims, dim);
    writer.uint(TENSOR.dataType, DTYPES[tensor.dtype].code);
    for (const text of tensor.strings ?? []) writer.bytes(TENSOR.stringData, text);
    optionalString(writer, TENSOR.name, name);
    const offset = external?.offsets.get(tensor.data);
    if (external !== null && offset !== undefined) {
      optionalString(writer, TENSOR.docString, tensor.docString);
      entry(writer, TENSOR.externalData, 'location', external.location);
      entry(writer, TENSOR.externalData, 'offset', String(offset));
      entry(writer, TENSOR.externalData, 'length', String(tensor.data.byteLength));
      writer.uint(TENSOR.dataLocation, EXTERNAL);
    } else {
      if (tensor.strings === null) writer.data(TENSOR.rawData, tensor.data);
      optionalString(writer, TENSOR.docString, tensor.docString);
    }
    if (tensor.metadata !== null) entries(writer, TENSOR.metadata, tensor.metadata);
  }
}

export function optionalString(writer: FieldWriter, field: number, text: string): void {
  if (text !== '') writer.string(field, text);
}

export function entries(writer: FieldWriter, field: number, map: ReadonlyMap<string, string>): void {
  for (const [key, value] of map) entry(writer, field, key, value);
}

function entry(writer: FieldWriter, field: number, key: string, value: string): void {
  writer.message(field, (inner) => {
    inner.string(ENTRY.key, key);
    inner.string(ENTRY.value, value);
  });
}

export function operatorSets(writer: FieldWriter, field: number, opsets: ReadonlyMap<string, number>): void {
  for (const [domain, version] of opsets) {
    writer.message(field, (inner) => {
      inner.string(OPERATOR_SET.domain, domain);
      inner.int64(OPERATOR_SET.version, BigInt(version));
    });
  }
}

function valueInfo(writer: FieldWriter, value: Value): void {
  writer.string(VALUE_INFO.name, value.name);
  const valueType = value.type;
  if (valueType !== null) writer.message(VALUE_INFO.type, (inner) => type(inner, valueType));
  optionalString(writer, VALUE_INFO.docString, value.docString);
  if (value.metadata !== null) entries(writer, VALUE_INFO.metadata, value.metadata);
}

function type(writer: FieldWriter, valueType: ValueType): void {
  switch (valueType.kind) {
    case 'opaque':
      writer.raw(valueType.bytes);
      return;
    case 'tensor':
    case 'sparse':
      writer.message(valueType.kind === 'tensor' ? TYPE.tensor : TYPE.sparse, (inner) => {
        elementType(inner, TENSOR_TYPE.elementType, valueType.dtype);
        const { shape } = valueType;
        if (shape === null) return;
        inner.message(TENSOR_TYPE.shape, (dims) => {
          shape.forEach((dim, axis) => {
            dims.message(SHAPE.dim, (each) => dimension(each, dim, valueType.dimDenotations?.[axis] ?? ''));
          });
        });
      });
      optionalString(writer, TYPE.denotation, valueType.denotation ?? '');
      return;
    case 'sequence':
    case 'optional':
      writer.message(valueType.kind === 'sequence' ? TYPE.sequence : TYPE.optional, (inner) => {
        const { element } = valueType;
        if (element !== null) inner.message(ELEMENT_TYPE.elementType, (each) => type(each, element));
      });
      return;
    case 'map':
      writer.message(TYPE.map, (inner) => {
        elementType(inner, MAP_TYPE.keyType, valueType.key);
        const { value } = valueType;
        if (value !== null) inner.message(MAP_TYPE.valueType, (each) => type(each, value));
      });
  }
}

function elementType(writer: FieldWriter, field: number, dtype: DType | null): void {
  if (dtype !== null) writer.uint(field, DTYPES[dtype].code);
}

function dimension(writer: FieldWriter, dim: Dim, denotation: string): void {
  if (typeof dim === 'number') writer.uint(DIM.value, dim);
  else if (dim !== null) writer.string(DIM.param, dim);
  optionalString(writer, DIM.denotation, denotation);
}
