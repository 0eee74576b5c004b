/** A fused operator of ONNX Runtime while it is written out: its operands with what is known of them, and a builder beside it. */
import type { DType } from './dtype.ts';
import type { Model } from './model.ts';
import type { Node } from './node.ts';
import { NodeBuilder } from './node-builder.ts';
import { tensorFromNumbers } from './tensor-values.ts';
import type { Dim, ValueType } from './types.ts';
import type { Value } from './value.ts';

/** The outputs of the node in order, null for those that nothing reads; or null where this form of it is not written out. */
export type Expansion = readonly (Value | null)[] | null;
export type Expand = (fused: FusedNode) => Expansion;

export class FusedNode {
  readonly node: Node;
  readonly build: NodeBuilder;
  readonly opset: number;
  readonly #types: ReadonlyMap<Value, ValueType>;

  constructor(model: Model, node: Node, types: ReadonlyMap<Value, ValueType>) {
    this.node = node;
    this.build = new NodeBuilder(model, node.label);
    this.opset = model.opset;
    this.#types = types;
  }

  /** An operand; null where it is left out, or empty (as a cache without a past is). */
  input(index: number): Value | null {
    const value = this.node.inputs[index] ?? null;
    return value === null || this.shape(value)?.includes(0) === true ? null : value;
  }

  /** An operand that the operator cannot do without. */
  operand(index: number): Value {
    const value = this.node.inputs[index];
    // The engine checked the model before: this is a mistake of the caller.
    if (!value) throw new RangeError(`${this.node.label} has no input ${index}.`);
    return value;
  }

  has(...indices: readonly number[]): boolean {
    return indices.some((index) => this.input(index) !== null);
  }

  /** Whether something reads an output. */
  gives(index: number): boolean {
    const output = this.node.outputs[index] ?? null;
    return output !== null && (output.consumers.size > 0 || this.node.graph?.outputs.includes(output) === true);
  }

  /** null where the rank is not known. */
  shape(value: Value | null | undefined): readonly Dim[] | null {
    if (!value) return null;
    if (value.tensor !== null) return value.tensor.shape;
    const type = this.#types.get(value) ?? value.type;
    return type?.kind === 'tensor' ? type.shape : null;
  }

  /** A size of an operand, counted from the end when negative; null where it is open. */
  size(index: number, axis: number): number | null {
    const dim = this.shape(this.node.inputs[index])?.at(axis);
    return typeof dim === 'number' ? dim : null;
  }

  rank(index: number): number | null {
    return this.shape(this.node.inputs[index])?.length ?? null;
  }

  /** Of the operand that the operator computes with. */
  get dtype(): DType {
    const x = this.operand(0);
    const type = this.#types.get(x) ?? x.type;
    return type?.kind === 'tensor' && type.dtype !== null ? type.dtype : 'float32';
  }

  /** A number of the type that the operator computes with. */
  number(value: number): Value {
    return this.build.number(this.dtype, value);
  }

  constant(values: readonly number[], shape: readonly number[], dtype: DType = this.dtype): Value {
    return this.build.constant(tensorFromNumbers(dtype, values, shape), 'constant');
  }

  binary(opType: string, a: Value, b: Value): Value {
    return this.build.add(opType, [a, b], opType.toLowerCase());
  }

  /** `x` plus an operand that may be left out. */
  plus(x: Value, index: number): Value {
    const bias = this.input(index);
    return bias === null ? x : this.binary('Add', x, bias);
  }
}
