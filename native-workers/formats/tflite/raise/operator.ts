/** What raising one operator to ONNX is, and what the operators' files share. */
import { floatAttribute, intAttribute } from '../../../graph/attribute.ts';
import type { Value } from '../../../graph/value.ts';
import type { TfliteOperator } from '../file.ts';
import { slotOf, type TableName } from '../schema.ts';
import type { GraphBuilder, Layout } from './builder.ts';

/** Adds the ONNX nodes of one operator and defines its outputs. Throws `operator-unsupported` with the reason. */
export type Raise = (operator: TfliteOperator, builder: GraphBuilder) => void;

/** Codes of `ActivationFunctionType`. */
const RELU = 1;
const RELU_N1_TO_1 = 2;
const RELU6 = 3;
const TANH = 4;

/** The activation that TFLite fuses into an operator, as its own node: ONNX Runtime fuses it back. */
export function activate(value: Value, code: number, operator: TfliteOperator, builder: GraphBuilder): Value {
  if (code === 0) return value;
  if (code === RELU) return builder.op('Relu', [value]);
  if (code === RELU_N1_TO_1) return builder.op('Clip', [value, builder.float(-1), builder.float(1)]);
  if (code === RELU6) return builder.op('Clip', [value, builder.float(0), builder.float(6)]);
  if (code === TANH) return builder.op('Tanh', [value]);
  throw builder.unsupported(operator, `its fused activation ${code} has no ONNX operator.`);
}

/** Options of an operator by name; what the file leaves out has the schema's default. */
export class Options {
  readonly #operator: TfliteOperator;
  readonly #table: TableName;

  constructor(operator: TfliteOperator, table: TableName) {
    this.#operator = operator;
    this.#table = table;
  }

  int(field: string, fallback = 0): number {
    return this.#operator.options?.int32(slotOf(this.#table, field), fallback) ?? fallback;
  }

  /** Enums and other bytes. */
  byte(field: string, fallback = 0): number {
    return this.#operator.options?.int8(slotOf(this.#table, field), fallback) ?? fallback;
  }

  bool(field: string, fallback = false): boolean {
    return this.#operator.options?.bool(slotOf(this.#table, field), fallback) ?? fallback;
  }

  float(field: string, fallback = 0): number {
    return this.#operator.options?.float32(slotOf(this.#table, field), fallback) ?? fallback;
  }

  ints(field: string): number[] {
    return this.#operator.options?.int32s(slotOf(this.#table, field)) ?? [];
  }
}

/** An input that must be there. */
export function input(operator: TfliteOperator, position: number, builder: GraphBuilder): number {
  const index = operator.inputs[position];
  if (index === undefined || index < 0) throw builder.unsupported(operator, `input ${position} is missing.`);
  return index;
}

export function output(operator: TfliteOperator, builder: GraphBuilder, position = 0): number {
  const index = operator.outputs[position];
  if (index === undefined || index < 0) throw builder.unsupported(operator, `output ${position} is missing.`);
  return index;
}

export function rankOf(index: number, builder: GraphBuilder): number {
  return builder.tensor(index).shape.length;
}

/**
 * The layout in which an elementwise operator works: NCHW when an input of rank 4 stands so already and the others can follow
 * (rank 4 themselves, or constants), so that no transpose is needed around it.
 */
export function sharedLayout(indexes: readonly number[], builder: GraphBuilder): Layout {
  const variable = indexes.filter((index) => !builder.isConstant(index));
  const all4 = indexes.every(
    (index) => rankOf(index, builder) === 4 || (builder.isConstant(index) && rankOf(index, builder) <= 1),
  );
  return all4 && variable.some((index) => builder.isNchw(index)) ? 'nchw' : 'file';
}

/**
 * A value in `layout`: a constant of rank 0 or 1 becomes one that broadcasts over the channels. `scale`: in place of the
 * file's, for quantized tensors.
 */
export function inLayout(index: number, layout: Layout, builder: GraphBuilder, scale: number | null = null): Value {
  const rank = rankOf(index, builder);
  const as = scale === null ? {} : { scales: [scale] };
  if (layout === 'nchw' && rank === 1 && builder.isConstant(index)) {
    return builder.constant(index, null, [builder.tensor(index).shape[0] ?? 1, 1, 1], as);
  }
  return builder.value(index, rank === 4 ? layout : 'file', as);
}

/** Where an axis of the file's layout stands in `layout`. */
export function axisIn(axis: number, rank: number, layout: Layout): number {
  const positive = axis < 0 ? axis + rank : axis;
  return layout === 'nchw' ? ([0, 2, 3, 1][positive] ?? positive) : positive;
}

export const ints = (value: number) => intAttribute(value);
export const real = (value: number) => floatAttribute(value);
