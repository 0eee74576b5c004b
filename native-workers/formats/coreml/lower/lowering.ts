/**
 * What every lowering works with: the types of the source and the MIL values that stand for its values. Everything is lowered in float32; `float16.ts` changes the precision of the whole program afterwards. int64 and
 * smaller integers are int32 here, since ML Programs have no others that all operators take.
 */
import { type DType, isFloat } from '../../../graph/dtype.ts';
import type { Node } from '../../../graph/node.ts';
import type { Tensor } from '../../../graph/tensor.ts';
import { toNumbers } from '../../../graph/tensor-values.ts';
import type { Value } from '../../../graph/value.ts';
import { HoneError } from '../../../protocol/errors.ts';
import { constantFromTensor } from '../constants.ts';
import type { Names } from '../names.ts';
import { type MilDim, type MilType, MilValue } from '../program.ts';
import { type MilDType, MOST_DIMENSIONS } from '../schema.ts';
import { type Inputs, OperationBuilder } from './operation-builder.ts';
import { Refusal } from './terms.ts';

export interface SourceType {
  readonly dtype: DType;
  readonly shape: readonly MilDim[];
}

export interface LoweringOptions {
  /** Number of the iOS version, 15 to 26. */
  readonly target: number;
  readonly weights: 'none' | 'int8' | 'int4' | 'palette4' | 'palette6' | 'palette8';
  /** Version of ONNX's operator set in the source. */
  readonly opset: number;
}

export function internalDType(dtype: DType): MilDType {
  if (isFloat(dtype)) return 'fp32';
  if (dtype === 'bool') return 'bool';
  if (dtype === 'string' || dtype === 'complex64' || dtype === 'complex128') {
    throw new Refusal(`Core ML has no tensors of ${dtype}`);
  }
  return 'int32';
}

export class Lowering extends OperationBuilder {
  readonly target: number;
  readonly options: LoweringOptions;
  readonly opset: number;
  /** What the conversion did that a reader of the report should know. */
  readonly notes: Set<string> = new Set();
  /** Number of the iOS version from which on weights that are floats here stay small; null when there are none. */
  smallerFrom: number | null = null;
  readonly #typeOf: (value: Value) => SourceType | null;
  readonly #values = new Map<Value, MilValue>();
  readonly #taken = new Set<MilValue>();
  readonly #numbers = new Map<MilValue, MilValue>();

  constructor(typeOf: (value: Value) => SourceType | null, names: Names, options: LoweringOptions) {
    super(names);
    this.#typeOf = typeOf;
    this.options = options;
    this.target = options.target;
    this.opset = options.opset;
  }

  begin(node: Node): void {
    this.hint = node.outputs.find((output) => output !== null)?.name ?? node.opType;
    this.label = node.label;
    this.isPrecise = false;
  }

  note(text: string): void {
    this.notes.add(text);
  }

  require(target: number, what: string): void {
    if (this.target < target)
      throw new Refusal(`iOS ${target} brought ${what}, and the target is iOS ${this.target}: choose iOS ${target}`);
  }

  /** What is known of a value of the source. */
  type(value: Value): SourceType {
    const type = this.#typeOf(value);
    if (type === null) throw new Refusal(`the number of dimensions of '${value.name}' is not known`);
    if (type.shape.length > MOST_DIMENSIONS) {
      throw new Refusal(
        `'${value.name}' has ${type.shape.length} dimensions, and Core ML has at most ${MOST_DIMENSIONS}`,
      );
    }
    if (type.shape.includes(0)) throw new Refusal(`'${value.name}' is empty, and Core ML has no empty tensors`);
    return type;
  }

  /** Core ML has no empty tensors, so that what is empty is left out where it may be. */
  isEmpty(value: Value): boolean {
    return this.#typeOf(value)?.shape.includes(0) === true;
  }

  shape(value: Value): readonly MilDim[] {
    return this.type(value).shape;
  }

  rank(value: Value): number {
    return this.shape(value).length;
  }

  milType(value: Value): MilType {
    const { dtype, shape } = this.type(value);
    return { dtype: internalDType(dtype), shape };
  }

  input(node: Node, index: number): Value {
    const value = node.inputs[index];
    if (value === null || value === undefined) throw new Refusal(`input ${index} is missing`);
    return value;
  }

  output(node: Node, index = 0): Value {
    const value = node.outputs[index];
    if (value === null || value === undefined) throw new Refusal(`output ${index} is missing`);
    return value;
  }

