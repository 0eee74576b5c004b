/** The small messages: string pairs, operator sets, and types of values. */
import { type DType, dtypeFromCode, elementCount } from '../../graph/dtype.ts';
import { type Dim, staticShape, type TensorType, type ValueType } from '../../graph/types.ts';
import type { ProtobufReader } from '../../lib/protobuf-reader.ts';
import { HoneError, type Where } from '../../protocol/errors.ts';
import { DIM, ELEMENT_TYPE, ENTRY, MAP_TYPE, OPERATOR_SET, SHAPE, TENSOR_TYPE, TYPE } from './schema.ts';

export function readEntry(reader: ProtobufReader, into: Map<string, string>): void {
  let key = '';
  let value = '';
  while (reader.next()) {
    if (reader.field === ENTRY.key) key = reader.string();
    else if (reader.field === ENTRY.value) value = reader.string();
    else reader.skip();
  }
  into.set(key, value);
}

/** `ai.onnx` is another name of ONNX's own domain, which is '' here. Source: onnx/docs/IR.md, operator sets. */
export function readDomain(reader: ProtobufReader): string {
  const domain = reader.string();
  return domain === 'ai.onnx' ? '' : domain;
}

export function readOperatorSet(reader: ProtobufReader, into: Map<string, number>): void {
  let domain = '';
  let version = 0;
  while (reader.next()) {
    if (reader.field === OPERATOR_SET.domain) domain = readDomain(reader);
    else if (reader.field === OPERATOR_SET.version) version = Number(reader.int64());
    else reader.skip();
  }
  into.set(domain, version);
}

/**
 * `TypeProto`; null for an empty one. A type that Hone has no words for (the opaque type, element types of later versions,
 * denotations of containers) is kept as its bytes. Throws `tensor-too-large` when the product of static dimensions overflows.
 */
export function readType(reader: ProtobufReader): ValueType | null {
  const start = reader.position;
  const seen: Seen = { unknown: false };
  const type = parseType(reader, seen);
  if (seen.unknown) return { kind: 'opaque', bytes: reader.slice(start, reader.position) };
  const shape = staticShape(type);
  if (shape !== null) located(reader.where(start), () => elementCount(shape));
  return type;
}

/** Does something; an error that does not say where it is is thrown again with `where`. */
export function located<Result>(where: Where, work: () => Result): Result {
  try {
    return work();
  } catch (thrown) {
    if (!(thrown instanceof HoneError) || thrown.where !== undefined) throw thrown;
    throw new HoneError(thrown.code, thrown.message, { where, cause: thrown });
  }
}

/** Whether anything came that the parsed type does not hold. */
interface Seen {
  unknown: boolean;
}

function skipUnknown(reader: ProtobufReader, seen: Seen): void {
  seen.unknown = true;
  reader.skip();
}

function parseType(reader: ProtobufReader, seen: Seen): ValueType | null {
  let type: ValueType | null = null;
  let denotation = '';
  while (reader.next()) {
    if (reader.field === TYPE.tensor) type = reader.message((inner) => parseTensorType(inner, 'tensor', seen));
    else if (reader.field === TYPE.sparse) type = reader.message((inner) => parseTensorType(inner, 'sparse', seen));
    else if (reader.field === TYPE.sequence) type = reader.message((inner) => parseElement(inner, 'sequence', seen));
    else if (reader.field === TYPE.optional) type = reader.message((inner) => parseElement(inner, 'optional', seen));
    else if (reader.field === TYPE.map) type = reader.message((inner) => parseMapType(inner, seen));
    else if (reader.field === TYPE.denotation) denotation = reader.string();
    else skipUnknown(reader, seen);
  }
  if (denotation === '') return type;
  if (type?.kind === 'tensor' || type?.kind === 'sparse') return { ...type, denotation };
  seen.unknown = true;
  return type;
}

function parseTensorType(reader: ProtobufReader, kind: 'tensor' | 'sparse', seen: Seen): TensorType {
  let dtype: DType | null = null;
  let shape: Dim[] | null = null;
  const denotations: string[] = [];
  while (reader.next()) {
    if (reader.field === TENSOR_TYPE.elementType) dtype = readElementType(reader, seen);
    else if (reader.field === TENSOR_TYPE.shape) {
      shape ??= [];
      const dims = shape;
      reader.message((inner) => parseShape(inner, dims, denotations, seen));
    } else skipUnknown(reader, seen);
  }
  const type: TensorType = { kind, dtype, shape };
  return denotations.some((denotation) => denotation !== '') ? { ...type, dimDenotations: denotations } : type;
}

function parseShape(reader: ProtobufReader, shape: Dim[], denotations: string[], seen: Seen): void {
  while (reader.next()) {
    if (reader.field !== SHAPE.dim) skipUnknown(reader, seen);
    else reader.message((inner) => parseDim(inner, shape, denotations, seen));
  }
}

function parseDim(reader: ProtobufReader, shape: Dim[], denotations: string[], seen: Seen): void {
  let dim: Dim = null;
  let denotation = '';
  while (reader.next()) {
    if (reader.field === DIM.value) dim = Number(reader.int64());
    else if (reader.field === DIM.param) dim = reader.string();
    else if (reader.field === DIM.denotation) denotation = reader.string();
    else skipUnknown(reader, seen);
  }
  // Exporters write -1 and an empty name for a dimension that is not known.
  shape.push(dim === '' || (typeof dim === 'number' && dim < 0) ? null : dim);
  denotations.push(denotation);
}

function parseElement(reader: ProtobufReader, kind: 'sequence' | 'optional', seen: Seen): ValueType {
  let element: ValueType | null = null;
  while (reader.next()) {
    if (reader.field === ELEMENT_TYPE.elementType) element = reader.message((inner) => parseType(inner, seen));
    else skipUnknown(reader, seen);
  }
  return { kind, element };
}

function parseMapType(reader: ProtobufReader, seen: Seen): ValueType {
  let key: DType | null = null;
  let value: ValueType | null = null;
  while (reader.next()) {
    if (reader.field === MAP_TYPE.keyType) key = readElementType(reader, seen);
    else if (reader.field === MAP_TYPE.valueType) value = reader.message((inner) => parseType(inner, seen));
    else skipUnknown(reader, seen);
  }
  return { kind: 'map', key, value };
}

function readElementType(reader: ProtobufReader, seen: Seen): DType | null {
  const code = reader.uint();
  const dtype = dtypeFromCode(code);
  if (dtype === null && code !== 0) seen.unknown = true;
  return dtype;
}
