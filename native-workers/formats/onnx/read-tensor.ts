/** `TensorProto`: dims, type, and where the bytes are. Nothing larger than a few numbers is read. */
import { byteLength, DTYPES, type DType, dtypeFromCode, elementCount } from '../../graph/dtype.ts';
import { Tensor, type TensorData, type TensorInit } from '../../graph/tensor.ts';
import { MemoryData, NO_DATA } from '../../graph/tensor-data.ts';
import { type ProtobufReader, WIRE } from '../../lib/protobuf-reader.ts';
import { HoneError } from '../../protocol/errors.ts';
import type { ExternalFiles } from './external-data.ts';
import { located, readEntry } from './read-entries.ts';
import { EXTERNAL, TENSOR } from './schema.ts';
import { RepeatedField, VarintData } from './typed-data.ts';

/** Up to here a tensor's bytes are kept in memory: a file range takes more than that many bytes to read again. */
const INLINE = 1024;
/** Up to here typed fields are decoded at once, which also finds a wrong count of values early. */
const DECODE_NOW = 64 << 10;

export interface NamedTensor {
  readonly name: string;
  readonly tensor: Tensor;
}

/** The fields of one `TensorProto` as they come, in any order. */
class TensorFields {
  readonly dims: bigint[] = [];
  code = 0;
  name = '';
  docString = '';
  raw: TensorData | null = null;
  readonly typed: Map<number, RepeatedField> = new Map();
  readonly strings: Uint8Array[] = [];
  readonly external: Map<string, string> = new Map();
  readonly metadata: Map<string, string> = new Map();
  location = 0;

  repeated(field: number): RepeatedField {
    const known = this.typed.get(field);
    if (known !== undefined) return known;
    const made = new RepeatedField();
    this.typed.set(field, made);
    return made;
  }
}

/** Reads the message that the reader is in. Throws what `Tensor` and `ExternalFiles.data` throw, and `format-unsupported`. */
export function readTensor(reader: ProtobufReader, files: ExternalFiles): NamedTensor {
  const start = reader.position;
  const fields = new TensorFields();
  while (reader.next()) readField(reader, fields);
  const { name } = fields;
  const where = { ...reader.where(start), tensor: name };
  return { name, tensor: located(where, () => new Tensor(tensorInit(fields, files))) };
}

function readField(reader: ProtobufReader, fields: TensorFields): void {
  switch (reader.field) {
    case TENSOR.dims:
      reader.int64s(fields.dims);
      return;
    case TENSOR.dataType:
      fields.code = reader.uint();
      return;
    case TENSOR.name:
      fields.name = reader.string();
      return;
    case TENSOR.docString:
      fields.docString = reader.string();
      return;
    case TENSOR.rawData:
      fields.raw = reader.data(INLINE);
      return;
    case TENSOR.stringData:
      fields.strings.push(reader.bytes());
      return;
    case TENSOR.floatData:
    case TENSOR.doubleData:
    case TENSOR.int32Data:
    case TENSOR.int64Data:
    case TENSOR.uint64Data: {
      const repeated = fields.repeated(reader.field);
      if (reader.wire === WIRE.bytes) repeated.addPacked(reader.data(INLINE));
      else repeated.addSingle(reader.rawNumber());
      return;
    }
    case TENSOR.externalData:
      reader.message((entry) => readEntry(entry, fields.external));
      return;
    case TENSOR.dataLocation:
      fields.location = reader.uint();
      return;
    case TENSOR.metadata:
      reader.message((entry) => readEntry(entry, fields.metadata));
      return;
    case TENSOR.segment:
      throw new HoneError('format-unsupported', 'A tensor is split into segments, which no current exporter does.', {
        where: reader.where(),
      });
    default:
      reader.skip();
  }
}

function tensorInit(fields: TensorFields, files: ExternalFiles): TensorInit {
  const dtype = dtypeFromCode(fields.code);
  if (dtype === null) {
    throw fields.code === 0
      ? new HoneError('graph-invalid', `The tensor ${fields.name} has no element type.`)
      : new HoneError('format-unsupported', `The tensor ${fields.name} has the unknown element type ${fields.code}.`);
  }
  const shape = fields.dims.map(Number);
  const count = elementCount(shape);
  const notes = {
    ...(fields.docString === '' ? {} : { docString: fields.docString }),
    ...(fields.metadata.size === 0 ? {} : { metadata: fields.metadata }),
  };
  if (dtype === 'string') {
    if (fields.location === EXTERNAL) {
      throw new HoneError('graph-invalid', `The string tensor ${fields.name} has external data, which strings cannot.`);
    }
    return { dtype, shape, data: NO_DATA, strings: fields.strings, ...notes };
  }
  return { dtype, shape, data: dataOf(fields, dtype, count, files), ...notes };
}

function dataOf(fields: TensorFields, dtype: DType, count: number, files: ExternalFiles): TensorData {
  if (fields.location === EXTERNAL) return files.data(fields.external, byteLength(dtype, count), fields.name);
  if (fields.raw !== null) return fields.raw;
  const field = typedFieldOf(dtype);
  const values = fields.typed.get(field);
  if (values === undefined || values.isEmpty) return NO_DATA;
  const data = values.data((bytes) => new MemoryData(bytes));
  if (field === TENSOR.floatData || field === TENSOR.doubleData) return data;
  // Sub-byte types stand packed in bytes, one byte a value; everything else has its own width.
  const { bits } = DTYPES[dtype];
  const width = Math.max(1, bits / 8);
  const decoded = new VarintData(data, width, bits < 8 ? byteLength(dtype, count) : count);
  // A value takes at least one byte: a count beyond that is a lie, and not worth the memory it asks for.
  if (decoded.byteLength / width > data.byteLength) {
    throw new HoneError('tensor-size-mismatch', `A tensor of ${count} values holds fewer in its data.`);
  }
  return data.byteLength > DECODE_NOW ? decoded : new MemoryData(decoded.read());
}

function typedFieldOf(dtype: DType): number {
  switch (dtype) {
    case 'float32':
    case 'complex64':
      return TENSOR.floatData;
    case 'float64':
    case 'complex128':
      return TENSOR.doubleData;
    case 'int64':
      return TENSOR.int64Data;
    case 'uint32':
    case 'uint64':
      return TENSOR.uint64Data;
    default:
      return TENSOR.int32Data;
  }
}
