/** A TFLite file as plain objects: what the FlatBuffer says, checked, with weights left in the file. Slots: `schema.ts`. */
import type { DType } from '../../graph/dtype.ts';
import type { TensorData } from '../../graph/tensor.ts';
import { FileData } from '../../graph/tensor-data.ts';
import { FileSource } from '../../lib/bytes.ts';
import { FlatBuffer, type Table } from '../../lib/flatbuffer-reader.ts';
import { HoneError, toHoneError } from '../../protocol/errors.ts';
import { dtypeOfTensorType, FILE_IDENTIFIER, operatorName, slotOf } from './schema.ts';

export interface QuantizationInfo {
  /** One, or one for each index along `axis`. */
  readonly scales: readonly number[];
  readonly zeroPoints: readonly number[];
  readonly axis: number;
  /** Blockwise weights: what they are, since Hone does not read them. */
  readonly details: string | null;
}

export interface TfliteTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** -1 where the size is free; as `shape` when the file does not say. */
  readonly signature: readonly number[];
  /** Content of a constant; null for activations. */
  readonly data: TensorData | null;
  readonly quantization: QuantizationInfo | null;
  readonly isVariable: boolean;
}

export interface TfliteOperator {
  /** `CONV_2D`, or `CUSTOM:FlexErf` for operators that are none of TFLite's own. */
  readonly type: string;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly options: Table | null;
  /** Where in the subgraph it stands, for messages. */
  readonly index: number;
}

