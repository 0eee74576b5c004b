/**
 * What the way back from MIL to ONNX works with. It is written from MIL's definition alone and shares no table with `lower/`, so
 * that a mistake there shows as a difference.
 */
import {
  type Attribute,
  floatAttribute,
  intAttribute,
  intsAttribute,
  stringAttribute,
  stringsAttribute,
} from '../../../graph/attribute.ts';
import type { DType } from '../../../graph/dtype.ts';
import { Graph } from '../../../graph/graph.ts';
import { Tensor } from '../../../graph/tensor.ts';
import { tensorFromInt64, tensorFromNumbers } from '../../../graph/tensor-values.ts';
import { tensorType } from '../../../graph/types.ts';
import type { Value } from '../../../graph/value.ts';
import { HoneError } from '../../../protocol/errors.ts';
import { numbersOf } from '../constants.ts';
import {
  isValue,
  type MilArgument,
  type MilConstant,
  type MilOperation,
  type MilType,
  type MilValue,
} from '../program.ts';
import type { MilDType } from '../schema.ts';

const DTYPES: Partial<Record<MilDType, DType>> = {
  bool: 'bool',
  fp16: 'float16',
  fp32: 'float32',
  int8: 'int8',
  int16: 'int16',
  int32: 'int32',
  uint8: 'uint8',
  uint16: 'uint16',
  int4: 'int4',
  uint4: 'uint4',
};

export function onnxDType(dtype: MilDType): DType {
  const found = DTYPES[dtype];
  if (found === undefined)
    throw new HoneError('format-unsupported', `There are no ONNX values of MIL's type ${dtype}.`);
  return found;
}

export type AttributeValue = number | { readonly float: number } | readonly number[] | readonly string[] | string;

function isTexts(value: readonly number[] | readonly string[]): value is readonly string[] {
  return typeof value[0] === 'string';
}

function attributeOf(value: AttributeValue): Attribute {
  if (typeof value === 'number') return intAttribute(value);
  if (typeof value === 'string') return stringAttribute(value);
  if ('float' in value) return floatAttribute(value.float);
  return isTexts(value) ? stringsAttribute(value) : intsAttribute(value);
}

export class Raising {
  readonly graph = new Graph('main');
  readonly #values = new Map<MilArgument, Value>();

  input(value: MilValue): void {
    this.#values.set(value, this.graph.addInput(value.name, tensorType(onnxDType(value.type.dtype), value.type.shape)));
  }

  /** The ONNX value of an operand. */
  value(argument: MilArgument): Value {
    const known = this.#values.get(argument);
    if (known !== undefined) return known;
    const constant = isValue(argument) ? argument.constant : argument;
    if (constant === null)
      throw new HoneError('internal', `The value ${isValue(argument) ? argument.name : ''} is not made yet.`);
    const hint = isValue(argument) ? argument.name : 'immediate';
    const tensor = new Tensor({
      dtype: onnxDType(constant.type.dtype),
      shape: sizes(constant.type),
      data: constant.data,
    });
    const made = this.graph.addInitializer(this.graph.uniqueName(hint), tensor);
    this.#values.set(argument, made);
    return made;
  }

  bind(value: MilValue, made: Value): void {
    this.#values.set(value, made);
  }

