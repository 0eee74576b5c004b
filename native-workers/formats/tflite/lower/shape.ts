import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
import type { Lowering } from './lowering.ts';
import { requantized } from './quantize.ts';
import type { Lower } from './registry.ts';
import { positive, Refusal } from './terms.ts';
import { channelsFirst, channelsLast } from './window.ts';

export const SHAPE_LOWERINGS: Readonly<Record<string, Lower>> = {
  Reshape: toResultShape,
  Flatten: toResultShape,
  Squeeze: toResultShape,
  Unsqueeze: toResultShape,
  Transpose: transpose,
  Concat: concat,
  Split: split,
  Slice: slice,
  Expand: expand,
  Tile: tile,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Trilu: trilu,
  ReverseSequence: reverseSequence,
};

function toResultShape(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const stored = lowering.resultType(node);
  lowering.result(node, requantized(lowering, lowering.reshape(x, stored.shape), stored));
}

function transpose(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const perm = node.ints('perm') ?? x.shape.map((_, axis) => x.shape.length - 1 - axis);
  lowering.result(node, requantized(lowering, lowering.transpose(x, perm), lowering.resultType(node)));
}

/** Parts of other scales are requantized: CONCATENATION has one scale. */
function concat(node: Node, lowering: Lowering): void {
  const stored = lowering.resultType(node);
  const parts = node.inputs.flatMap((value, index) =>
    value !== null && lowering.shape(value).includes(0)
      ? []
      : [requantized(lowering, lowering.read(node, index), stored)],
  );
  const axis = positive(node.int('axis', 1), stored.shape.length);
  lowering.result(node, lowering.concat(parts, axis));
}

function split(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const axis = positive(node.int('axis', 0), x.shape.length);
  let at = 0;
  node.outputs.forEach((output, index) => {
    if (output === null) throw new Refusal('a part that is left out');
    const size = lowering.shape(output);
    const begin = x.shape.map((_, each) => (each === axis ? at : 0));
    at += size[axis] ?? 0;
    // What reads an empty part is refused, but for a Concat, which leaves it out.
    if (size.includes(0)) return;
    lowering.result(
      node,
      requantized(lowering, lowering.slice(x, begin, size), lowering.resultType(node, index)),
      index,
    );
  });
}

function slice(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const rank = x.shape.length;
  const operand = (index: number, name: string): number[] | null => {
    if (lowering.opset < 10) return node.ints(name);
    const value = lowering.optional(node, index);
    return value === null ? null : lowering.fixed(value, name);
  };
  const starts = operand(1, 'starts') ?? [];
  const ends = operand(2, 'ends') ?? [];
  const axes = (operand(3, 'axes') ?? starts.map((_, index) => index)).map((axis) => positive(axis, rank));
  const steps = operand(4, 'steps') ?? starts.map(() => 1);
  const begin = x.shape.map(() => 0);
  const size = [...x.shape];
  const stride = x.shape.map(() => 1);
  axes.forEach((axis, index) => {
    const dim = x.shape[axis] ?? 1;
    const step = steps[index] ?? 1;
    const [low, high] = step > 0 ? [0, dim] : [-1, dim - 1];
    const place = (at: number): number => Math.min(Math.max(at < 0 ? at + dim : at, low), high);
    const start = step > 0 ? place(starts[index] ?? 0) : Math.max(0, place(starts[index] ?? 0));
    const end = place(ends[index] ?? 0);
    begin[axis] = start;
    stride[axis] = step;
    size[axis] = Math.max(0, Math.ceil((end - start) / step));
  });
  const stored = lowering.resultType(node);
  lowering.result(node, requantized(lowering, stridedSlice(lowering, x, begin, size, stride), stored));
}

