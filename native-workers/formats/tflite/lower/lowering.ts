/**
 * What every lowering works with: the types and constants of the source, the tensors that stand for its values, and small
 * builders for TFLite operators. All shapes here are those of ONNX (channels first); `layout.ts` moves channels last once the
 * whole graph is there.
 *
 * Types. TFLite computes in float32, int32, int64 and bool: half and double floats are float32 here, and 8- and 16-bit
 * integers that are no quantized values are int32. Casts stand at the inputs and outputs of the graph.
 */
import { DTYPES, type DType, elementCount, isFloat } from '../../../graph/dtype.ts';
import { permutedTensor } from '../../../graph/late-tensor.ts';
import type { Node } from '../../../graph/node.ts';
import type { Tensor } from '../../../graph/tensor.ts';
import { tensorFromNumbers, toNumbers } from '../../../graph/tensor-values.ts';
import type { Value } from '../../../graph/value.ts';
import { realConstant } from '../constants.ts';
import { addSource, type Options, type Quantization, type TflOperator, type TflTensor } from '../ir.ts';
import type { QuantizationPlan } from '../plan-quantization.ts';
import type { BuiltinOperator } from '../schema.ts';
import { DTYPE_CODES } from '../schema.ts';
import { broadcast, internalType, Refusal, type StaticType, type WeightPrecision } from './terms.ts';

export class Lowering {
  readonly operators: TflOperator[] = [];
  readonly plan: QuantizationPlan;
  readonly opset: number;
  readonly precision: WeightPrecision;
  readonly #typeOf: (value: Value) => StaticType | null;
  readonly #tensors = new Map<Value, TflTensor>();
  /** The quantized form of values: what DequantizeLinear reads. */
  readonly #quantized = new Map<Value, TflTensor>();
  /** Integer values that a quantized tensor holds: what QuantizeLinear makes. */
  readonly #codes = new Map<Value, TflTensor>();
  /** Tensors that are outputs of the graph already. */
  readonly taken: Set<TflTensor> = new Set();
  readonly #makers = new Map<TflTensor, TflOperator>();
  #node: Node | null = null;

  constructor(
    typeOf: (value: Value) => StaticType | null,
    plan: QuantizationPlan,
    opset: number,
    precision: WeightPrecision,
  ) {
    this.#typeOf = typeOf;
    this.plan = plan;
    this.opset = opset;
    this.precision = precision;
  }

  /** Whether the node that is being lowered works on quantized tensors. */
  get isQuantized(): boolean {
    return this.#node !== null && this.plan.nodes.has(this.#node);
  }

  begin(node: Node): void {
    this.#node = node;
  }

  /** What the source says of a value. Refuses values without a static shape, and empty ones, which LiteRT does not load. */
  type(value: Value): StaticType {
    const type = this.#typeOf(value);
    if (type === null) throw new Refusal(`the shape of '${value.name}' depends on data`);
    return type;
  }

  input(node: Node, index: number): Value {
    const value = node.inputs[index];
    if (value === null || value === undefined) throw new Refusal(`input ${index} is missing`);
    return value;
  }

  /** Input `index` if the node has it. */
  optional(node: Node, index: number): Value | null {
    return node.inputs[index] ?? null;
  }

  output(node: Node, index = 0): Value {
    const value = node.outputs[index];
    if (value === null || value === undefined) throw new Refusal(`output ${index} is missing`);
    return value;
  }

  shape(value: Value): readonly number[] {
    return this.type(value).shape;
  }

  dtype(value: Value): DType {
    return this.type(value).dtype;
  }

  /** The values of a constant; null for what is computed. */
  numbers(value: Value | null): number[] | null {
    return value?.tensor ? toNumbers(value.tensor) : null;
  }

  /** As `numbers`, for operands that TFLite must know when it is written. */
  fixed(value: Value, what: string): number[] {
    const numbers = this.numbers(value);
    if (numbers === null) throw new Refusal(`${what} is computed, and TFLite needs it as a constant`);
    return numbers;
  }