  tensor(node: Node, index: number): Tensor | null {
    return node.inputs[index]?.tensor ?? null;
  }

  /** The values of a constant input; null when it is computed or left out. */
  numbers(node: Node, index: number): number[] | null {
    const tensor = this.tensor(node, index);
    return tensor === null ? null : toNumbers(tensor);
  }

  /** As `numbers`, for operands that Core ML must know when the model is written. */
  fixed(node: Node, index: number, what: string): number[] {
    const numbers = this.numbers(node, index);
    if (numbers === null) throw new Refusal(`${what} must be constant for Core ML, and is computed`);
    return numbers;
  }

  /** An axis counted from the front. */
  axis(axis: number, rank: number): number {
    return axis < 0 ? axis + rank : axis;
  }

  /** The MIL value of an input; codes of int8 and uint8 as int32, on which all operators compute. */
  get(node: Node, index: number): MilValue {
    const value = this.codes(node, index);
    if (value.type.dtype !== 'int8' && value.type.dtype !== 'uint8') return value;
    const known = this.#numbers.get(value);
    if (known !== undefined) return known;
    const numbers = this.cast(value, 'int32');
    this.#numbers.set(value, numbers);
    return numbers;
  }

  /** As `get`, with codes as they are: for operators that only move elements, and for `dequantize`. */
  codes(node: Node, index: number): MilValue {
    return this.value(this.input(node, index));
  }

  value(value: Value): MilValue {
    const known = this.#values.get(value);
    if (known !== undefined) return known;
    if (value.tensor === null) throw new Refusal(`'${value.name}' is made by an operator that is not converted`);
    this.type(value);
    const made = this.constant(constantFromTensor(value.tensor), value.name);
    this.#values.set(value, made);
    return made;
  }

  isLowered(value: Value): boolean {
    return this.#values.has(value);
  }

  set(value: Value, made: MilValue): void {
    this.#taken.add(made);
    this.#values.set(value, made);
  }

  /** The value of a constant; refuses what is computed. */
  fixedValue(value: Value, what: string): MilValue {
    const made = this.value(value);
    const isConstant = made.constant !== null || value.producer?.opType === 'DequantizeLinear';
    if (!isConstant) throw new Refusal(`${what} must be constant for Core ML, and is computed`);
    return made;
  }

  firstNumber(tensor: Tensor): number {
    return toNumbers(tensor)[0] ?? 0;
  }

  /** The operation that makes an output of the node, named after it. Codes that are moved stay codes. */
  out(node: Node, type: string, inputs: Inputs, index = 0): MilValue {
    const value = this.output(node, index);
    const declared = this.milType(value);
    const { x } = inputs;
    const moved = x instanceof MilValue && (x.type.dtype === 'int8' || x.type.dtype === 'uint8') ? x.type.dtype : null;
    const made = new MilValue(this.names.unique(value.name), moved === null ? declared : { ...declared, dtype: moved });
    this.operation(type, inputs, [made]);
    this.set(value, made);
    return made;
  }

  /**
   * Makes a value an output of the node. What the node's last operation made takes the output's name and shape; any other
   * value stands for the output as it is.
   */
  result(node: Node, made: MilValue, index = 0): void {
    const value = this.output(node, index);
    const type = this.milType(value);
    const finished = this.cast(made, type.dtype);
    if (!agree(finished.type.shape, type.shape)) {
      const shapes = [finished.type.shape, type.shape].map((shape) => `[${shape.join(', ')}]`);
      throw new HoneError('internal', `${node.label} came out as ${shapes[0]} where ${shapes[1]} was expected.`, {
        where: { node: node.label },
      });
    }
    const isOwn = this.operations.at(-1)?.outputs.includes(finished) === true && !this.#taken.has(finished);
    if (isOwn) {
      finished.name = this.names.unique(value.name);
      finished.type = type;
      this.#taken.add(finished);
    }
    this.set(value, finished);
  }

  /** A value for an output of the node, for operations with several. */
  declare(value: Value): MilValue {
    const made = new MilValue(this.names.unique(value.name), this.milType(value));
    this.set(value, made);
    return made;
  }
}

export type Lower = (node: Node, lowering: Lowering) => void;

/** Whether two shapes may be the same where both are known. */
function agree(a: readonly MilDim[], b: readonly MilDim[]): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === null || b[axis] === null || dim === b[axis]);
}
