/** `NodeProto` and `AttributeProto`. */
import type { Attribute, AttributeValue } from '../../graph/attribute.ts';
import { Node } from '../../graph/node.ts';
import type { Tensor } from '../../graph/tensor.ts';
import type { ValueType } from '../../graph/types.ts';
import { concatBytes } from '../../lib/bytes.ts';
import type { ProtobufReader } from '../../lib/protobuf-reader.ts';
import { HoneError } from '../../protocol/errors.ts';
import type { ExternalFiles } from './external-data.ts';
import type { PendingGraph, PendingNode } from './pending-graph.ts';
import { readDomain, readEntry, readType } from './read-entries.ts';
import { readGraph } from './read-graph.ts';
import { type NamedTensor, readTensor } from './read-tensor.ts';
import { ATTRIBUTE, ATTRIBUTE_TYPE, NODE } from './schema.ts';

/** Parts that are kept without being read may be this large in all; they are held in memory. */
export const OPAQUE_LIMIT = 256 << 20;

export function readNode(reader: ProtobufReader, files: ExternalFiles): PendingNode {
  const node = new Node({ opType: '' });
  const inputs: string[] = [];
  const outputs: string[] = [];
  const subgraphs: PendingGraph[] = [];
  const opaque: Uint8Array[] = [];
  while (reader.next()) {
    switch (reader.field) {
      case NODE.input:
        inputs.push(reader.string());
        break;
      case NODE.output:
        outputs.push(reader.string());
        break;
      case NODE.name:
        node.name = reader.string();
        break;
      case NODE.opType:
        node.opType = reader.string();
        break;
      case NODE.attribute: {
        const start = reader.position;
        const [name, attribute] = reader.message((inner) => readAttribute(inner, files, subgraphs));
        if (node.attributes.has(name)) {
          throw new HoneError('graph-invalid', `A ${node.opType} node has the attribute ${name} twice.`, {
            where: reader.where(start),
          });
        }
        node.attributes.set(name, attribute);
        break;
      }
      case NODE.docString:
        node.docString = reader.string();
        break;
      case NODE.domain:
        node.domain = readDomain(reader);
        break;
      case NODE.overload:
        node.overload = reader.string();
        break;
      case NODE.metadata:
        reader.message((entry) => readEntry(entry, node.metadata));
        break;
      default:
        opaque.push(reader.rawField(OPAQUE_LIMIT));
    }
  }
  if (opaque.length > 0) node.opaqueFields = concatBytes(opaque);
  return { node, inputs, outputs, subgraphs };
}

/** The fields of one `AttributeProto` as they come; which of them count is said by `type`. */
interface AttributeFields {
  name: string;
  docString: string;
  reference: string;
  type: number;
  f: number;
  i: bigint;
  s: Uint8Array;
  t: NamedTensor | null;
  g: PendingGraph | null;
  tp: ValueType | null;
  floats: number[];
  ints: bigint[];
  strings: Uint8Array[];
  tensors: Tensor[];
  graphs: PendingGraph[];
  types: ValueType[];
}

/** Name and value. Subgraphs are added to `subgraphs`, since their names are resolved after all nodes are known. */
export function readAttribute(
  reader: ProtobufReader,
  files: ExternalFiles,
  subgraphs: PendingGraph[],
): readonly [string, Attribute] {
  const start = reader.position;
  const fields: AttributeFields = {
    name: '',
    docString: '',
    reference: '',
    type: ATTRIBUTE_TYPE.undefined,
    f: 0,
    i: 0n,
    s: new Uint8Array(0),
    t: null,
    g: null,
    tp: null,
    floats: [],
    ints: [],
    strings: [],
    tensors: [],
    graphs: [],
    types: [],
  };
  // Files of IR version 1 may leave the type out: then it is what is there.
  let implied: number = ATTRIBUTE_TYPE.undefined;
  while (reader.next()) implied = readAttributeField(reader, fields, files) ?? implied;
  if (fields.type === ATTRIBUTE_TYPE.undefined) fields.type = implied;
  const value = attributeValue(fields);
  if (value === null) {
    const whole = reader.slice(start, reader.position);
    return [fields.name, { type: 'opaque', value: whole, typeCode: fields.type }];
  }
  if (value.type === 'graph' && fields.g !== null) subgraphs.push(fields.g);
  if (value.type === 'graphs') subgraphs.push(...fields.graphs);
  return [fields.name, fields.docString === '' ? value : { ...value, docString: fields.docString }];
}