  /** The tensor of a value, in the form that the current node works on. */
  read(node: Node, index: number): TflTensor {
    const value = this.input(node, index);
    return this.isQuantized ? this.quantizedTensor(value) : this.tensor(value);
  }

  /** The tensor of a value as real numbers, dequantized where it only exists quantized. */
  tensor(value: Value): TflTensor {
    const known = this.#tensors.get(value);
    if (known !== undefined) return known;
    const codes = this.#codes.get(value);
    if (codes !== undefined && codes.constant === null) {
      const shifted = this.cast(codes, 'int32');
      const isUnsigned = DTYPES[this.dtype(value)].kind === 'unsigned';
      const plain = isUnsigned && codes.dtype === 'int8' ? this.add(shifted, 128) : shifted;
      this.#tensors.set(value, plain);
      return plain;
    }
    const quantized = this.#quantized.get(value);
    if (quantized !== undefined) {
      if (quantized.constant !== null && quantized.dtype !== 'int8') {
        const folded = this.constant('float32', realConstant(quantized), quantized.shape);
        this.#tensors.set(value, folded);
        return folded;
      }
      const real = this.emit('DEQUANTIZE', [quantized], { shape: quantized.shape, dtype: 'float32' });
      this.#name(real, value);
      this.#tensors.set(value, real);
      return real;
    }
    if (value.tensor === null) throw new Refusal(`'${value.name}' is made by an operator that is not converted`);
    if (value.tensor.size === 0) throw new Refusal(`'${value.name}' is empty, and LiteRT loads no empty tensors`);
    const tensor = this.constantTensor(value.name, value.tensor);
    this.#tensors.set(value, tensor);
    return tensor;
  }

  quantizedTensor(value: Value): TflTensor {
    const tensor = this.#quantized.get(value);
    if (tensor === undefined) throw new Refusal(`'${value.name}' has no quantized form`);
    return tensor;
  }

  findQuantized(value: Value): TflTensor | null {
    return this.#quantized.get(value) ?? null;
  }

  setQuantized(value: Value, tensor: TflTensor): void {
    this.#quantized.set(value, tensor);
  }

  findCodes(value: Value): TflTensor | null {
    return this.#codes.get(value) ?? null;
  }

  /** Says which quantized tensor holds the integers of a value. */
  setCodes(value: Value, tensor: TflTensor): void {
    this.#codes.set(value, tensor);
  }

  /** Says which tensor a value is. */
  define(value: Value, tensor: TflTensor): void {
    this.#name(tensor, value);
    this.#tensors.set(value, tensor);
  }

  /** Says what the node's output `index` is: a real tensor, or the quantized one where the node is quantized. */
  result(node: Node, tensor: TflTensor, index = 0): void {
    const value = this.output(node, index);
    if (this.isQuantized) {
      this.#name(tensor, value);
      this.#quantized.set(value, tensor);
    } else this.define(value, tensor);
  }

  /** Type of output `index` as the graph holds it: with its quantization where the node is quantized. */
  resultType(node: Node, index = 0): { shape: readonly number[]; dtype: DType; quantization?: Quantization } {
    const value = this.output(node, index);
    const { shape, dtype } = this.type(value);
    const stored = this.isQuantized ? this.plan.outputs.get(value) : undefined;
    if (stored === undefined) return { shape, dtype: internalType(dtype) };
    return { shape, dtype: stored.dtype, quantization: stored.quantization };
  }

