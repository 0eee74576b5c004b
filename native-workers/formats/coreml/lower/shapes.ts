/** Operators that move elements and change shapes, and those that compute shapes. */
import type { Node } from '../../../graph/node.ts';
import { numbersConstant } from '../constants.ts';
import type { MilDim, MilValue } from '../program.ts';
import { concat, select, sliceOperands, vector } from './builders.ts';
import type { Lower, Lowering } from './lowering.ts';
import { Refusal, staticDims } from './terms.ts';

/** The shape of an output as an operand: numbers with at most one -1, or else what the model computes. */
function shapeOperand(node: Node, lowering: Lowering, index: number): MilValue {
  const shape = lowering.shape(lowering.output(node));
  if (shape.filter((dim) => dim === null).length <= 1)
    return lowering.ints(
      shape.map((dim) => dim ?? -1),
      'shape',
    );
  if (node.inputs[index]) {
    const given = lowering.numbers(node, index);
    // MIL copies a size for 0 only when both ranks are the same.
    if (given?.includes(0) && given.length !== lowering.rank(lowering.input(node, 0))) {
      throw new Refusal('it copies sizes that are not known into another rank');
    }
    return lowering.get(node, index);
  }
  throw new Refusal('two sizes of the result are not known');
}

function reshape(node: Node, lowering: Lowering): void {
  const x = lowering.codes(node, 0);
  lowering.out(node, 'reshape', { x, shape: shapeOperand(node, lowering, 1) });
}

function flatten(node: Node, lowering: Lowering): void {
  const x = lowering.codes(node, 0);
  lowering.out(node, 'reshape', { x, shape: shapeOperand(node, lowering, -1) });
}

function axesOf(node: Node, lowering: Lowering, rank: number): number[] | null {
  const axes = node.ints('axes') ?? (node.inputs[1] ? lowering.fixed(node, 1, 'the axes') : null);
  return axes?.map((axis) => lowering.axis(axis, rank)).sort((a, b) => a - b) ?? null;
}

function squeeze(node: Node, lowering: Lowering): void {
  const x = lowering.codes(node, 0);
  const { shape } = x.type;
  const axes = axesOf(node, lowering, shape.length) ?? shape.flatMap((dim, axis) => (dim === 1 ? [axis] : []));
  if (axes.length === 0) lowering.set(lowering.output(node), x);
  else lowering.out(node, 'squeeze', { x, axes: lowering.ints(axes, 'axes') });
}

function unsqueeze(node: Node, lowering: Lowering): void {
  const axes = axesOf(node, lowering, lowering.rank(lowering.output(node))) ?? [];
  lowering.out(node, 'expand_dims', { x: lowering.codes(node, 0), axes: lowering.ints(axes, 'axes') });
}

function transpose(node: Node, lowering: Lowering): void {
  const x = lowering.codes(node, 0);
  const perm = node.ints('perm') ?? x.type.shape.map((_, axis) => axis).reverse();
  if (perm.length < 2) lowering.set(lowering.output(node), x);
  else lowering.out(node, 'transpose', { x, perm: lowering.ints(perm, 'perm') });
}

function concatNode(node: Node, lowering: Lowering): void {
  // What is empty adds nothing.
  const full = node.inputs.flatMap((value, index) =>
    value === null || lowering.isEmpty(value) ? [] : [lowering.get(node, index)],
  );
  const rank = lowering.rank(lowering.output(node));
  lowering.result(node, concat(lowering, full, lowering.axis(node.int('axis', 0), rank)));
}

function split(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const axis = lowering.axis(node.int('axis', 0), x.type.shape.length);
  // An empty part is a constant by now.
  const parts = node.outputs.filter((output) => output === null || !lowering.isEmpty(output));
  const sizes = parts.map((output) => {
    if (output === null) throw new Refusal('an output of the split is left out');
    const size = lowering.shape(output)[axis];
    if (typeof size !== 'number') throw new Refusal('the sizes of the parts are not known');
    return size;
  });
  const outputs = parts.flatMap((output) => (output === null ? [] : [lowering.declare(output)]));
  if (sizes.length === 1) {
    lowering.operation('identity', { x }, outputs);
    return;
  }
  lowering.operation(
    'split',
    { x, split_sizes: lowering.ints(sizes, 'split_sizes'), axis: lowering.int(axis, 'axis') },
    outputs,
  );
}

/** The size of one dimension when the model runs, as a vector of one. */
function sizeOf(lowering: Lowering, x: MilValue, axis: number): MilValue {
  const dim = x.type.shape[axis] ?? null;
  if (dim !== null) return lowering.ints([dim], 'size');
  const shape = lowering.op('shape', { x }, vector(x.type.shape.length));
  return lowering.op('slice_by_index', sliceOperands(lowering, shape, [axis], [axis + 1], [1]), vector(1));
}

