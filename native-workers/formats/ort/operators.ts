/**
 * The operators of an ORT-format file, with the types that reduced builds of ONNX Runtime are cut down by. Field numbers from
 * onnxruntime/core/flatbuffers/schema/ort.fbs (conversion.md section 3).
 */
import { FlatBuffer, type Table } from '../../lib/flatbuffer-reader.ts';
import { HoneError } from '../../protocol/errors.ts';

/** One operator kind: where it is from, since when it is what it is, and the element types seen at its inputs and outputs. */
export interface OrtOperator {
  /** `ai.onnx` for ONNX's own. */
  readonly domain: string;
  readonly sinceVersion: number;
  readonly type: string;
  /** By position, as C++ names: `float`, `int64_t`. */
  readonly inputs: ReadonlyMap<number, ReadonlySet<string>>;
  readonly outputs: ReadonlyMap<number, ReadonlySet<string>>;
}

const SLOTS = {
  session: { model: 1 },
  model: { graph: 7 },
  graph: { nodeArgs: 1, nodes: 2 },
  node: { name: 0, domain: 2, sinceVersion: 3, opType: 5, inputs: 8, outputs: 9, attributes: 10 },
  nodeArg: { name: 0, type: 2 },
  typeInfo: { valueType: 1, value: 2 },
  tensorType: { elementType: 0 },
  attribute: { graph: 7, graphs: 12 },
} as const;

const TENSOR_TYPE = 1;

/** `TensorDataType` of ort.fbs is ONNX's numbering; the names are those of the C++ types that kernels are built for. */
const CPP_TYPES: Readonly<Record<number, string>> = {
  1: 'float',
  2: 'uint8_t',
  3: 'int8_t',
  4: 'uint16_t',
  5: 'int16_t',
  6: 'int32_t',
  7: 'int64_t',
  8: 'std::string',
  9: 'bool',
  10: 'MLFloat16',
  11: 'double',
  12: 'uint32_t',
  13: 'uint64_t',
  16: 'BFloat16',
};

const DEEPEST = 32;

/** Reads the operators of all graphs in the file, each kind once. Throws `file-not-a-model` for another file. */
export function readOrtOperators(bytes: Uint8Array, file: string): OrtOperator[] {
  const found = new Map<
    string,
    { operator: OrtOperator; inputs: Map<number, Set<string>>; outputs: Map<number, Set<string>> }
  >();
  collect(mainGraph(bytes, file), new Map(), found, 0);
  return [...found.values()].map(({ operator }) => operator);
}

/** A node of the main graph. */
export interface OrtNode {
  readonly index: number;
  readonly type: string;
  readonly outputs: readonly string[];
  /** Its own name: that of the model's node, but for nodes that were fused. */
  readonly sources: readonly string[];
}

/** The nodes of the main graph in their order. Throws likewise. */
export function ortNodes(bytes: Uint8Array, file: string): OrtNode[] {
  return mainGraph(bytes, file)
    .tables(SLOTS.graph.nodes)
    .map((node, index) => ({
      index,
      type: node.string(SLOTS.node.opType) ?? '',
      outputs: node.strings(SLOTS.node.outputs),
      sources: [node.string(SLOTS.node.name) ?? ''].filter((name) => name !== ''),
    }));
}

function mainGraph(bytes: Uint8Array, file: string): Table {
  const buffer = new FlatBuffer(bytes, file);
  if (bytes.length < 8 || buffer.identifier !== 'ORTM') {
    throw new HoneError('file-not-a-model', 'The file is no ORT-format model.', { where: { file } });
  }
  const graph = buffer.root().table(SLOTS.session.model)?.table(SLOTS.model.graph) ?? null;
  if (graph === null) throw buffer.corrupt('The file has no graph.', 0);
  return graph;
}

function collect(
  graph: Table,
  outer: ReadonlyMap<string, string>,
  found: Map<string, { operator: OrtOperator; inputs: Map<number, Set<string>>; outputs: Map<number, Set<string>> }>,
  depth: number,
): void {
  if (depth > DEEPEST) throw graph.buffer.corrupt('Its graphs are nested too deep.', 0);
  const types = new Map(outer);
  for (const arg of graph.tables(SLOTS.graph.nodeArgs)) {
    const type = cppType(arg.table(SLOTS.nodeArg.type));
    const name = arg.string(SLOTS.nodeArg.name);
    if (name !== null && type !== null) types.set(name, type);
  }
  for (const node of graph.tables(SLOTS.graph.nodes)) {
    const domain = node.string(SLOTS.node.domain) || 'ai.onnx';
    const sinceVersion = node.int32(SLOTS.node.sinceVersion);
    const type = node.string(SLOTS.node.opType) ?? '';
    const key = `${domain};${sinceVersion};${type}`;
    let entry = found.get(key);
    if (entry === undefined) {
      const inputs = new Map<number, Set<string>>();
      const outputs = new Map<number, Set<string>>();
      entry = { operator: { domain, sinceVersion, type, inputs, outputs }, inputs, outputs };
      found.set(key, entry);
    }
    addTypes(entry.inputs, node.strings(SLOTS.node.inputs), types);
    addTypes(entry.outputs, node.strings(SLOTS.node.outputs), types);
    for (const attribute of node.tables(SLOTS.node.attributes)) {
      const body = attribute.table(SLOTS.attribute.graph);
      if (body !== null) collect(body, types, found, depth + 1);
      for (const one of attribute.tables(SLOTS.attribute.graphs)) collect(one, types, found, depth + 1);
    }
  }
}

function addTypes(into: Map<number, Set<string>>, names: readonly string[], types: ReadonlyMap<string, string>): void {
  names.forEach((name, position) => {
    const type = types.get(name);
    if (type === undefined) return;
    const set = into.get(position) ?? new Set<string>();
    set.add(type);
    into.set(position, set);
  });
}

function cppType(info: Table | null): string | null {
  if (info === null || info.uint8(SLOTS.typeInfo.valueType) !== TENSOR_TYPE) return null;
  const tensor = info.table(SLOTS.typeInfo.value);
  return tensor === null ? null : (CPP_TYPES[tensor.int32(SLOTS.tensorType.elementType)] ?? null);
}
