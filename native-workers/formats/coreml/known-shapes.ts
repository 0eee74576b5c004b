/**
 * What follows at once from shapes that are known in part: the engine leaves out the sizes of a reshape whose operand is computed,
 * and of everything behind it, until that operand is folded. These rules carry sizes on while folding goes through the graph, so
 * that one round does for a model of any depth. A size they cannot tell is null.
 */
import { DTYPES } from '../../graph/dtype.ts';
import type { Node } from '../../graph/node.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { tensorFromInt64, toNumbers } from '../../graph/tensor-values.ts';
import { type Dim, tensorType, type ValueType } from '../../graph/types.ts';
import type { Value } from '../../graph/value.ts';

const SAME: ReadonlySet<string> = new Set(
  (
    'Cast Identity Relu Sigmoid Tanh Erf Sqrt Neg Exp Softmax LayerNormalization RMSNormalization Gelu Clip Dropout ' +
    'RotaryEmbedding Reciprocal Abs HardSwish Swish Softplus Sin Cos'
  ).split(' '),
);
const BROADCAST: ReadonlySet<string> = new Set(
  'Add Sub Mul Div Pow Where Max Min Equal Less Greater LessOrEqual GreaterOrEqual And Or'.split(' '),
);
/** Shapes and sizes are short vectors. */
const MOST = 64;
const INT64 = DTYPES.int64.code;

const isKnown = (dim: Dim | undefined): boolean => dim !== null && dim !== undefined;

function shapeOf(value: Value | null | undefined): readonly Dim[] | null {
  if (!value) return null;
  if (value.tensor !== null) return value.tensor.shape;
  return value.type?.kind === 'tensor' ? value.type.shape : null;
}

/** The shape that two shapes broadcast to. */
export function broadcast<D extends Dim>(a: readonly D[], b: readonly D[]): (D | 1 | null)[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, index) => {
    const x = index - rank + a.length >= 0 ? (a[index - rank + a.length] ?? null) : 1;
    const y = index - rank + b.length >= 0 ? (b[index - rank + b.length] ?? null) : 1;
    if (x === 1) return y;
    if (y === 1 || x === y) return x;
    // A number other than 1 is what the other must be, or become.
    if (typeof x === 'number') return x;
    return typeof y === 'number' ? y : null;
  });
}

/** The shape of the first output, as far as its inputs tell. */
function inferred(node: Node): readonly Dim[] | null {
  const [x, y] = [shapeOf(node.inputs[0]), shapeOf(node.inputs[1])];
  if (node.domain !== '' || x === null) return null;
  const { opType } = node;
  if (SAME.has(opType)) return x;
  if (BROADCAST.has(opType)) {
    const shapes = node.inputs.map((input) => shapeOf(input));
    return shapes.some((shape) => shape === null)
      ? null
      : shapes.reduce<readonly Dim[]>((all, shape) => broadcast(all, shape ?? []), []);
  }
  if (opType === 'Transpose')
    return (node.ints('perm') ?? x.map((_, axis) => axis).reverse()).map((axis) => x[axis] ?? null);
  if (opType === 'MatMul' && y !== null && x.length > 1 && y.length > 1) {
    return [...broadcast(x.slice(0, -2), y.slice(0, -2)), x.at(-2) ?? null, y.at(-1) ?? null];
  }
  if (opType === 'Reshape') return reshaped(node, x);
  if (opType === 'Unsqueeze' && node.inputs[1]?.tensor) {
    const axes = toNumbers(node.inputs[1].tensor);
    const rank = x.length + axes.length;
    const places = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
    let next = 0;
    return Array.from({ length: rank }, (_, axis) => (places.has(axis) ? 1 : (x[next++] ?? null)));
  }
  return null;
}

function reshaped(node: Node, x: readonly Dim[]): readonly Dim[] | null {
  const operand = node.inputs[1]?.tensor;
  if (!operand || node.int('allowzero', 0) !== 0) return null;
  return resolved(
    x,
    toNumbers(operand).map((size, axis): Dim => (size === 0 ? (x[axis] ?? null) : size)),
  );
}

/** Sizes of a reshape of `x` with its -1 worked out; null for a size that cannot be told. */
function resolved(x: readonly Dim[], given: readonly Dim[]): Dim[] {
  const sizes = [...given];
  const open = sizes.indexOf(-1);
  if (open < 0) return sizes;
  // The one open size is what the rest of the elements make: numbers only, or the one symbol that both have.
  const others = sizes.filter((_, axis) => axis !== open);
  const count = (dims: readonly Dim[]): number =>
    dims.reduce<number>((product, dim) => product * (typeof dim === 'number' ? dim : 1), 1);
  const symbols = (dims: readonly Dim[]): Dim[] => dims.filter((dim) => typeof dim !== 'number');
  const [before, after] = [symbols(x), symbols(others)];
  const rest = count(x) / count(others);
  if (before.length === 0 && after.length === 0 && Number.isInteger(rest)) sizes[open] = rest;
  else if (before.length === 1 && after.length === 0 && rest === 1) sizes[open] = before[0] ?? null;
  else if (
    before.length === 1 &&
    after.length === 1 &&
    before[0] !== null &&
    before[0] === after[0] &&
    Number.isInteger(rest)
  )
    sizes[open] = rest;
  else sizes[open] = null;
  return sizes;
}

