/** What is known of a node's results without computing: constants, shapes, what is filled, empty or reduced from nothing. */
import { byteLength, type DType, elementCount } from '../../graph/dtype.ts';
import type { Graph } from '../../graph/graph.ts';
import { LateData } from '../../graph/late-tensor.ts';
import type { Node } from '../../graph/node.ts';
import { Tensor } from '../../graph/tensor.ts';
import { MemoryData } from '../../graph/tensor-data.ts';
import { tensorFromInt64, tensorFromNumbers, toNumbers } from '../../graph/tensor-values.ts';
import { staticShape, type ValueType } from '../../graph/types.ts';
import type { Value } from '../../graph/value.ts';
import { isWholeShape } from './known-shapes.ts';

/** Larger results are left to be computed on the device. */
export const LARGEST_FOLDED = 16 << 20;

export function isRead(value: Value, graph: Graph | null): boolean {
  return value.consumers.size > 0 || graph?.outputs.includes(value) === true;
}

/** The result of a node with one output that is read; null where it must be computed. */
export function constantOf(node: Node): Tensor | null {
  return emptyConstant(node) ?? reducedFromNothing(node) ?? simpleConstant(node);
}

/** One of several outputs: a part without elements, or what Dropout keeps, which is everything but in training. */
export function sideConstant(node: Node, index: number): Tensor | null {
  const type = node.outputs[index]?.type ?? null;
  const shape = staticShape(type);
  if (shape === null) return null;
  if (shape.includes(0)) return empty(type);
  if (!node.is('Dropout') || index !== 1) return null;
  const [ratio, training] = [node.inputs[1], node.inputs[2]];
  const isZero = (value: Value | null | undefined, fallback: boolean): boolean =>
    value ? value.tensor !== null && toNumbers(value.tensor)[0] === 0 : fallback;
  if (!isZero(training, true) && !isZero(ratio, false)) return null;
  return repeated('bool', shape, Uint8Array.of(1));
}

function empty(type: ValueType | null): Tensor | null {
  const shape = staticShape(type);
  if (type?.kind !== 'tensor' || type.dtype === null || type.dtype === 'string' || !shape?.includes(0)) return null;
  return new Tensor({ dtype: type.dtype, shape, data: new MemoryData(new Uint8Array(0)) });
}

/** What reductions of no elements give. Source: onnx Operators.md, the Reduce operators. */
const FROM_NOTHING: Readonly<Record<string, number>> = {
  ReduceSum: 0,
  ReduceSumSquare: 0,
  ReduceL1: 0,
  ReduceL2: 0,
  ReduceProd: 1,
  ReduceMax: -Infinity,
  ReduceMin: Infinity,
  ReduceLogSum: -Infinity,
  ReduceLogSumExp: -Infinity,
};

function reducedFromNothing(node: Node): Tensor | null {
  const value = FROM_NOTHING[node.opType];
  const [input, output] = [node.inputs[0]?.type ?? null, node.outputs[0]?.type ?? null];
  const shape = staticShape(output);
  if (value === undefined || !staticShape(input)?.includes(0) || shape === null || shape.includes(0)) return null;
  if (output?.kind !== 'tensor' || (output.dtype !== 'float32' && output.dtype !== 'float16')) return null;
  return tensorFromNumbers(output.dtype, Array<number>(elementCount(shape)).fill(value), shape);
}

/** What has no elements needs none computed. */
function emptyConstant(node: Node): Tensor | null {
  const [output, ...others] = node.outputs;
  if (others.some((value) => value !== null && isRead(value, node.graph))) return null;
  return empty(output?.type ?? null);
}

function simpleConstant(node: Node): Tensor | null {
  const input = node.inputs[0] ?? null;
  if (node.is('Constant')) return constantValue(node);
  const isPublic = node.outputs.some((output) => output !== null && node.graph?.outputs.includes(output) === true);
  if ((node.is('Identity') && !isPublic) || (node.is('Dropout') && !node.outputs[1]?.consumers.size && !isPublic))
    return input?.tensor ?? null;
  if (node.is('Shape') && input?.type?.kind === 'tensor') {
    const shape = input.type.shape?.slice(
      node.int('start', 0),
      node.attributes.has('end') ? node.int('end', 0) : undefined,
    );
    return shape?.every((dim) => typeof dim === 'number') ? tensorFromInt64(shape, [shape.length]) : null;
  }
  if (node.is('Gather') && input?.producer && isWholeShape(input.producer)) return gatheredSize(node, input.producer);
  if (node.is('ConstantOfShape') && input?.tensor) return filled(node, toNumbers(input.tensor));
  if (node.is('Size') && input?.type?.kind === 'tensor') {
    const shape = staticShape(input.type);
    return shape === null ? null : tensorFromInt64([elementCount(shape)], []);
  }
  if (node.is('EyeLike')) return identityMatrix(node);
  if (node.is('OptionalHasElement')) return hasElement(node);
  if (
    node.is('Reshape', 'Unsqueeze', 'Squeeze', 'Flatten') &&
    input?.tensor &&
    node.inputs.every((each) => !each || each.tensor)
  ) {
    const shape = staticShape(node.outputs[0]?.type ?? null);
    return shape === null || shape.length === 0 ? null : input.tensor.reshaped(shape);
  }
  return null;
}

/** A tensor is there; what is left out is not. What is in an optional value is known when the model runs. */
function hasElement(node: Node): Tensor | null {
  const [input] = node.inputs;
  if (input && input.type?.kind !== 'tensor') return null;
  return tensorFromNumbers('bool', [input ? 1 : 0], []);
}

/** One size of a shape of which others are not known. */
function gatheredSize(node: Node, shapeNode: Node): Tensor | null {
  const type = shapeNode.inputs[0]?.type;
  const index = node.inputs[1]?.tensor;
  if (type?.kind !== 'tensor' || type.shape === null || !index) return null;
  const { shape } = type;
  const sizes = toNumbers(index).map((at) => shape.at(at));
  return sizes.every((size) => typeof size === 'number') ? tensorFromInt64(sizes, index.shape) : null;
}

function identityMatrix(node: Node): Tensor | null {
  const type = node.outputs[0]?.type;
  const shape = staticShape(type ?? null);
  if (type?.kind !== 'tensor' || type.dtype === null || shape === null || elementCount(shape) > LARGEST_FOLDED / 8)
    return null;
  const [rows = 1, columns = 1] = shape;
  const k = node.int('k', 0);
  const values = Array.from({ length: rows * columns }, (_, at) =>
    (at % columns) - Math.floor(at / columns) === k ? 1 : 0,
  );
  return tensorFromNumbers(type.dtype, values, shape);
}

function constantValue(node: Node): Tensor | null {
  const attribute = node.attributes.get('value');
  return attribute?.type === 'tensor' ? attribute.value : null;
}

function filled(node: Node, shape: number[]): Tensor | null {
  const attribute = node.attributes.get('value');
  const one = attribute?.type === 'tensor' ? attribute.value : null;
  return repeated(one?.dtype ?? 'float32', shape, one?.data.read() ?? null);
}

/** null bytes are zeros. */
function repeated(dtype: DType, shape: readonly number[], pattern: Uint8Array | null): Tensor | null {
  const bytes = byteLength(dtype, elementCount(shape));
  if (bytes === 0) return null;
  const data = new LateData(bytes, () => {
    const all = new Uint8Array(bytes);
    if (pattern?.some((byte) => byte !== 0)) for (let at = 0; at < bytes; at += pattern.length) all.set(pattern, at);
    return all;
  });
  return new Tensor({ dtype, shape, data });
}
