/** `GraphProto`, and the messages that only graphs hold. */
import { dtypeFromCode } from '../../graph/dtype.ts';
import type { ValueType } from '../../graph/types.ts';
import { concatBytes, MemorySource } from '../../lib/bytes.ts';
import { ProtobufReader } from '../../lib/protobuf-reader.ts';
import type { ExternalFiles } from './external-data.ts';
import { PendingGraph, type ValueInfo } from './pending-graph.ts';
import { readEntry, readType } from './read-entries.ts';
import { OPAQUE_LIMIT, readNode } from './read-node.ts';
import { readTensor } from './read-tensor.ts';
import { GRAPH, SPARSE_TENSOR, TENSOR, VALUE_INFO } from './schema.ts';

/** Reads the message that the reader is in; `PendingGraph.link` makes it a graph. */
export function readGraph(reader: ProtobufReader, files: ExternalFiles): PendingGraph {
  const pending = new PendingGraph(reader.source.path);
  const { graph } = pending;
  const opaque: Uint8Array[] = [];
  while (reader.next()) {
    switch (reader.field) {
      case GRAPH.node:
        pending.addNode(reader.message((inner) => readNode(inner, files)));
        break;
      case GRAPH.name:
        graph.name = reader.string();
        break;
      case GRAPH.initializer: {
        const { name, tensor } = reader.message((inner) => readTensor(inner, files));
        pending.addInitializer(name, tensor);
        break;
      }
      case GRAPH.sparseInitializer:
        readSparse(reader, pending);
        break;
      case GRAPH.docString:
        graph.docString = reader.string();
        break;
      case GRAPH.input:
        pending.addInput(reader.message(readValueInfo));
        break;
      case GRAPH.output:
        pending.addOutput(reader.message(readValueInfo));
        break;
      case GRAPH.valueInfo:
        pending.addInfo(reader.message(readValueInfo));
        break;
      case GRAPH.metadata:
        reader.message((entry) => readEntry(entry, graph.metadata));
        break;
      default:
        opaque.push(reader.rawField(OPAQUE_LIMIT));
    }
  }
  if (opaque.length > 0) graph.opaqueFields = concatBytes(opaque);
  return pending;
}

export function readValueInfo(reader: ProtobufReader): ValueInfo {
  let name = '';
  let type: ValueType | null = null;
  let docString = '';
  let metadata: Map<string, string> | null = null;
  while (reader.next()) {
    if (reader.field === VALUE_INFO.name) name = reader.string();
    else if (reader.field === VALUE_INFO.type) type = reader.message(readType);
    else if (reader.field === VALUE_INFO.docString) docString = reader.string();
    else if (reader.field === VALUE_INFO.metadata) {
      const entries: Map<string, string> = metadata ?? new Map();
      metadata = entries;
      reader.message((entry) => readEntry(entry, entries));
    } else reader.skip();
  }
  return { name, type, docString, metadata };
}

/** Keeps a `SparseTensorProto` as its bytes; only its name, which is that of its values, its type and its dims are looked at. */
function readSparse(reader: ProtobufReader, pending: PendingGraph): void {
  const bytes = reader.bytes(OPAQUE_LIMIT);
  const sparse = new ProtobufReader(new MemorySource(bytes));
  const facts = { name: '', code: 0 };
  const dims: bigint[] = [];
  while (sparse.next()) {
    if (sparse.field === SPARSE_TENSOR.dims) sparse.int64s(dims);
    else if (sparse.field === SPARSE_TENSOR.values) sparse.message((values) => readNameAndType(values, facts));
    else sparse.skip();
  }
  const type: ValueType = { kind: 'sparse', dtype: dtypeFromCode(facts.code), shape: dims.map(Number) };
  pending.addSparseInitializer(facts.name, type, bytes);
}

function readNameAndType(reader: ProtobufReader, facts: { name: string; code: number }): void {
  while (reader.next()) {
    if (reader.field === TENSOR.name) facts.name = reader.string();
    else if (reader.field === TENSOR.dataType) facts.code = reader.uint();
    else reader.skip();
  }
}