function slice(node: Node, lowering: Lowering): void {
  const x = lowering.codes(node, 0);
  const { shape } = x.type;
  const rank = shape.length;
  const legacy = lowering.opset < 10;
  const starts = legacy ? node.ints('starts') : lowering.numbers(node, 1);
  const ends = legacy ? node.ints('ends') : lowering.numbers(node, 2);
  const count = (starts ?? ends)?.length ?? (lowering.shape(lowering.input(node, 1))[0] as number);
  const axes =
    (legacy ? node.ints('axes') : node.inputs[3] ? lowering.fixed(node, 3, 'the axes') : null) ??
    Array.from({ length: count }, (_, axis) => axis);
  const steps = (legacy || !node.inputs[4] ? null : lowering.fixed(node, 4, 'the steps')) ?? axes.map(() => 1);
  const begin = shape.map(() => 0);
  const end = shape.map((dim) => dim ?? 0);
  const stride = shape.map(() => 1);
  const beginMask = shape.map(() => true);
  const endMask = shape.map(() => true);
  const dynamic: { axis: number; index: number }[] = [];
  axes.forEach((given, index) => {
    const axis = lowering.axis(given, rank);
    const dim = shape[axis] ?? null;
    const step = steps[index] ?? 1;
    stride[axis] = step;
    if (starts === null || ends === null) {
      dynamic.push({ axis, index });
      beginMask[axis] = false;
      endMask[axis] = false;
      if (starts !== null) begin[axis] = starts[index] ?? 0;
      return;
    }
    const [from, to] = [starts[index] ?? 0, ends[index] ?? 0];
    if (dim === null) {
      // Only what clips nothing of any size: to the end, or from the front.
      const far = 2 ** 30;
      begin[axis] = Math.abs(from) > far ? 0 : from;
      end[axis] = Math.abs(to) > far ? 0 : to;
      beginMask[axis] = Math.abs(from) > far || (from === 0 && step > 0);
      endMask[axis] = Math.abs(to) > far;
      return;
    }
    const clamp = (at: number, low: number, high: number): number =>
      Math.max(low, Math.min(high, at < 0 ? at + dim : at));
    const first = step > 0 ? clamp(from, 0, dim) : clamp(from, 0, dim - 1);
    const last = step > 0 ? clamp(to, 0, dim) : clamp(to, -1, dim - 1);
    begin[axis] = first;
    beginMask[axis] = false;
    end[axis] = last < 0 ? 0 : last;
    endMask[axis] = last < 0;
  });
  if (rank === 0) throw new Refusal('a scalar cannot be sliced');
  let beginOperand = lowering.ints(begin, 'begin');
  let endOperand = lowering.ints(end, 'end');
  if (dynamic.length > 0) {
    const assemble = (fixed: readonly number[], known: boolean, input: number): MilValue => {
      if (known) return lowering.ints(fixed, 'bound');
      const whole = lowering.get(node, input);
      const parts = fixed.map((value, axis) => {
        const place = dynamic.find((each) => each.axis === axis);
        if (place === undefined) return lowering.ints([value], 'bound');
        if (axes.length === 1) return whole;
        return lowering.op(
          'slice_by_index',
          sliceOperands(lowering, whole, [place.index], [place.index + 1], [1]),
          vector(1),
        );
      });
      if (parts.length === 1 && parts[0]) return parts[0];
      return lowering.op(
        'concat',
        { values: parts, axis: lowering.int(0, 'axis'), interleave: lowering.bool(false) },
        vector(rank),
      );
    };
    if (ends !== null) {
      for (const { axis, index } of dynamic) {
        end[axis] = ends[index] ?? 0;
        if (Math.abs(ends[index] ?? 0) > 2 ** 30) endMask[axis] = true;
      }
    }
    beginOperand = assemble(begin, starts !== null, 1);
    endOperand = assemble(end, ends !== null, 2);
  }
  lowering.out(node, 'slice_by_index', {
    x,
    begin: beginOperand,
    end: endOperand,
    stride: lowering.ints(stride, 'stride'),
    begin_mask: lowering.bools(beginMask, 'begin_mask'),
    end_mask: lowering.bools(endMask, 'end_mask'),
    squeeze_mask: lowering.bools(
      shape.map(() => false),
      'squeeze_mask',
    ),
  });
}