/** Reads one field; returns the type of attribute that its presence implies. */
function readAttributeField(reader: ProtobufReader, fields: AttributeFields, files: ExternalFiles): number | undefined {
  switch (reader.field) {
    case ATTRIBUTE.name:
      fields.name = reader.string();
      return undefined;
    case ATTRIBUTE.docString:
      fields.docString = reader.string();
      return undefined;
    case ATTRIBUTE.type:
      fields.type = reader.uint();
      return undefined;
    case ATTRIBUTE.refAttrName:
      fields.reference = reader.string();
      return undefined;
    case ATTRIBUTE.f:
      fields.f = reader.float();
      return ATTRIBUTE_TYPE.float;
    case ATTRIBUTE.i:
      fields.i = reader.int64();
      return ATTRIBUTE_TYPE.int;
    case ATTRIBUTE.s:
      fields.s = reader.bytes();
      return ATTRIBUTE_TYPE.string;
    case ATTRIBUTE.t:
      fields.t = reader.message((inner) => readTensor(inner, files));
      return ATTRIBUTE_TYPE.tensor;
    case ATTRIBUTE.g:
      fields.g = reader.message((inner) => readGraph(inner, files));
      return ATTRIBUTE_TYPE.graph;
    case ATTRIBUTE.tp:
      fields.tp = reader.message(readType) ?? { kind: 'opaque', bytes: new Uint8Array(0) };
      return ATTRIBUTE_TYPE.type;
    case ATTRIBUTE.floats:
      reader.floats(fields.floats);
      return ATTRIBUTE_TYPE.floats;
    case ATTRIBUTE.ints:
      reader.int64s(fields.ints);
      return ATTRIBUTE_TYPE.ints;
    case ATTRIBUTE.strings:
      fields.strings.push(reader.bytes());
      return ATTRIBUTE_TYPE.strings;
    case ATTRIBUTE.tensors:
      fields.tensors.push(reader.message((inner) => readTensor(inner, files)).tensor);
      return ATTRIBUTE_TYPE.tensors;
    case ATTRIBUTE.graphs:
      fields.graphs.push(reader.message((inner) => readGraph(inner, files)));
      return ATTRIBUTE_TYPE.graphs;
    case ATTRIBUTE.typeProtos:
      fields.types.push(reader.message(readType) ?? { kind: 'opaque', bytes: new Uint8Array(0) });
      return ATTRIBUTE_TYPE.types;
    case ATTRIBUTE.sparseTensor:
      reader.skip();
      return ATTRIBUTE_TYPE.sparseTensor;
    case ATTRIBUTE.sparseTensors:
      reader.skip();
      return ATTRIBUTE_TYPE.sparseTensors;
    default:
      reader.skip();
      return undefined;
  }
}

/** null for what is kept as bytes: kinds without a word here, and a tensor or graph that is announced but not there. */
function attributeValue(fields: AttributeFields): AttributeValue | null {
  if (fields.reference !== '') return { type: 'reference', value: fields.reference, typeCode: fields.type };
  switch (fields.type) {
    case ATTRIBUTE_TYPE.float:
      return { type: 'float', value: fields.f };
    case ATTRIBUTE_TYPE.int:
      return { type: 'int', value: fields.i };
    case ATTRIBUTE_TYPE.string:
      return { type: 'string', value: fields.s };
    case ATTRIBUTE_TYPE.tensor: {
      if (fields.t === null) return null;
      const { name, tensor } = fields.t;
      return name === '' ? { type: 'tensor', value: tensor } : { type: 'tensor', value: tensor, name };
    }
    case ATTRIBUTE_TYPE.graph:
      return fields.g === null ? null : { type: 'graph', value: fields.g.graph };
    case ATTRIBUTE_TYPE.floats:
      return { type: 'floats', value: fields.floats };
    case ATTRIBUTE_TYPE.ints:
      return { type: 'ints', value: fields.ints };
    case ATTRIBUTE_TYPE.strings:
      return { type: 'strings', value: fields.strings };
    case ATTRIBUTE_TYPE.tensors:
      return { type: 'tensors', value: fields.tensors };
    case ATTRIBUTE_TYPE.graphs:
      return { type: 'graphs', value: fields.graphs.map((pending) => pending.graph) };
    case ATTRIBUTE_TYPE.type:
      return fields.tp === null ? null : { type: 'type', value: fields.tp };
    case ATTRIBUTE_TYPE.types:
      return { type: 'types', value: fields.types };
    default:
      return null;
  }
}
