/** Operators that move elements without computing: shapes, slices, joins, padding, blocks. */
import { byteLength, elementCount } from '../../../graph/dtype.ts';
import { lateTensor } from '../../../graph/late-tensor.ts';
import type { Node } from '../../../graph/node.ts';
import { scalarTensor, tensorFromNumbers, toNumbers } from '../../../graph/tensor-values.ts';
import type { TflTensor } from '../ir.ts';
import type { Lowering } from './lowering.ts';
import { requantized } from './quantize.ts';
import type { Lower } from './registry.ts';
import { internalType, positive, Refusal } from './terms.ts';
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
  Pad: pad,
  Expand: expand,
  Tile: tile,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Trilu: trilu,
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Shape: folded,
  Size: folded,
  Range: range,
  EyeLike: eyeLike,
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

function pad(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const rank = x.shape.length;
  const given =
    lowering.opset < 11 ? (node.ints('pads') ?? []) : lowering.fixed(lowering.input(node, 1), 'the padding');
  const chosen = lowering.optional(node, 3);
  const axes =
    chosen === null
      ? x.shape.map((_, axis) => axis)
      : lowering.fixed(chosen, 'the axes').map((axis) => positive(axis, rank));
  const rows = x.shape.map(() => [0, 0] as [number, number]);
  axes.forEach((axis, index) => {
    rows[axis] = [given[index] ?? 0, given[index + axes.length] ?? 0];
  });
  const cropped = crop(lowering, x, rows);
  const grown = rows.map((row) => row.map((each) => Math.max(each, 0)) as [number, number]);
  const stored = lowering.resultType(node);
  lowering.result(node, requantized(lowering, padded(node, lowering, cropped, grown), stored));
}

function crop(lowering: Lowering, x: TflTensor, rows: readonly (readonly [number, number])[]): TflTensor {
  const begin = rows.map(([start]) => Math.max(-start, 0));
  const size = x.shape.map((dim, axis) => dim - (begin[axis] ?? 0) - Math.max(-(rows[axis]?.[1] ?? 0), 0));
  return lowering.slice(x, begin, size);
}

function padded(node: Node, lowering: Lowering, x: TflTensor, rows: readonly (readonly [number, number])[]): TflTensor {
  if (rows.every(([start, end]) => start === 0 && end === 0)) return x;
  const mode = node.string('mode', 'constant');
  const shape = x.shape.map((dim, axis) => dim + (rows[axis]?.[0] ?? 0) + (rows[axis]?.[1] ?? 0));
  const paddings = lowering.constant('int32', rows.flat(), [rows.length, 2]);
  const output = { shape, dtype: x.dtype, quantization: x.quantization };
  if (mode === 'reflect') return lowering.emit('MIRROR_PAD', [x, paddings], output, { mode: 0 });
  if (mode === 'edge' || mode === 'wrap') return gatherPadded(lowering, x, rows, mode);
  const value = lowering.opset < 11 ? null : lowering.optional(node, 2);
  const fill =
    lowering.opset < 11 ? node.float('value', 0) : value === null ? 0 : (lowering.numbers(value)?.[0] ?? null);
  if (fill === 0) return lowering.emit('PAD', [x, paddings], output);
  if (x.quantization !== null) {
    if (fill === null) throw new Refusal('a quantized padding value that is computed');
    const { scales, zeroPoints } = x.quantization;
    const code = Math.round(fill / (scales[0] ?? 1)) + (zeroPoints[0] ?? 0);
    const constant = { ...lowering.scalar(code, x.dtype), quantization: x.quantization };
    return lowering.emit('PADV2', [x, paddings, constant], output);
  }
  const tensor =
    fill === null && value !== null
      ? lowering.cast(lowering.reshape(lowering.tensor(value), []), x.dtype)
      : lowering.scalar(fill ?? 0, x.dtype);
  return lowering.emit('PADV2', [x, paddings, tensor], output);
}