export interface TfliteGraph {
  readonly name: string;
  readonly tensors: readonly TfliteTensor[];
  readonly operators: readonly TfliteOperator[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

export interface TfliteFile {
  readonly path: string;
  readonly description: string;
  /** The graph that is the model. */
  readonly main: TfliteGraph;
  /** All, `main` first; the others are bodies and branches of operators. */
  readonly graphs: readonly TfliteGraph[];
}

/** TensorType.RESOURCE. */
const RESOURCE = 13;

const model = (field: string): number => slotOf('Model', field);
const tensorSlot = (field: string): number => slotOf('Tensor', field);
const quantizationSlot = (field: string): number => slotOf('QuantizationParameters', field);

/**
 * Reads the structure, page by page: weights stay in the file, and tensors keep where their bytes are. Throws `file-corrupt`,
 * `file-not-a-model` and `format-unsupported` (another schema version).
 */
export function readTfliteFile(path: string): TfliteFile {
  const length = sizeOf(path);
  const where = { where: { file: path } };
  if (length < 8) throw new HoneError('file-truncated', 'The file ends before its header.', where);
  const buffer = new FlatBuffer({ length, read: (at, count) => new FileData(path, at, count).read() }, path);
  if (buffer.identifier !== FILE_IDENTIFIER)
    throw new HoneError('file-not-a-model', 'The file is no TFLite model.', where);
  const root = buffer.root();
  const version = root.uint32(model('version'));
  if (version !== 3)
    throw new HoneError('format-unsupported', `The file is of TFLite schema ${version}; Hone reads schema 3.`, where);
  const codes = root.tables(model('operator_codes')).map(operatorType);
  const buffers = root.tables(model('buffers'));
  const graphs = root.tables(model('subgraphs')).map((table) => readGraph(table, codes, buffers, path, buffer));
  const [main] = graphs;
  if (main === undefined) throw new HoneError('file-corrupt', 'The file holds no graph.', where);
  return { path, description: root.string(model('description')) ?? '', main, graphs };
}

function sizeOf(path: string): number {
  try {
    const source = new FileSource(path);
    source.close();
    return source.length;
  } catch (thrown) {
    throw toHoneError(thrown);
  }
}

function readGraph(
  graph: Table,
  codes: readonly string[],
  buffers: readonly Table[],
  path: string,
  file: FlatBuffer,
): TfliteGraph {
  const tensors = graph.tables(slotOf('SubGraph', 'tensors')).map((table) => readTensor(table, buffers, path, file));
  const check = (index: number, what: string): number => {
    if (index < -1 || index >= tensors.length)
      throw file.corrupt(`${what} names tensor ${index}; the graph has ${tensors.length}.`, 0);
    return index;
  };
  const operators = graph.tables(slotOf('SubGraph', 'operators')).map((table, index) => {
    const type = codes[table.uint32(slotOf('Operator', 'opcode_index'))];
    if (type === undefined) throw file.corrupt(`Operator ${index} is of a kind that the file does not list.`, 0);
    return {
      type,
      index,
      inputs: table.int32s(slotOf('Operator', 'inputs')).map((input) => check(input, `Operator ${index} (${type})`)),
      outputs: table
        .int32s(slotOf('Operator', 'outputs'))
        .map((output) => check(output, `Operator ${index} (${type})`)),
      options: table.table(slotOf('Operator', 'builtin_options')),
    };
  });
  return {
    name: graph.string(slotOf('SubGraph', 'name')) ?? 'main',
    tensors,
    operators,
    inputs: graph.int32s(slotOf('SubGraph', 'inputs')).map((index) => check(index, 'The graph')),
    outputs: graph.int32s(slotOf('SubGraph', 'outputs')).map((index) => check(index, 'The graph')),
  };
}

/** Files before schema 3a hold the code in one byte; readers take the larger of both. */
function operatorType(table: Table): string {
  const code = Math.max(
    table.int8(slotOf('OperatorCode', 'deprecated_builtin_code')),
    table.int32(slotOf('OperatorCode', 'builtin_code')),
  );
  const name = operatorName(code);
  if (name === 'CUSTOM') return `CUSTOM:${table.string(slotOf('OperatorCode', 'custom_code')) ?? '?'}`;
  return name ?? `UNKNOWN:${code}`;
}

function readTensor(table: Table, buffers: readonly Table[], path: string, file: FlatBuffer): TfliteTensor {
  const name = table.string(tensorSlot('name')) ?? '';
  const code = table.uint8(tensorSlot('type'));
  // The handle of a variable is no value in ONNX; any type will do for it.
  const dtype = code === RESOURCE ? 'int32' : dtypeOfTensorType(code);
  if (dtype === null)
    throw new HoneError('format-unsupported', `The tensor ${name} has a type that Hone does not know (${code}).`, {
      where: { file: path, tensor: name },
    });
  const shape = table.int32s(tensorSlot('shape'));
  if (shape.some((dim) => dim < 0)) throw file.corrupt(`The tensor ${name} has a negative size.`, 0);
  const signature = table.int32s(tensorSlot('shape_signature'));
  const index = table.uint32(tensorSlot('buffer'));
  const buffer = buffers[index];
  if (buffer === undefined)
    throw file.corrupt(`The tensor ${name} names buffer ${index}; the file has ${buffers.length}.`, 0);
  if (table.has(tensorSlot('sparsity'))) {
    throw new HoneError('format-unsupported', `The tensor ${name} is stored sparse, which Hone does not read.`, {
      where: { file: path, tensor: name },
    });
  }
  return {
    name,
    dtype,
    shape,
    signature: signature.length === shape.length ? signature : shape,
    data: readBuffer(buffer, path, file),
    quantization: readQuantization(table.table(tensorSlot('quantization')), name, file),
    isVariable: table.bool(tensorSlot('is_variable')),
  };
}

/** Inside the FlatBuffer, or after it at an offset above 1 (files over 2 GB and all that were written like them). */
function readBuffer(buffer: Table, path: string, file: FlatBuffer): TensorData | null {
  const offset = Number(buffer.int64(slotOf('Buffer', 'offset')));
  if (offset > 1) {
    const size = Number(buffer.int64(slotOf('Buffer', 'size')));
    file.check(offset, size);
    return new FileData(path, offset, size);
  }
  const { length, start } = buffer.vector(slotOf('Buffer', 'data'), 1);
  return length === 0 ? null : new FileData(path, start, length);
}

function readQuantization(table: Table | null, name: string, file: FlatBuffer): QuantizationInfo | null {
  if (table === null) return null;
  const scales = table.float32s(quantizationSlot('scale'));
  const zeroPoints = table.int64s(quantizationSlot('zero_point')).map(Number);
  // The type of a union stands in the slot before its value.
  const hasDetails = table.uint8(quantizationSlot('details') - 1) !== 0;
  if (scales.length === 0 && !hasDetails) return null;
  if (!scales.every((scale) => Number.isFinite(scale) && scale >= 0))
    throw file.corrupt(`The tensor ${name} has a scale that is no number.`, 0);
  return {
    scales,
    zeroPoints: zeroPoints.length === scales.length ? zeroPoints : scales.map(() => zeroPoints[0] ?? 0),
    axis: table.int32(quantizationSlot('quantized_dimension')),
    details: hasDetails ? 'blockwise' : null,
  };
}
