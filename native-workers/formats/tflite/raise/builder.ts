/**
 * Builds the ONNX graph of a TFLite file. Pictures stand as NHWC in TFLite and as NCHW in ONNX: each tensor of rank 4 can have
 * both forms, made from each other when asked, so that a transpose stands only where a layout is really changed. A quantized
 * activation is its float value followed by QuantizeLinear and DequantizeLinear, which ONNX Runtime fuses back.
 */
import { type Attribute, intAttribute, intsAttribute } from '../../../graph/attribute.ts';
import { type DType, elementCount } from '../../../graph/dtype.ts';
import { Graph } from '../../../graph/graph.ts';
import { Tensor, type TensorData } from '../../../graph/tensor.ts';
import { MemoryData } from '../../../graph/tensor-data.ts';
import { type Dim, tensorType } from '../../../graph/types.ts';
import type { Value } from '../../../graph/value.ts';
import { HoneError } from '../../../protocol/errors.ts';
import type { QuantizationInfo, TfliteFile, TfliteOperator, TfliteTensor } from '../file.ts';
import { permuted } from './permute.ts';

export type Layout = 'file' | 'nchw';

/** NHWC to NCHW, and back. */
export const TO_NCHW = [0, 3, 1, 2];
export const TO_NHWC = [0, 2, 3, 1];

export class GraphBuilder {
  readonly graph: Graph;
  readonly file: TfliteFile;
  /** The float (or plain integer) value of each tensor, by layout. */
  readonly #forms: Map<number, Map<Layout, Value>> = new Map();
  readonly #names: Set<string> = new Set();

  constructor(file: TfliteFile) {
    this.file = file;
    this.graph = new Graph(file.name);
  }

  tensor(index: number): TfliteTensor {
    const tensor = this.file.tensors[index];
    if (tensor === undefined)
      throw new HoneError('file-corrupt', `There is no tensor ${index}.`, { where: { file: this.file.path } });
    return tensor;
  }

  /** Whether the tensor can be had as NCHW without a new transpose. */
  isNchw(index: number): boolean {
    return this.#forms.get(index)?.has('nchw') ?? false;
  }

  isConstant(index: number): boolean {
    return this.tensor(index).data !== null;
  }

  /** The value of a tensor to compute with: constants dequantized, in the layout asked for (rank 4 only). */
  value(index: number, layout: Layout = 'file'): Value {
    const forms = this.#forms.get(index) ?? new Map<Layout, Value>();
    this.#forms.set(index, forms);
    const known = forms.get(layout);
    if (known !== undefined) return known;
    const tensor = this.tensor(index);
    let made: Value;
    if (tensor.data !== null) {
      made = this.constant(index, layout === 'nchw' ? TO_NCHW : null);
    } else {
      const other = forms.get(layout === 'nchw' ? 'file' : 'nchw');
      if (other === undefined)
        throw new HoneError('file-corrupt', `The tensor ${tensor.name} is read before anything makes it.`, {
          where: { file: this.file.path, tensor: tensor.name },
        });
      made = this.transpose(other, layout === 'nchw' ? TO_NCHW : TO_NHWC);
    }
    forms.set(layout, made);
    return made;
  }

  /** Sets what an operator made; quantized activations get their Q/DQ pair here. Graph outputs are named at the end. */
  define(index: number, raw: Value, layout: Layout = 'file'): void {
    const tensor = this.tensor(index);
    const value = tensor.quantization !== null && isInteger(tensor.dtype) ? this.requantize(raw, tensor, layout) : raw;
    value.type = tensorType(tensor.quantization === null ? tensor.dtype : 'float32', dimsOf(tensor, layout));
    if (value.name.startsWith('~')) value.name = this.unique(this.#hint(index));
    this.#forms.set(index, new Map([[layout, value]]));
  }

  /** The name of a tensor is kept for the graph's own output, which may be another value: its codes. */
  #hint(index: number): string {
    const { name } = this.tensor(index);
    return this.file.outputs.includes(index) ? `${name}_value` : name;
  }

  /** A graph input: integer codes are dequantized at once. */
  defineInput(index: number): void {
    const tensor = this.tensor(index);
    const input = this.graph.addInput(this.unique(tensor.name), tensorType(tensor.dtype, dimsOf(tensor, 'file')));
    const value =
      tensor.quantization !== null && isInteger(tensor.dtype)
        ? this.dequantize(input, tensor.quantization, tensor.dtype, tensor.name)
        : input;
    this.#forms.set(index, new Map([['file', value]]));
  }

