/** Small builders for constants and operations of MIL, which every lowering composes. */

import { bytesConstant, numbersConstant } from '../constants.ts';
import { broadcast } from '../known-shapes.ts';
import type { Names } from '../names.ts';
import {
  type MilArgument,
  type MilConstant,
  type MilOperation,
  type MilType,
  MilValue,
  stringConstant,
} from '../program.ts';
import { type MilDType, MOST_DIMENSIONS } from '../schema.ts';
import { Refusal } from './terms.ts';

export type Inputs = Readonly<Record<string, MilArgument | readonly MilArgument[] | null | undefined>>;

export class OperationBuilder {
  readonly operations: MilOperation[] = [];
  readonly names: Names;
  /** What names of constants and inner values begin with. */
  protected hint = '';
  /** Label of the node that operations are made for. */
  protected label = '';
  protected isPrecise = false;

  constructor(names: Names) {
    this.names = names;
  }

  /** Operations of this node from here on stay in float32: their numbers are integers that float16 does not hold. */
  precise(): void {
    this.isPrecise = true;
  }

  constant(constant: MilConstant, hint: string): MilValue {
    return new MilValue(this.names.unique(hint), constant.type, constant);
  }

  reshapedInts(values: readonly number[], shape: readonly number[]): MilValue {
    return this.constant(numbersConstant('int32', values, shape), `${this.hint}_indices`);
  }

  /** A value for an output that nothing reads. */
  spare(type: MilType): MilValue {
    return new MilValue(this.names.unique(`${this.hint}_spare`), type);
  }

  ints(values: readonly number[], hint = 'ints'): MilValue {
    return this.constant(numbersConstant('int32', values, [values.length]), `${this.hint}_${hint}`);
  }

  int(value: number, hint = 'int'): MilValue {
    return this.constant(numbersConstant('int32', [value], []), `${this.hint}_${hint}`);
  }

  float(value: number, hint = 'float'): MilValue {
    return this.constant(numbersConstant('fp32', [value], []), `${this.hint}_${hint}`);
  }

  /** A scalar of the same type as another value. */
  scalarLike(like: MilValue, value: number): MilValue {
    const dtype = like.type.dtype === 'int32' ? 'int32' : like.type.dtype === 'bool' ? 'bool' : 'fp32';
    return this.constant(numbersConstant(dtype, [value], []), `${this.hint}_scalar`);
  }

  floats(values: ArrayLike<number>, shape: readonly number[], hint = 'floats'): MilValue {
    return this.constant(numbersConstant('fp32', values, shape), `${this.hint}_${hint}`);
  }

  bool(value: boolean, hint = 'flag'): MilValue {
    return this.constant(bytesConstant('bool', Uint8Array.of(value ? 1 : 0), []), `${this.hint}_${hint}`);
  }

  bools(values: readonly boolean[], hint = 'flags'): MilValue {
    return this.constant(
      bytesConstant('bool', Uint8Array.from(values, Number), [values.length]),
      `${this.hint}_${hint}`,
    );
  }

  text(text: string, hint = 'mode'): MilValue {
    return this.constant(stringConstant(text), `${this.hint}_${hint}`);
  }

  /** An operation with several outputs of the given types. */
  operation(type: string, inputs: Inputs, outputs: readonly MilValue[]): void {
    const given = new Map<string, readonly MilArgument[]>();
    for (const [name, argument] of Object.entries(inputs)) {
      if (argument === null || argument === undefined) continue;
      given.set(name, Array.isArray(argument) ? (argument as readonly MilArgument[]) : [argument as MilArgument]);
    }
    const precise = this.isPrecise ? { precise: true } : {};
    this.operations.push({ type, inputs: given, outputs, source: this.label, ...precise });
  }

  /** An operation with one output, in the middle of a lowering. */
  op(type: string, inputs: Inputs, output: MilType): MilValue {
    if (output.shape.length > MOST_DIMENSIONS) {
      throw new Refusal(
        `it takes a tensor of ${output.shape.length} dimensions, and Core ML has at most ${MOST_DIMENSIONS}`,
      );
    }
    const made = new MilValue(this.names.unique(`${this.hint}_${type}`), output);
    this.operation(type, inputs, [made]);
    return made;
  }

  cast(value: MilValue, dtype: MilDType): MilValue {
    if (value.type.dtype === dtype) return value;
    // Any value other than 0 is true; a cast to bool would truncate first.
    if (dtype === 'bool') {
      return this.op(
        'not_equal',
        { x: value, y: this.scalarLike(value, 0) },
        { dtype: 'bool', shape: value.type.shape },
      );
    }
    return this.op('cast', { x: value, dtype: this.text(dtype, 'dtype') }, { dtype, shape: value.type.shape });
  }

  binary(type: string, x: MilValue, y: MilValue): MilValue {
    return this.op(type, { x, y }, { dtype: x.type.dtype, shape: broadcast(x.type.shape, y.type.shape) });
  }

  unary(type: string, x: MilValue): MilValue {
    return this.op(type, { x }, x.type);
  }

  /** One size may be -1. */
  reshape(x: MilValue, given: readonly number[]): MilValue {
    const count = x.type.shape.reduce<number | null>(
      (all, dim) => (all === null || dim === null ? null : all * dim),
      1,
    );
    const others = given.reduce((all, dim) => (dim < 0 ? all : all * dim), 1);
    const shape = count === null ? given : given.map((dim) => (dim < 0 ? count / others : dim));
    return this.op(
      'reshape',
      { x, shape: this.ints(shape, 'shape') },
      { dtype: x.type.dtype, shape: shape.map((dim) => (dim < 0 ? null : dim)) },
    );
  }

  transpose(x: MilValue, perm: readonly number[]): MilValue {
    const shape = perm.map((axis) => x.type.shape[axis] ?? null);
    return this.op('transpose', { x, perm: this.ints(perm, 'perm') }, { dtype: x.type.dtype, shape });
  }
}