  node(
    opType: string,
    inputs: readonly (Value | null)[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
    outputs = 1,
  ): Value[] {
    const made = Array.from({ length: outputs }, () => this.graph.createValue(`v_${opType}`));
    this.graph.addNode({
      opType,
      inputs,
      outputs: made,
      attributes: Object.entries(attributes).map(([name, value]) => [name, attributeOf(value)] as const),
    });
    return made;
  }

  one(
    opType: string,
    inputs: readonly (Value | null)[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
  ): Value {
    return this.node(opType, inputs, attributes)[0] as Value;
  }

  int64s(values: readonly number[]): Value {
    return this.graph.addInitializer(this.graph.uniqueName('numbers'), tensorFromInt64(values, [values.length]));
  }

  scalar(dtype: DType, value: number): Value {
    return this.graph.addInitializer(this.graph.uniqueName('scalar'), tensorFromNumbers(dtype, [value], []));
  }

  tensor(tensor: Tensor): Value {
    return this.graph.addInitializer(this.graph.uniqueName('tensor'), tensor);
  }

  cast(value: Value, dtype: DType): Value {
    const codes: Partial<Record<DType, number>> = {
      float32: 1,
      uint8: 2,
      int8: 3,
      uint16: 4,
      int16: 5,
      int32: 6,
      int64: 7,
      bool: 9,
      float16: 10,
    };
    return this.one('Cast', [value], { to: codes[dtype] ?? 1 });
  }
}

/** One operation with its operands and parameters, while it is raised. */
export class Call {
  readonly raising: Raising;
  readonly operation: MilOperation;

  constructor(raising: Raising, operation: MilOperation) {
    this.raising = raising;
    this.operation = operation;
  }

  has(name: string): boolean {
    return this.operation.inputs.has(name);
  }

  argument(name: string): MilArgument {
    const found = this.operation.inputs.get(name)?.[0];
    if (found === undefined)
      throw new HoneError('file-corrupt', `The operation ${this.operation.type} lacks its ${name}.`);
    return found;
  }

  type(name: string): MilType {
    return this.argument(name).type;
  }

  rank(name: string): number {
    return this.type(name).shape.length;
  }

  x(name = 'x'): Value {
    return this.raising.value(this.argument(name));
  }

  optional(name: string): Value | null {
    return this.has(name) ? this.x(name) : null;
  }

  all(name: string): Value[] {
    return (this.operation.inputs.get(name) ?? []).map((each) => this.raising.value(each));
  }

  constant(name: string): MilConstant | null {
    const argument = this.operation.inputs.get(name)?.[0];
    if (argument === undefined) return null;
    return isValue(argument) ? argument.constant : argument;
  }

  numbers(name: string, fallback: readonly number[] | null = null): number[] {
    const constant = this.constant(name);
    if (constant !== null) return numbersOf(constant);
    if (fallback !== null && !this.has(name)) return [...fallback];
    throw new HoneError('format-unsupported', `The parameter ${name} of ${this.operation.type} is not constant.`);
  }

  number(name: string, fallback: number | null = null): number {
    return this.numbers(name, fallback === null ? null : [fallback])[0] ?? 0;
  }

  flag(name: string, fallback = false): boolean {
    return this.number(name, fallback ? 1 : 0) !== 0;
  }

  text(name: string, fallback: string): string {
    const constant = this.constant(name);
    return constant === null ? fallback : (constant.strings?.[0] ?? '');
  }

  /** Type of an output as the program declares it. */
  output(index = 0): MilType {
    const value = this.operation.outputs[index];
    if (value === undefined) throw new HoneError('file-corrupt', `The operation ${this.operation.type} has no output.`);
    return value.type;
  }

  /** A shape operand, which ONNX wants as int64. */
  shape(name: string): Value {
    const constant = this.constant(name);
    return constant === null ? this.raising.cast(this.x(name), 'int64') : this.raising.int64s(numbersOf(constant));
  }
}

/** Gives the outputs of the operation in order. */
export type Raise = (call: Call) => Value | readonly Value[];

export function sizes(type: MilType): number[] {
  return type.shape.map((dim) => {
    if (dim === null) throw new HoneError('format-unsupported', 'A constant of the program has an open shape.');
    return dim;
  });
}

/** ONNX's operator on operands of these names, x unless others are given. */
export const same =
  (opType: string, ...names: string[]): Raise =>
  (call) =>
    call.raising.one(
      opType,
      (names.length > 0 ? names : ['x']).map((name) => call.x(name)),
    );

export const two = (opType: string): Raise => same(opType, 'x', 'y');

/** A scalar of the operand's own type. */
export const like = (call: Call, value: number, name = 'x'): Value =>
  call.raising.scalar(onnxDType(call.type(name).dtype), value);