  /** A graph output: integer codes where the file has them. */
  defineOutput(index: number): void {
    const tensor = this.tensor(index);
    let value = this.value(index);
    const producer = value.producer;
    if (producer?.opType === 'DequantizeLinear' && isInteger(tensor.dtype)) value = producer.inputs[0] ?? value;
    if (value.isConstant || this.graph.inputs.includes(value) || this.graph.outputs.includes(value))
      value = this.op('Identity', [value]);
    value.name = this.unique(tensor.name);
    value.type = tensorType(tensor.dtype, dimsOf(tensor, 'file'));
    this.graph.outputs.push(value);
  }

  op(
    opType: string,
    inputs: readonly (Value | null)[],
    attributes: Record<string, Attribute> = {},
    domain = '',
  ): Value {
    const output = this.graph.createValue(`~${opType}`);
    this.graph.addNode({ opType, domain, inputs, outputs: [output], attributes: Object.entries(attributes) });
    return output;
  }

  /** A node of several outputs. */
  ops(
    opType: string,
    inputs: readonly (Value | null)[],
    count: number,
    attributes: Record<string, Attribute> = {},
  ): Value[] {
    const outputs = Array.from({ length: count }, () => this.graph.createValue(`~${opType}`));
    this.graph.addNode({ opType, inputs, outputs, attributes: Object.entries(attributes) });
    return outputs;
  }

  transpose(value: Value, perm: readonly number[]): Value {
    return this.op('Transpose', [value], { perm: intsAttribute(perm) });
  }

  /** A constant of the file, dequantized where it is quantized; axes permuted by `perm`, then seen as `shape`. */
  constant(index: number, perm: readonly number[] | null, shape: readonly number[] | null = null): Value {
    const tensor = this.tensor(index);
    const moved = this.storedConstant(tensor, perm, shape);
    if (tensor.quantization === null || !isInteger(tensor.dtype)) return moved;
    if (tensor.quantization.details !== null) {
      throw new HoneError(
        'format-unsupported',
        `The tensor ${tensor.name} is quantized ${tensor.quantization.details}, which Hone does not read.`,
        { where: { file: this.file.path, tensor: tensor.name } },
      );
    }
    const axis = perm === null ? tensor.quantization.axis : perm.indexOf(tensor.quantization.axis);
    return this.dequantize(moved, { ...tensor.quantization, axis }, tensor.dtype, tensor.name);
  }

  /** The content of a constant as numbers: shapes, axes, paddings. Throws `operator-unsupported` when it is computed. */
  numbers(index: number): number[] {
    const { data, dtype, name } = this.tensor(index);
    if (data === null)
      throw new HoneError('operator-unsupported', `${name} is computed; Hone needs it as a constant.`, {
        where: { file: this.file.path, tensor: name },
      });
    const bytes = data.read().slice();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (dtype === 'int32') return Array.from({ length: bytes.length / 4 }, (_, at) => view.getInt32(at * 4, true));
    if (dtype === 'int64')
      return Array.from({ length: bytes.length / 8 }, (_, at) => Number(view.getBigInt64(at * 8, true)));
    if (dtype === 'float32') return Array.from({ length: bytes.length / 4 }, (_, at) => view.getFloat32(at * 4, true));
    return Array.from(bytes, (byte) => (dtype === 'int8' ? (byte << 24) >> 24 : byte));
  }

  int64s(values: readonly number[], shape: readonly number[] = [values.length]): Value {
    return this.#initializer('int64', shape, BigInt64Array.from(values, BigInt));
  }

  float(value: number): Value {
    return this.#initializer('float32', [], Float32Array.of(value));
  }

  floats(values: readonly number[], shape: readonly number[]): Value {
    return this.#initializer('float32', shape, Float32Array.from(values));
  }

  scalar(value: number, dtype: DType): Value {
    if (dtype === 'int32') return this.#initializer('int32', [], Int32Array.of(value));
    if (dtype === 'int64') return this.#initializer('int64', [], BigInt64Array.of(BigInt(value)));
    return this.float(value);
  }

  /** The bias of a quantized layer: int32 at scale input x weight, as the kernels add it (TFLite quantization spec). */
  bias(index: number, input: QuantizationInfo | null, weight: QuantizationInfo | null): Value {
    const tensor = this.tensor(index);
    if (tensor.dtype !== 'int32' && tensor.dtype !== 'int64') return this.value(index);
    const inputScale = input?.scales[0] ?? 1;
    const scales =
      weight === null
        ? (tensor.quantization?.scales ?? [1])
        : weight.scales.map((scale) => Math.fround(inputScale * scale));
    const codes =
      tensor.dtype === 'int32'
        ? this.storedConstant(tensor, null, null)
        : this.#initializer('int32', tensor.shape, Int32Array.from(this.numbers(index)));
    return this.dequantize(
      codes,
      { scales, zeroPoints: scales.map(() => 0), axis: 0, details: null },
      'int32',
      tensor.name,
    );
  }