  #name(tensor: TflTensor, value: Value): void {
    if (tensor.constant === null && tensor.name === '') tensor.name = value.name;
  }

  constantTensor(name: string, tensor: Tensor): TflTensor {
    const dtype = internalType(tensor.dtype);
    const constant = tensor.dtype === dtype ? tensor : tensorFromNumbers(dtype, toNumbers(tensor), tensor.shape);
    return { name, shape: tensor.shape, dtype, constant, quantization: null, signature: null };
  }

  constant(dtype: DType, values: ArrayLike<number>, shape: readonly number[]): TflTensor {
    const constant = tensorFromNumbers(dtype, values, shape);
    return { name: '', shape, dtype, constant, quantization: null, signature: null };
  }

  int32(values: readonly number[]): TflTensor {
    return this.constant('int32', values, [values.length]);
  }

  scalar(value: number, dtype: DType = 'float32'): TflTensor {
    return this.constant(dtype, [value], []);
  }

  emit(
    code: BuiltinOperator,
    inputs: (TflTensor | null)[],
    output: { shape: readonly number[]; dtype: DType; quantization?: Quantization | null },
    options: Options = {},
  ): TflTensor {
    return this.emitAll(code, inputs, [output], options)[0] as TflTensor;
  }

  emitAll(
    code: BuiltinOperator,
    inputs: (TflTensor | null)[],
    types: readonly { shape: readonly number[]; dtype: DType; quantization?: Quantization | null }[],
    options: Options = {},
  ): TflTensor[] {
    for (const { shape } of types) {
      if (elementCount(shape) === 0) throw new Refusal('a value is empty, and LiteRT loads no empty tensors');
    }
    const outputs = types.map(({ shape, dtype, quantization }) => ({
      name: '',
      shape,
      dtype,
      constant: null,
      quantization: quantization ?? null,
      signature: null,
    }));
    const operator = { code, inputs, outputs, options, source: this.#node?.label ?? '' };
    this.operators.push(operator);
    for (const output of outputs) this.#makers.set(output, operator);
    return outputs;
  }

  /** For a node that needs no operator of its own: says at those that make its outputs that they are also its. */
  credit(node: Node): void {
    for (const output of node.outputs) {
      if (output === null) continue;
      const tensor = this.#tensors.get(output) ?? this.#quantized.get(output) ?? this.#codes.get(output);
      const maker = tensor && this.#makers.get(tensor);
      if (maker) addSource(maker, node.label);
    }
  }

  /** One input, one output of the same type. */
  unary(code: BuiltinOperator, x: TflTensor, options: Options = {}): TflTensor {
    return this.emit(code, [x], { shape: x.shape, dtype: x.dtype }, options);
  }

  binary(code: BuiltinOperator, a: TflTensor, b: TflTensor | number, dtype?: DType): TflTensor {
    const other = typeof b === 'number' ? this.scalar(b, a.dtype) : b;
    return this.emit(code, [a, other], { shape: broadcast(a.shape, other.shape), dtype: dtype ?? a.dtype });
  }

  add(a: TflTensor, b: TflTensor | number): TflTensor {
    return this.binary('ADD', a, b);
  }

  sub(a: TflTensor, b: TflTensor | number): TflTensor {
    return this.binary('SUB', a, b);
  }

  mul(a: TflTensor, b: TflTensor | number): TflTensor {
    return this.binary('MUL', a, b);
  }

  div(a: TflTensor, b: TflTensor | number): TflTensor {
    return this.binary('DIV', a, b);
  }

  select(condition: TflTensor, yes: TflTensor, no: TflTensor): TflTensor {
    const shape = broadcast(condition.shape, broadcast(yes.shape, no.shape));
    return this.emit('SELECT_V2', [condition, yes, no], { shape, dtype: yes.dtype });
  }

  cast(x: TflTensor, dtype: DType): TflTensor {
    if (x.dtype === dtype) return x;
    if (x.constant !== null && x.quantization === null && !isFloat(x.dtype)) {
      return this.constant(dtype, toNumbers(x.constant), x.shape);
    }
    const options = { in_data_type: DTYPE_CODES[x.dtype] ?? 0, out_data_type: DTYPE_CODES[dtype] ?? 0 };
    return this.emit('CAST', [x], { shape: x.shape, dtype }, options);
  }

  reshape(x: TflTensor, shape: readonly number[]): TflTensor {
    if (x.shape.join() === shape.join()) return x;
    if (x.constant !== null && x.quantization === null) {
      return { ...x, shape, constant: x.constant.reshaped(shape) };
    }
    const output = { shape, dtype: x.dtype, quantization: x.quantization };
    return this.emit('RESHAPE', [x, this.int32(shape)], output, { new_shape: shape });
  }

  /** As `reshape`, for a weight: a constant keeps its scales, whose axis stays where it is. */
  reshapeWeights(x: TflTensor, shape: readonly number[]): TflTensor {
    if (x.constant === null) return this.reshape(x, shape);
    return { ...x, shape, constant: x.constant.reshaped(shape) };
  }

  /** Output dimension i is input dimension `perm[i]`. */
  transpose(x: TflTensor, perm: readonly number[]): TflTensor {
    if (perm.every((axis, index) => axis === index)) return x;
    const shape = perm.map((axis) => x.shape[axis] ?? 1);
    if (x.constant !== null && (x.quantization === null || x.quantization.scales.length === 1)) {
      return { ...x, shape, constant: permutedTensor(x.constant, perm) };
    }
    return this.emit('TRANSPOSE', [x, this.int32(perm)], { shape, dtype: x.dtype, quantization: x.quantization });
  }

  /** Sums, means, extremes over axes, which keep their place with size 1. */
  reduce(code: BuiltinOperator, x: TflTensor, axes: readonly number[]): TflTensor {
    if (axes.length === 0) return x;
    const shape = x.shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
    const output = { shape, dtype: x.dtype, quantization: x.quantization };
    return this.emit(code, [x, this.int32([...axes])], output, { keep_dims: true });
  }

  slice(x: TflTensor, begin: readonly number[], size: readonly number[]): TflTensor {
    if (begin.every((at) => at === 0) && size.join() === x.shape.join()) return x;
    const output = { shape: size, dtype: x.dtype, quantization: x.quantization };
    return this.emit('SLICE', [x, this.int32([...begin]), this.int32([...size])], output);
  }

  concat(parts: readonly TflTensor[], axis: number): TflTensor {
    const [first] = parts;
    if (first === undefined) throw new Refusal('there is nothing to concatenate');
    if (parts.length === 1) return first;
    const shape = first.shape.map((dim, index) =>
      index === axis ? parts.reduce((sum, part) => sum + (part.shape[axis] ?? 0), 0) : dim,
    );
    const output = { shape, dtype: first.dtype, quantization: first.quantization };
    return this.emit('CONCATENATION', [...parts], output, { axis });
  }

  gather(x: TflTensor, indices: TflTensor, axis: number): TflTensor {
    const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
    return this.emit('GATHER', [x, indices], { shape, dtype: x.dtype, quantization: x.quantization }, { axis });
  }

  matmul(a: TflTensor, b: TflTensor, options: { adjX?: boolean; adjY?: boolean } = {}): TflTensor {
    const { adjX = false, adjY = false } = options;
    const rank = Math.max(a.shape.length, b.shape.length);
    const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
    const rows = a.shape.at(adjX ? -1 : -2) ?? 1;
    const columns = b.shape.at(adjY ? -2 : -1) ?? 1;
    if (rank > 5) throw new Refusal('BATCH_MATMUL takes at most 5 dimensions');
    return this.emit(
      'BATCH_MATMUL',
      [a, b],
      { shape: [...batch, rows, columns], dtype: a.dtype },
      { adj_x: adjX, adj_y: adjY },
    );
  }

  clamp(x: TflTensor, low: number, high: number): TflTensor {
    let y = x;
    if (low > Number.NEGATIVE_INFINITY) y = this.binary('MAXIMUM', y, low);
    if (high < Number.POSITIVE_INFINITY) y = this.binary('MINIMUM', y, high);
    return y;
  }
}