function tile(node: Node, lowering: Lowering): void {
  lowering.out(node, 'tile', {
    x: lowering.get(node, 0),
    reps: lowering.ints(lowering.fixed(node, 1, 'the repeats'), 'reps'),
  });
}

function expand(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const output = lowering.shape(lowering.output(node));
  if (output.join() === x.type.shape.join() && !output.includes(null)) {
    lowering.set(lowering.output(node), x);
    return;
  }
  // Broadcasting against ones (false for bool) of the shape does it for any sizes.
  const isBool = x.type.dtype === 'bool';
  const number = isBool ? lowering.cast(x, 'int32') : x;
  const shape = output.includes(null) ? lowering.get(node, 1) : lowering.ints(output as number[], 'shape');
  const target = output.includes(null) ? Array<MilDim>((shape.type.shape[0] ?? 1) as number).fill(null) : output;
  const ones = lowering.op(
    'fill',
    { shape, value: lowering.scalarLike(number, 1) },
    { dtype: number.type.dtype, shape: target },
  );
  if (!isBool) lowering.out(node, 'mul', { x: number, y: ones });
  else {
    const whole = lowering.op('mul', { x: number, y: ones }, { dtype: 'int32', shape: output });
    lowering.out(node, 'not_equal', { x: whole, y: lowering.scalarLike(whole, 0) });
  }
}

function constantOfShape(node: Node, lowering: Lowering): void {
  const attribute = node.attributes.get('value');
  const { dtype } = lowering.milType(lowering.output(node));
  const value = attribute?.type === 'tensor' ? lowering.firstNumber(attribute.value) : 0;
  if (dtype === 'bool') throw new Refusal('Core ML fills with numbers only');
  const fill = dtype === 'int32' ? 'int32' : 'fp32';
  lowering.out(node, 'fill', {
    shape: lowering.get(node, 0),
    value: lowering.constant(numbersConstant(fill, [value], []), `${lowering.output(node).name}_value`),
  });
}

function shapeOf(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const rank = x.type.shape.length;
  const start = lowering.axis(node.int('start', 0), rank);
  const end = lowering.axis(node.int('end', rank), rank);
  if (start === 0 && end >= rank) lowering.out(node, 'shape', { x });
  else {
    const shape = lowering.op('shape', { x }, vector(rank));
    lowering.out(
      node,
      'slice_by_index',
      sliceOperands(lowering, shape, [Math.max(0, start)], [Math.min(rank, end)], [1]),
    );
  }
}

function size(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const shape = lowering.op('shape', { x }, vector(x.type.shape.length));
  lowering.out(node, 'reduce_prod', { x: shape, axes: lowering.ints([0], 'axes'), keep_dims: lowering.bool(false) });
}

function range(node: Node, lowering: Lowering): void {
  lowering.out(node, 'range_1d', {
    start: lowering.get(node, 0),
    end: lowering.get(node, 1),
    step: lowering.get(node, 2),
  });
}

function depthToSpace(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const block = lowering.int(node.int('blocksize', 1), 'block_size');
  if (node.string('mode', 'DCR') === 'DCR') lowering.out(node, 'depth_to_space', { x, block_size: block });
  else lowering.out(node, 'pixel_shuffle', { x, upscale_factor: block });
}

function spaceToDepth(node: Node, lowering: Lowering): void {
  lowering.out(node, 'space_to_depth', {
    x: lowering.get(node, 0),
    block_size: lowering.int(node.int('blocksize', 1), 'block_size'),
  });
}

/** The lower or upper triangle, kept by a mask that is known when the model is written. */
function trilu(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const k = node.inputs[1] ? (lowering.fixed(node, 1, 'the diagonal')[0] ?? 0) : 0;
  const upper = node.int('upper', 1) !== 0;
  const [rows = 1, columns = 1] = staticDims(x.type.shape.slice(-2), 'the matrix');
  const keep = Array.from({ length: rows * columns }, (_, index) => {
    const distance = (index % columns) - Math.floor(index / columns);
    return upper ? distance >= k : distance <= k;
  });
  const mask = lowering.constant(
    { ...numbersConstant('bool', keep.map(Number), [rows, columns]) },
    `${lowering.output(node).name}_mask`,
  );
  lowering.result(node, select(lowering, mask, x, lowering.scalarLike(x, 0)));
}

export { sizeOf };

export const SHAPES: Readonly<Record<string, Lower>> = {
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Concat: concatNode,
  Split: split,
  Slice: slice,
  Tile: tile,
  Expand: expand,
  ConstantOfShape: constantOfShape,
  Shape: shapeOf,
  Size: size,
  Range: range,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Trilu: trilu,
};