/** SLICE where all steps are 1; else STRIDED_SLICE, whose end -1 would mean the last element and is masked out instead. */
function stridedSlice(
  lowering: Lowering,
  x: TflTensor,
  begin: readonly number[],
  size: readonly number[],
  stride: readonly number[],
): TflTensor {
  if (stride.every((step) => step === 1)) return lowering.slice(x, begin, size);
  if (x.shape.length > 5) throw new Refusal('a slice with steps of more than five dimensions');
  const end = size.map((count, axis) => (begin[axis] ?? 0) + count * (stride[axis] ?? 1));
  const endMask = end.reduce((mask, at, axis) => (at < 0 ? mask | (1 << axis) : mask), 0);
  const inputs = [
    x,
    lowering.int32([...begin]),
    lowering.int32(end.map((at) => Math.max(at, 0))),
    lowering.int32([...stride]),
  ];
  const output = { shape: size, dtype: x.dtype, quantization: x.quantization };
  return lowering.emit('STRIDED_SLICE', inputs, output, { end_mask: endMask });
}

function expand(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const { shape } = lowering.resultType(node);
  lowering.result(node, lowering.broadcastTo(x, shape));
}

function tile(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const repeats = lowering.fixed(lowering.input(node, 1), 'the repeats');
  lowering.result(node, lowering.emit('TILE', [x, lowering.int32(repeats)], lowering.resultType(node)));
}

/** TFLite's DEPTH_TO_SPACE is ONNX's DCR; CRD is a reshape, a transpose and a reshape. */
function depthToSpace(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const block = node.int('blocksize', 1);
  const [n = 1, c = 1, h = 1, w = 1] = x.shape;
  const stored = lowering.resultType(node);
  if (node.string('mode', 'DCR') === 'CRD') {
    // Channels last: [N, H, W, C/b^2, b, b] -> [N, H, b, W, b, C/b^2].
    const last = lowering.transpose(x, channelsLast(4));
    const depth = c / (block * block);
    const apart = lowering.reshape(last, [n, h, w, depth, block, block]);
    const moved = lowering.transpose(apart, [0, 1, 4, 2, 5, 3]);
    const joined = lowering.reshape(moved, [n, h * block, w * block, depth]);
    lowering.result(node, requantized(lowering, lowering.transpose(joined, channelsFirst(4)), stored));
    return;
  }
  const last = lowering.transpose(x, channelsLast(4));
  const shape = [n, h * block, w * block, c / (block * block)];
  const output = { shape, dtype: x.dtype, quantization: x.quantization };
  const y = lowering.emit('DEPTH_TO_SPACE', [last], output, { block_size: block });
  lowering.result(node, requantized(lowering, lowering.transpose(y, channelsFirst(4)), stored));
}

function spaceToDepth(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const block = node.int('blocksize', 1);
  const [n = 1, c = 1, h = 1, w = 1] = x.shape;
  const last = lowering.transpose(x, channelsLast(4));
  const shape = [n, h / block, w / block, c * block * block];
  const output = { shape, dtype: x.dtype, quantization: x.quantization };
  const y = lowering.emit('SPACE_TO_DEPTH', [last], output, { block_size: block });
  lowering.result(node, lowering.transpose(y, channelsFirst(4)));
}

function trilu(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const value = lowering.optional(node, 1);
  const k = value === null ? 0 : (lowering.fixed(value, 'k')[0] ?? 0);
  const [rows = 1, columns = 1] = x.shape.slice(-2);
  const isUpper = node.int('upper', 1) === 1;
  const mask = Array.from({ length: rows * columns }, (_, at) => {
    const offset = (at % columns) - Math.floor(at / columns);
    return Number(isUpper ? offset >= k : offset <= k);
  });
  if (x.dtype === 'bool') {
    lowering.result(node, lowering.binary('LOGICAL_AND', x, lowering.constant('bool', mask, [rows, columns])));
    return;
  }
  // A selection, since 0 times infinity is no zero.
  const flags = lowering.constant('bool', mask, [rows, columns]);
  lowering.result(node, lowering.select(flags, x, lowering.scalar(0, x.dtype)));
}

function reverseSequence(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const lengths = lowering.cast(lowering.read(node, 1), 'int32');
  const options = { seq_dim: node.int('time_axis', 0), batch_dim: node.int('batch_axis', 1) };
  lowering.result(node, lowering.emit('REVERSE_SEQUENCE', [x, lengths], { shape: x.shape, dtype: x.dtype }, options));
}
