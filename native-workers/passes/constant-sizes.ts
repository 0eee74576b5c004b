/**
 * How many bytes an operator's outputs can take at most, from its constant inputs alone: so that folding never computes what
 * it would not store. Operators that are not in the table are not folded.
 */
import { DTYPES, type DType, dtypeFromCode } from '../graph/dtype.ts';
import type { Node } from '../graph/node.ts';
import type { Tensor } from '../graph/tensor.ts';
import { toNumbers } from '../graph/tensor-values.ts';

type Inputs = readonly (Tensor | null)[];
type Bound = (node: Node, inputs: Inputs) => number | null;

/** Types that the engine's Node binding takes and gives. */
const RUNNABLE = new Set<DType>([
  'float32',
  'float64',
  'float16',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'bool',
]);

/** The largest number of bytes that the outputs of `node` can take, or null when it is not to be folded. */
export function resultBytes(node: Node, inputs: Inputs): number | null {
  if (inputs.some((tensor) => tensor !== null && !RUNNABLE.has(tensor.dtype))) return null;
  const target = node.is('Cast') ? dtypeFromCode(node.int('to', 0)) : null;
  if (node.is('Cast') && (target === null || !RUNNABLE.has(target))) return null;
  return BOUNDS[node.opType]?.(node, inputs) ?? null;
}

const widthOf = (tensor: Tensor | null | undefined): number => (tensor ? DTYPES[tensor.dtype].bits / 8 : 8);
const widest = (inputs: Inputs): number => Math.max(...inputs.map((tensor) => (tensor ? widthOf(tensor) : 1)));

const likeFirst: Bound = (_node, inputs) => inputs[0]?.bytes ?? null;
const elementwise: Bound = (_node, inputs) => {
  const elements = broadcast(inputs.flatMap((tensor) => (tensor ? [tensor.shape] : [])));
  return elements === null ? null : elements * widest(inputs);
};
const indices: Bound = (_node, inputs) => 8 * (inputs[0]?.size ?? 0);

const BOUNDS: Readonly<Record<string, Bound>> = {
  ...table(likeFirst, [
    'Identity',
    'Reshape',
    'Transpose',
    'Squeeze',
    'Unsqueeze',
    'Flatten',
    'Slice',
    'Split',
    'CumSum',
  ]),
  ...table(likeFirst, ['Trilu', 'Softmax', 'ScatterElements', 'ScatterND', 'DepthToSpace', 'SpaceToDepth']),
  ...table(likeFirst, ['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceL1', 'ReduceL2']),
  ...table(likeFirst, [
    'Abs',
    'Neg',
    'Sqrt',
    'Exp',
    'Log',
    'Sin',
    'Cos',
    'Floor',
    'Ceil',
    'Round',
    'Reciprocal',
    'Sign',
  ]),
  ...table(likeFirst, ['Relu', 'Sigmoid', 'Tanh', 'Erf', 'Not', 'Clip', 'QuantizeLinear']),
  ...table(elementwise, ['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Mod', 'Min', 'Max', 'Sum', 'Mean', 'Where']),
  ...table(elementwise, ['Equal', 'Less', 'Greater', 'LessOrEqual', 'GreaterOrEqual', 'And', 'Or', 'Xor']),
  ...table(indices, ['ArgMax', 'ArgMin']),
  Cast: (node, inputs) => {
    const target = dtypeFromCode(node.int('to', 0));
    return target === null ? null : (inputs[0]?.size ?? 0) * (DTYPES[target].bits / 8);
  },
  Shape: (_node, inputs) => 8 * (inputs[0]?.shape.length ?? 0),
  Size: () => 8,
  NonZero: (_node, inputs) => 8 * (inputs[0]?.size ?? 0) * Math.max(1, inputs[0]?.shape.length ?? 1),
  Concat: (_node, inputs) => inputs.reduce((sum, tensor) => sum + (tensor?.bytes ?? 0), 0),
  Gather: (node, [data, index]) => {
    if (!data || !index) return null;
    const axis = node.int('axis', 0);
    const dim = data.shape.at(axis) ?? 1;
    return dim === 0 ? null : (data.size / dim) * index.size * widthOf(data);
  },
  GatherElements: (_node, [data, index]) => (index ? index.size * widthOf(data) : null),
  ConstantOfShape: (node, [shape]) => {
    const value = node.attributes.get('value');
    return product(shape) * (value?.type === 'tensor' ? widthOf(value.value) : 4);
  },
  Expand: (_node, [data, shape]) => {
    const elements = data && shape ? broadcast([data.shape, toNumbers(shape)]) : null;
    return elements === null ? null : elements * widthOf(data);
  },
  Tile: (_node, [data, repeats]) => (data ? data.bytes * product(repeats) : null),
  Range: (_node, inputs) => {
    const [start, limit, delta] = inputs.map((tensor) => (tensor ? (toNumbers(tensor)[0] ?? 0) : 0)) as [
      number,
      number,
      number,
    ];
    return delta === 0 ? null : Math.max(0, Math.ceil((limit - start) / delta)) * widest(inputs);
  },
  MatMul: (_node, [a, b]) => {
    if (!a || !b || a.shape.length < 2 || b.shape.length < 2) return null;
    const batch = broadcast([a.shape.slice(0, -2), b.shape.slice(0, -2)]);
    return batch === null ? null : batch * (a.shape.at(-2) ?? 1) * (b.shape.at(-1) ?? 1) * widthOf(a);
  },
};

function table(bound: Bound, operators: readonly string[]): Record<string, Bound> {
  return Object.fromEntries(operators.map((operator) => [operator, bound]));
}

/** Elements of the shape that the shapes broadcast to; null when they do not. */
function broadcast(shapes: readonly (readonly number[])[]): number | null {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  let elements = 1;
  for (let axis = 1; axis <= rank; axis++) {
    let size = 1;
    for (const shape of shapes) {
      const dim = shape.at(-axis) ?? 1;
      if (shape.length < axis || dim === 1) continue;
      if (size !== 1 && size !== dim) return null;
      size = dim;
    }
    elements *= size;
  }
  return elements;
}

function product(tensor: Tensor | null | undefined): number {
  return tensor ? toNumbers(tensor).reduce((all, dim) => all * dim, 1) : Number.POSITIVE_INFINITY;
}
