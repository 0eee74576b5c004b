/**
 * Reads an ONNX model: the structure into memory, the weights not at all. Every tensor above a kilobyte stays a range of the
 * file, or of the file that the model keeps its weights in. Operators, domains and versions that Hone does not know are read
 * all the same: whether they can run is the engine's word.
 */
import type { Attribute } from '../../graph/attribute.ts';
import { Graph } from '../../graph/graph.ts';
import { Model, type ModelFunction } from '../../graph/model.ts';
import { type ByteSource, concatBytes, FileSource, MemorySource } from '../../lib/bytes.ts';
import { ProtobufReader } from '../../lib/protobuf-reader.ts';
import { ExternalFiles } from './external-data.ts';
import { PendingGraph, untyped } from './pending-graph.ts';
import { readDomain, readEntry, readOperatorSet } from './read-entries.ts';
import { readGraph, readValueInfo } from './read-graph.ts';
import { OPAQUE_LIMIT, readAttribute, readNode } from './read-node.ts';
import { FUNCTION, MODEL } from './schema.ts';

/**
 * Opens a file. The file must stay as it is while the model is in use. Throws the errors of kind `input` and `unsupported`
 * about files and graphs: `file-truncated`, `file-corrupt`, `graph-missing-input`, `external-data-missing` and so on.
 */
export function readOnnx(path: string): Model {
  const source = new FileSource(path);
  try {
    const model = readModel(source, new ExternalFiles(path));
    model.source = { path, bytes: source.length, format: 'onnx' };
    return model;
  } finally {
    source.close();
  }
}

/** Reads a model from memory, which its tensors go on using. */
export function readOnnxBytes(bytes: Uint8Array): Model {
  return readModel(new MemorySource(bytes), new ExternalFiles(null));
}

function readModel(source: ByteSource, files: ExternalFiles): Model {
  const reader = new ProtobufReader(source);
  const model = new Model(new Graph(''), 0, 0);
  model.opsets.clear();
  const opaque: Uint8Array[] = [];
  const functions: PendingFunction[] = [];
  let graph: PendingGraph | null = null;
  while (reader.next()) {
    switch (reader.field) {
      case MODEL.irVersion:
        model.irVersion = Number(reader.int64());
        break;
      case MODEL.producerName:
        model.producerName = reader.string();
        break;
      case MODEL.producerVersion:
        model.producerVersion = reader.string();
        break;
      case MODEL.domain:
        model.domain = reader.string();
        break;
      case MODEL.modelVersion:
        model.modelVersion = reader.int64();
        break;
      case MODEL.docString:
        model.docString = reader.string();
        break;
      case MODEL.graph:
        graph = reader.message((inner) => readGraph(inner, files));
        break;
      case MODEL.opsetImport:
        reader.message((inner) => readOperatorSet(inner, model.opsets));
        break;
      case MODEL.metadata:
        reader.message((entry) => readEntry(entry, model.metadata));
        break;
      case MODEL.functions:
        functions.push(reader.message((inner) => readFunction(inner, files)));
        break;
      default:
        opaque.push(reader.rawField(OPAQUE_LIMIT));
    }
  }
  if (graph === null) throw reader.corrupt('The file has the form of an ONNX model, but no graph.');
  graph.link();
  model.graph = graph.graph;
  model.functions = functions.map(({ pending, made }) => {
    pending.link();
    return made;
  });
  // Before IR version 3, operator sets were not named. Source: onnx/docs/Versioning.md.
  if (model.opsets.size === 0 && model.irVersion < 3) model.opsets.set('', 1);
  if (opaque.length > 0) model.opaqueFields = concatBytes(opaque);
  return model;
}

interface PendingFunction {
  readonly pending: PendingGraph;
  readonly made: ModelFunction;
}

function readFunction(reader: ProtobufReader, files: ExternalFiles): PendingFunction {
  const pending = new PendingGraph(reader.source.path);
  const body = pending.graph;
  const attributes: string[] = [];
  const attributeDefaults = new Map<string, Attribute>();
  const opsets = new Map<string, number>();
  const opaque: Uint8Array[] = [];
  let domain = '';
  let overload = '';
  let docString = '';
  while (reader.next()) {
    switch (reader.field) {
      case FUNCTION.name:
        body.name = reader.string();
        break;
      case FUNCTION.domain:
        domain = readDomain(reader);
        break;
      case FUNCTION.overload:
        overload = reader.string();
        break;
      case FUNCTION.docString:
        docString = reader.string();
        break;
      case FUNCTION.input:
        pending.addInput(untyped(reader.string()));
        break;
      case FUNCTION.output:
        pending.addOutput(untyped(reader.string()));
        break;
      case FUNCTION.attribute:
        attributes.push(reader.string());
        break;
      case FUNCTION.attributeProto:
        attributeDefaults.set(...reader.message((inner) => readDefault(inner, files)));
        break;
      case FUNCTION.node:
        pending.addNode(reader.message((inner) => readNode(inner, files)));
        break;
      case FUNCTION.opsetImport:
        reader.message((inner) => readOperatorSet(inner, opsets));
        break;
      case FUNCTION.valueInfo:
        pending.addInfo(reader.message(readValueInfo));
        break;
      case FUNCTION.metadata:
        reader.message((entry) => readEntry(entry, body.metadata));
        break;
      default:
        opaque.push(reader.rawField(OPAQUE_LIMIT));
    }
  }
  const opaqueFields = opaque.length > 0 ? concatBytes(opaque) : null;
  const made = {
    name: body.name,
    domain,
    overload,
    docString,
    body,
    opsets,
    attributes,
    attributeDefaults,
    opaqueFields,
  };
  return { pending, made };
}

/** A default value of a function's attribute. One that is a graph stands outside of any scope and sees no names. */
function readDefault(reader: ProtobufReader, files: ExternalFiles): readonly [string, Attribute] {
  const subgraphs: PendingGraph[] = [];
  const named = readAttribute(reader, files, subgraphs);
  for (const subgraph of subgraphs) subgraph.link();
  return named;
}