  unique(hint: string): string {
    const base = hint === '' ? 'value' : hint;
    let name = base;
    for (let number = 1; this.#names.has(name); number++) name = `${base}_${number}`;
    this.#names.add(name);
    return name;
  }

  unsupported(operator: TfliteOperator, reason: string): HoneError {
    return new HoneError('operator-unsupported', `Operator ${operator.index} (${operator.type}): ${reason}`, {
      where: { file: this.file.path, node: `${operator.index}` },
    });
  }

  storedConstant(tensor: TfliteTensor, perm: readonly number[] | null, shape: readonly number[] | null): Value {
    if (tensor.data === null)
      throw new HoneError('file-corrupt', `The tensor ${tensor.name} has no content.`, {
        where: { file: this.file.path, tensor: tensor.name },
      });
    const dims = perm === null ? tensor.shape : perm.map((axis) => tensor.shape[axis] ?? 1);
    const data: TensorData = perm === null ? tensor.data : permuted(tensor.data, tensor.dtype, tensor.shape, perm);
    const target = shape ?? dims;
    if (elementCount(target) !== elementCount(tensor.shape))
      throw new HoneError('file-corrupt', `The tensor ${tensor.name} does not fit its use.`, {
        where: { file: this.file.path, tensor: tensor.name },
      });
    return this.graph.addInitializer(
      this.unique(tensor.name),
      new Tensor({ dtype: tensor.dtype, shape: target, data }),
    );
  }

  requantize(value: Value, { quantization, dtype, name }: TfliteTensor, layout: Layout): Value {
    if (quantization === null) return value;
    const axis = layout === 'nchw' ? TO_NCHW.indexOf(quantization.axis) : quantization.axis;
    const parameters = this.#parameters({ ...quantization, axis }, dtype);
    const codes = this.op('QuantizeLinear', [value, ...parameters.inputs], parameters.attributes);
    codes.name = this.unique(`${name}_quantized`);
    return this.op('DequantizeLinear', [codes, ...parameters.inputs], parameters.attributes);
  }

  dequantize(codes: Value, quantization: QuantizationInfo, dtype: DType, name: string): Value {
    const { inputs, attributes } = this.#parameters(quantization, dtype);
    const value = this.op('DequantizeLinear', [codes, ...inputs], attributes);
    value.name = this.unique(`${name}_dequantized`);
    return value;
  }

  #parameters(
    { scales, zeroPoints, axis }: QuantizationInfo,
    dtype: DType,
  ): { inputs: Value[]; attributes: Record<string, Attribute> } {
    const perAxis = scales.length > 1;
    const shape = perAxis ? [scales.length] : [];
    const scale = this.#initializer('float32', shape, Float32Array.from(scales));
    const zero = this.#initializer(dtype, shape, codesOf(dtype, zeroPoints));
    return { inputs: [scale, zero], attributes: perAxis ? { axis: intAttribute(axis) } : {} };
  }

  #initializer(dtype: DType, shape: readonly number[], content: ArrayBufferView): Value {
    const bytes = new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
    return this.graph.addInitializer(
      this.unique('constant'),
      new Tensor({ dtype, shape, data: new MemoryData(bytes) }),
    );
  }
}

function codesOf(dtype: DType, values: readonly number[]): ArrayBufferView {
  if (dtype === 'int32') return Int32Array.from(values);
  if (dtype === 'int16') return Int16Array.from(values);
  if (dtype === 'uint8') return Uint8Array.from(values);
  if (dtype === 'int4') {
    const bytes = new Uint8Array(Math.ceil(values.length / 2));
    values.forEach((value, index) => {
      bytes[index >> 1] = (bytes[index >> 1] ?? 0) | ((value & 15) << (index % 2 === 0 ? 0 : 4));
    });
    return bytes;
  }
  return Int8Array.from(values);
}

/** Types whose quantized tensors hold codes. */
export function isInteger(dtype: DType): boolean {
  return dtype === 'int8' || dtype === 'uint8' || dtype === 'int16' || dtype === 'int32' || dtype === 'int4';
}

function dimsOf(tensor: TfliteTensor, layout: Layout): Dim[] {
  const dims = tensor.signature.map(
    (dim, axis): Dim => (dim >= 0 ? dim : axis === 0 ? 'batch' : `${tensor.name}_${axis}`),
  );
  return layout === 'nchw' ? TO_NCHW.map((axis) => dims[axis] ?? null) : dims;
}
