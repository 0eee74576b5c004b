/**
 * What every lowering works with: the types and constants of the source, the tensors that stand for its values, and the builders
 * of `operator-builder.ts`. All shapes here are those of ONNX (channels first); `layout.ts` moves channels last once the whole
 * graph is there.
 *
 * Types. TFLite computes in float32, int32, int64 and bool: half and double floats are float32 here, and 8- and 16-bit
 * integers that are no quantized values are int32. Casts stand at the inputs and outputs of the graph.
 */
import { DTYPES, type DType, elementCount } from '../../../graph/dtype.ts';
import type { Node } from '../../../graph/node.ts';
import type { Tensor } from '../../../graph/tensor.ts';
import { tensorFromNumbers, toNumbers } from '../../../graph/tensor-values.ts';
import type { Value } from '../../../graph/value.ts';
import { realConstant } from '../constants.ts';
import { addSource, type Quantization, type TflTensor } from '../ir.ts';
import type { QuantizationPlan } from '../plan-quantization.ts';
import { MOVES } from '../stored-type.ts';
import { OperatorBuilder } from './operator-builder.ts';
import { internalType, NOT_CONVERTED, Refusal, type StaticType, type WeightPrecision } from './terms.ts';

export class Lowering extends OperatorBuilder {
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
  /** Values of unknown shape that nodes make which were refused. */
  readonly #lost: Set<Value> = new Set();
  #node: Node | null = null;
  /** The integers that the current node moves, where it reads codes and not what they stand for. */
  #moved: TflTensor | null = null;

  constructor(
    typeOf: (value: Value) => StaticType | null,
    plan: QuantizationPlan,
    opset: number,
    precision: WeightPrecision,
  ) {
    super();
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
    this.source = node.label;
    const codes = MOVES.has(node.opType) && node.inputs[0] ? this.#codes.get(node.inputs[0]) : undefined;
    this.#moved = codes?.constant === null ? codes : null;
  }

  /** What the source says of a value. Refuses values without a static shape, and empty ones, which LiteRT does not load. */
  type(value: Value): StaticType {
    const type = this.#typeOf(value);
    if (type === null && this.#lost.has(value)) throw new Refusal(`'${value.name}' ${NOT_CONVERTED}`);
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
    if (index === 0 && this.#moved !== null) return this.#moved;
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
      const plain =
        isUnsigned && codes.dtype === 'int8'
          ? this.add(shifted, 128)
          : !isUnsigned && codes.dtype === 'uint8'
            ? this.sub(shifted, 128)
            : shifted;
      this.#tensors.set(value, plain);
      return plain;
    }
    const quantized = this.#quantized.get(value);
    if (quantized !== undefined) {
      if (quantized.constant !== null && quantized.dtype !== 'int8' && quantized.dtype !== 'uint8') {
        const folded = this.constant('float32', realConstant(quantized), quantized.shape);
        this.#tensors.set(value, folded);
        return folded;
      }
      const real = this.emit('DEQUANTIZE', [quantized], { shape: quantized.shape, dtype: 'float32' });
      this.#name(real, value);
      this.#tensors.set(value, real);
      return real;
    }
    if (this.#typeOf(value)?.shape.includes(0))
      throw new Refusal(`'${value.name}' is empty, and LiteRT loads no empty tensors`);
    if (value.tensor === null) throw new Refusal(`'${value.name}' ${NOT_CONVERTED}`);
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

  /**
   * Takes the outputs of a node that was refused as if they were there, so that what reads them is judged by itself: a report
   * of what cannot be converted names every such node, not the first alone.
   */
  pretend(node: Node): void {
    for (const output of node.outputs) if (output !== null) this.pretendValue(output);
  }

  pretendValue(value: Value): void {
    const type = this.#typeOf(value);
    if (type === null) this.#lost.add(value);
    if (type === null || elementCount(type.shape) === 0) return;
    try {
      const dtype = internalType(type.dtype);
      this.define(value, { name: '', shape: type.shape, dtype, constant: null, quantization: null, signature: null });
    } catch (thrown) {
      // What reads values of such a type is refused for that.
      if (!(thrown instanceof Refusal)) throw thrown;
    }
  }

  /** Says what the node's output `index` is: a real tensor, or the quantized one where the node is quantized. */
  result(node: Node, tensor: TflTensor, index = 0): void {
    const value = this.output(node, index);
    if (this.#moved !== null) {
      this.#name(tensor, value);
      this.#codes.set(value, tensor);
    } else if (this.isQuantized) {
      this.#name(tensor, value);
      this.#quantized.set(value, tensor);
    } else this.define(value, tensor);
  }

  /** Type of output `index` as the graph holds it: with its quantization where the node is quantized. */
  resultType(node: Node, index = 0): { shape: readonly number[]; dtype: DType; quantization?: Quantization } {
    const value = this.output(node, index);
    const { shape, dtype } = this.type(value);
    if (this.#moved?.quantization) return { shape, dtype: this.#moved.dtype, quantization: this.#moved.quantization };
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

  /** For a node that needs no operator of its own: says at those that make its outputs that they are also its. */
  credit(node: Node): void {
    for (const output of node.outputs) {
      if (output === null) continue;
      const tensor = this.#tensors.get(output) ?? this.#quantized.get(output) ?? this.#codes.get(output);
      const maker = tensor && this.makerOf(tensor);
      if (maker) addSource(maker, node.label);
    }
  }
}
