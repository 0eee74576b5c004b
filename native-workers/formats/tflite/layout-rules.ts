/**
 * How each operator class works when its tensors have their channels last: which operators can, and what changes in their
 * operands. An operator that is not here keeps the order of ONNX.
 */

import { permutedTensor } from '../../graph/late-tensor.ts';
import { tensorFromBytes, toNumbers } from '../../graph/tensor-values.ts';
import type { TflOperator, TflTensor } from './ir.ts';
import { channelsLast } from './lower/window.ts';

/** Which inputs of an operator are data whose dimensions are those of the output; null for all. */
const ELEMENTWISE: ReadonlySet<string> = new Set([
  'ADD',
  'SUB',
  'MUL',
  'DIV',
  'MAXIMUM',
  'MINIMUM',
  'POW',
  'SQUARED_DIFFERENCE',
  'FLOOR_DIV',
  'FLOOR_MOD',
  'ATAN2',
  'EQUAL',
  'NOT_EQUAL',
  'GREATER',
  'GREATER_EQUAL',
  'LESS',
  'LESS_EQUAL',
  'LOGICAL_AND',
  'LOGICAL_OR',
  'SELECT_V2',
  'LOGICAL_NOT',
  'ABS',
  'NEG',
  'SIGN',
  'FLOOR',
  'CEIL',
  'ROUND',
  'SQRT',
  'RSQRT',
  'SQUARE',
  'EXP',
  'LOG',
  'SIN',
  'COS',
  'TANH',
  'LOGISTIC',
  'RELU',
  'RELU6',
  'RELU_N1_TO_1',
  'ELU',
  'LEAKY_RELU',
  'HARD_SWISH',
  'GELU',
  'CAST',
  'QUANTIZE',
  'DEQUANTIZE',
]);
const REDUCING: ReadonlySet<string> = new Set([
  'MEAN',
  'SUM',
  'REDUCE_PROD',
  'REDUCE_MAX',
  'REDUCE_MIN',
  'REDUCE_ANY',
  'REDUCE_ALL',
]);
/** Operators with one number for each dimension of the first input in these operands. */
const PER_DIMENSION: ReadonlyMap<string, readonly number[]> = new Map([
  ['PAD', [1]],
  ['PADV2', [1]],
  ['MIRROR_PAD', [1]],
  ['SLICE', [1, 2]],
  ['STRIDED_SLICE', [1, 2, 3]],
  ['TILE', [1]],
  ['BROADCAST_TO', [1]],
]);
/** Ranks that have a layout with channels last. */
const RANKS: ReadonlySet<number> = new Set([3, 4, 5]);

export function hasLayouts(tensor: TflTensor): boolean {
  return RANKS.has(tensor.shape.length);
}

/** The data inputs of an operator that can work with channels last; null when it cannot. */
export function movableInputs(operator: TflOperator): TflTensor[] | null {
  const { code, inputs, outputs } = operator;
  const [output] = outputs;
  if (output === undefined || !hasLayouts(output)) return null;
  const rank = output.shape.length;
  const [x] = inputs;
  if (!x) return null;
  if (ELEMENTWISE.has(code)) {
    const data = inputs.filter((input): input is TflTensor => input !== null);
    const fits = data.every((input) => input.constant !== null || input.shape.length === rank || elements(input) === 1);
    const plain = data.every((input) => input.quantization === null || input.quantization.scales.length === 1);
    return fits && plain ? data.filter((input) => input.constant === null && input.shape.length === rank) : null;
  }
  if (x.shape.length !== rank || x.constant !== null) return null;
  if (code === 'CONCATENATION') {
    const data = inputs.filter((input): input is TflTensor => input !== null && input.constant === null);
    return data.every((input) => input.shape.length === rank) ? data : null;
  }
  if (REDUCING.has(code)) return operator.options['keep_dims'] === true && isConstant(inputs[1]) ? [x] : null;
  const operands = PER_DIMENSION.get(code);
  if (operands !== undefined)
    return operands.every((index) => isConstant(inputs[index])) && !operator.options['end_mask'] ? [x] : null;
  if (code === 'GATHER') return inputs[1]?.shape.length === 1 ? [x] : null;
  if (code === 'CUMSUM') return isConstant(inputs[1]) ? [x] : null;
  return null;
}

/** Rewrites the operands of an operator whose data inputs and output now have their channels last. */
export function moveOperands(operator: TflOperator): void {
  const { code, inputs, outputs } = operator;
  const rank = outputs[0]?.shape.length ?? 0;
  const perm = channelsLast(rank);
  const place = (axis: number): number => perm.indexOf(axis < 0 ? axis + rank : axis);
  if (ELEMENTWISE.has(code) || code === 'CONCATENATION') {
    operator.inputs = inputs.map((input) => (input?.constant ? movedConstant(input, perm) : input));
    if (code === 'CONCATENATION')
      operator.options = { ...operator.options, axis: place(Number(operator.options['axis'] ?? 0)) };
    return;
  }
  if (REDUCING.has(code) || code === 'CUMSUM') {
    operator.inputs = inputs.map((input, index) => (index === 1 && input ? mapped(input, place) : input));
    return;
  }
  if (code === 'GATHER') {
    operator.options = { ...operator.options, axis: place(Number(operator.options['axis'] ?? 0)) };
    return;
  }
  const operands = PER_DIMENSION.get(code) ?? [];
  operator.inputs = inputs.map((input, index) => (input && operands.includes(index) ? reordered(input, perm) : input));
}

function isConstant(tensor: TflTensor | null | undefined): boolean {
  return tensor?.constant != null;
}

function elements({ shape }: TflTensor): number {
  return shape.reduce((all, dim) => all * dim, 1);
}

/** A constant that broadcasts against the output: raised to its rank, in its order. */
function movedConstant(tensor: TflTensor, perm: readonly number[]): TflTensor {
  if (elements(tensor) === 1 && tensor.shape.length <= 1) return tensor;
  const shape = [...new Array<number>(perm.length - tensor.shape.length).fill(1), ...tensor.shape];
  const raised = tensor.constant?.reshaped(shape);
  if (raised === undefined) return tensor;
  const constant = permutedTensor(raised, perm);
  return { ...tensor, shape: constant.shape, constant };
}

/** Rows of numbers, one for each dimension, in the new order. */
function reordered(tensor: TflTensor, perm: readonly number[]): TflTensor {
  const { constant } = tensor;
  if (constant === null) return tensor;
  const values = toNumbers(constant);
  const width = values.length / perm.length;
  const moved = perm.flatMap((axis) => values.slice(axis * width, (axis + 1) * width));
  return withInts(tensor, moved);
}

function mapped(tensor: TflTensor, change: (value: number) => number): TflTensor {
  return tensor.constant === null ? tensor : withInts(tensor, toNumbers(tensor.constant).map(change));
}

function withInts(tensor: TflTensor, values: readonly number[]): TflTensor {
  const bytes = new Uint8Array(Int32Array.from(values).buffer);
  return { ...tensor, name: '', constant: tensorFromBytes('int32', tensor.shape, bytes) };
}