/** Padding that repeats elements: a GATHER of the right ones along each padded axis. */
function gatherPadded(
  lowering: Lowering,
  x: TflTensor,
  rows: readonly (readonly [number, number])[],
  mode: 'edge' | 'wrap',
): TflTensor {
  let y = x;
  rows.forEach(([start, end], axis) => {
    if (start === 0 && end === 0) return;
    const dim = x.shape[axis] ?? 1;
    const indices = Array.from({ length: start + dim + end }, (_, at) => {
      const place = at - start;
      return mode === 'edge' ? Math.min(Math.max(place, 0), dim - 1) : ((place % dim) + dim) % dim;
    });
    y = lowering.gather(y, lowering.int32(indices), axis);
  });
  return y;
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

function constant(node: Node, lowering: Lowering): void {
  const attribute = node.attributes.get('value');
  const single = node.attributes.get('value_float') ?? node.attributes.get('value_int');
  const list = node.attributes.get('value_floats') ?? node.attributes.get('value_ints');
  const output = lowering.output(node);
  if (attribute?.type === 'tensor') lowering.define(output, lowering.constantTensor(output.name, attribute.value));
  else if (single?.type === 'float' || single?.type === 'int')
    lowering.define(output, lowering.scalar(Number(single.value), single.type === 'float' ? 'float32' : 'int64'));
  else if (list?.type === 'floats' || list?.type === 'ints')
    lowering.define(
      output,
      lowering.constant(list.type === 'floats' ? 'float32' : 'int64', Array.from(list.value, Number), [
        list.value.length,
      ]),
    );
  else throw new Refusal('a constant of this kind');
}

/** What depends on constants alone was computed before; what is left depends on data. */
function folded(node: Node, lowering: Lowering): void {
  const output = lowering.output(node);
  if (node.opType === 'Shape' || node.opType === 'Size') {
    const shape = lowering.shape(lowering.input(node, 0));
    const start = positive(node.int('start', 0), shape.length);
    const end = positive(node.int('end', shape.length), shape.length);
    const values =
      node.opType === 'Size' ? [shape.reduce((all, dim) => all * dim, 1)] : shape.slice(Math.max(0, start), end);
    lowering.define(output, lowering.constant('int64', values, node.opType === 'Size' ? [] : [values.length]));
    return;
  }
}

/** Of constants; another size is only known when it runs. */
function range(node: Node, lowering: Lowering): void {
  const [start = 0, limit = 0, delta = 1] = [0, 1, 2].map(
    (index) => lowering.fixed(lowering.input(node, index), 'the size of a range')[0],
  );
  const count = Math.max(Math.ceil((limit - start) / delta), 0);
  if (count === 0) throw new Refusal('a value is empty, and LiteRT loads no empty tensors');
  const { dtype } = lowering.resultType(node);
  const values = Array.from({ length: count }, (_, index) => start + index * delta);
  lowering.define(lowering.output(node), lowering.constant(dtype, values, [count]));
}

/** A weight of one value, which is written out when the file is. */
function constantOfShape(node: Node, lowering: Lowering): void {
  const output = lowering.output(node);
  const shape = lowering.fixed(lowering.input(node, 0), 'the shape');
  const attribute = node.attributes.get('value');
  const fill = attribute?.type === 'tensor' ? attribute.value : scalarTensor('float32', 0);
  const dtype = internalType(fill.dtype);
  const [value = 0] = toNumbers(fill);
  const count = elementCount(shape);
  if (count === 0) throw new Refusal('a value is empty, and LiteRT loads no empty tensors');
  const constant = lateTensor(dtype, shape, byteLength(dtype, count), () =>
    tensorFromNumbers(dtype, new Float64Array(count).fill(value), shape).data.read(),
  );
  lowering.define(output, { name: output.name, shape, dtype, constant, quantization: null, signature: null });
}

function eyeLike(node: Node, lowering: Lowering): void {
  const { shape, dtype } = lowering.resultType(node);
  const [rows = 1, columns = 1] = shape;
  const k = node.int('k', 0);
  const values = Array.from({ length: rows * columns }, (_, at) =>
    Number((at % columns) - Math.floor(at / columns) === k),
  );
  lowering.define(lowering.output(node), lowering.constant(dtype, values, shape));
}

function reverseSequence(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const lengths = lowering.cast(lowering.read(node, 1), 'int32');
  const options = { seq_dim: node.int('time_axis', 0), batch_dim: node.int('batch_axis', 1) };
  lowering.result(node, lowering.emit('REVERSE_SEQUENCE', [x, lengths], { shape: x.shape, dtype: x.dtype }, options));
}