/** The elements of a vector of sizes: numbers, the symbol of a size of some value, or null. */
function elementsOf(value: Value): readonly Dim[] | null {
  if (value.tensor !== null) return value.tensor.size <= MOST ? toNumbers(value.tensor) : null;
  const maker = value.producer;
  if (maker?.is('Concat')) {
    const parts = maker.inputs.map((part) => (part === null ? null : elementsOf(part)));
    return parts.some((part) => part === null) ? null : parts.flatMap((part) => part ?? []);
  }
  if (maker?.is('Unsqueeze') && maker.inputs[0]) {
    const one = sizeOf(maker.inputs[0]);
    if (one !== null) return [one];
  }
  const shape = shapeOf(value);
  const [length] = shape ?? [];
  return shape?.length === 1 && typeof length === 'number' && length <= MOST ? Array<null>(length).fill(null) : null;
}

/** Whether a node gives all sizes of a value: a part of them may be asked for. */
export function isWholeShape(node: Node): boolean {
  return node.is('Shape') && node.int('start', 0) === 0 && !node.attributes.has('end');
}

/** The size that a scalar was picked from a shape as. */
function sizeOf(value: Value): Dim {
  const index = value.producer?.is('Gather') ? value.producer.inputs[1]?.tensor : null;
  const source = value.producer?.inputs[0]?.producer;
  if (index?.size !== 1 || !source || !isWholeShape(source)) return null;
  return shapeOf(source.inputs[0])?.at(toNumbers(index)[0] ?? 0) ?? null;
}

/**
 * The operand of a reshape as a constant, when all its elements but one are known: -1 stands for that one. So a sequence of any
 * length takes no arithmetic on shapes. null when it is constant already, or more is open.
 */
export function reshapeOperand(node: Node): Tensor | null {
  const operand = node.inputs[1];
  const x = shapeOf(node.inputs[0]);
  if (!operand || operand.tensor !== null || x === null) return null;
  const elements = elementsOf(operand);
  if (elements === null || elements.includes(0)) return null;
  const sizes = resolved(x, elements);
  if (sizes.filter((size) => typeof size !== 'number').length > 1) return null;
  return tensorFromInt64(
    sizes.map((size) => (typeof size === 'number' ? size : -1)),
    [sizes.length],
  );
}

/** Gives the first output of a node the sizes that its inputs tell and the engine did not. */
export function learnShape(node: Node): void {
  const [output] = node.outputs;
  if (!output || output.type?.kind === 'sequence' || output.type?.kind === 'optional') return;
  const known = shapeOf(output);
  if (known?.every(isKnown)) return;
  const found = inferred(node);
  const dtype = output.type?.kind === 'tensor' ? output.type.dtype : null;
  if (found === null || dtype === null) return;
  const shape = known === null ? found : known.map((dim, axis) => dim ?? found[axis] ?? null);
  if (known !== null && known.length !== found.length) return;
  output.type = tensorType(dtype, shape);
}

/** A type with the sizes that only another one of the same value has. */
export function merged(type: ValueType, other: ValueType | null): ValueType {
  if (type.kind !== 'tensor' || other?.kind !== 'tensor' || other.shape === null) return type;
  if (type.shape === null) return { ...type, shape: other.shape };
  if (type.shape.length !== other.shape.length) return type;
  const { shape } = other;
  return { ...type, shape: type.shape.map((dim, axis) => dim ?? shape[axis] ?? null) };
}

/** The result of arithmetic on few integers, as shapes are computed with; null for anything else. */
export function smallIntegers(node: Node): Tensor | null {
  const tensors = node.inputs.map((input) => input?.tensor ?? null);
  const isSmall = (tensor: Tensor | null): tensor is Tensor =>
    tensor !== null && tensor.dtype === 'int64' && tensor.size <= MOST;
  if (node.domain !== '' || tensors.length === 0 || !tensors.every(isSmall)) return null;
  const [a, b] = tensors;
  if (a === undefined) return null;
  if (node.is('Cast')) return node.int('to', 0) === INT64 ? a : null;
  if (node.is('Concat')) {
    if (tensors.some(({ shape }) => shape.length !== 1)) return null;
    const all = tensors.flatMap((tensor) => toNumbers(tensor));
    return tensorFromInt64(all, [all.length]);
  }
  const compute = ARITHMETIC[node.opType];
  if (b === undefined || compute === undefined || (a.size !== 1 && b.size !== 1 && a.shape.join() !== b.shape.join()))
    return null;
  const [x, y] = [toNumbers(a), toNumbers(b)];
  const count = Math.max(x.length, y.length);
  const values = Array.from({ length: count }, (_, at) => compute(x[at % x.length] ?? 0, y[at % y.length] ?? 0));
  const shape =
    a.shape.length > b.shape.length || (a.shape.length === b.shape.length && a.size >= b.size) ? a.shape : b.shape;
  return values.every(Number.isSafeInteger) ? tensorFromInt64(values, shape) : null;
}

const ARITHMETIC: Readonly<Record<string, (x: number, y: number) => number>> = {
  Add: (x, y) => x + y,
  Sub: (x, y) => x - y,
  Mul: (x, y) => x * y,
  Div: (x, y) => Math.trunc(x / y),
};
