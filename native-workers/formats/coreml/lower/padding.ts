/** Padding, also of negative amounts and in all modes and dimensions. */
import type { Node } from '../../../graph/node.ts';
import type { MilValue } from '../program.ts';
import { concat, padConstant, sliceAxis, take } from './builders.ts';
import { interleaved } from './convolution.ts';
import type { Lower, Lowering } from './lowering.ts';
import { Refusal, staticDims } from './terms.ts';

/** MIL's names of the modes that it has for the last two dimensions. */
const MODES: Readonly<Record<string, string>> = { constant: 'constant', reflect: 'reflect', edge: 'replicate' };

function pad(node: Node, lowering: Lowering): void {
  let x = lowering.get(node, 0);
  const rank = x.type.shape.length;
  const given = node.ints('pads') ?? node.ints('paddings') ?? lowering.fixed(node, 1, 'the padding');
  const axes = node.inputs[3] ? lowering.fixed(node, 3, 'the axes').map((axis) => lowering.axis(axis, rank)) : null;
  const pads = Array<number>(rank * 2).fill(0);
  const count = given.length / 2;
  for (let index = 0; index < count; index++) {
    const axis = axes?.[index] ?? index;
    pads[axis] = given[index] ?? 0;
    pads[axis + rank] = given[index + count] ?? 0;
  }
  const mode = node.string('mode', 'constant');
  for (let axis = 0; axis < rank; axis++) {
    const [before, after] = [pads[axis] ?? 0, pads[axis + rank] ?? 0];
    if (before >= 0 && after >= 0) continue;
    const [size = 1] = staticDims([x.type.shape[axis] ?? null], 'what is cut');
    x = sliceAxis(lowering, x, axis, Math.max(0, -before), size + Math.min(0, after));
    pads[axis] = Math.max(0, before);
    pads[axis + rank] = Math.max(0, after);
  }
  lowering.result(node, padded(node, lowering, x, interleaved(pads), mode));
}

function padded(node: Node, lowering: Lowering, x: MilValue, pairs: readonly number[], mode: string): MilValue {
  if (pairs.every((amount) => amount === 0)) return x;
  const isFloat = x.type.dtype === 'fp32';
  if (mode === 'constant') {
    const value = node.inputs[2] ? lowering.numbers(node, 2)?.[0] : node.float('value', 0);
    if (value !== undefined && isFloat) return padConstant(lowering, x, pairs, value);
    const scalar = value === undefined ? lowering.get(node, 2) : lowering.scalarLike(x, value);
    return joined(lowering, x, pairs, scalar);
  }
  const name = MODES[mode];
  // Reflection and repetition of floats in the last two dimensions is an operator; elsewhere elements are picked.
  const inner = pairs.slice(0, -4).every((amount) => amount === 0);
  if (name !== undefined && inner && isFloat && x.type.shape.length >= 2 && singleReflection(x, pairs, mode)) {
    const shape = x.type.shape.map((dim, axis) =>
      dim === null ? null : dim + (pairs[axis * 2] ?? 0) + (pairs[axis * 2 + 1] ?? 0),
    );
    return lowering.op(
      'pad',
      {
        x,
        pad: lowering.ints(pairs.slice(-4), 'pad'),
        mode: lowering.text(name),
        constant_val: lowering.float(0, 'constant_val'),
      },
      { ...x.type, shape },
    );
  }
  let result = x;
  x.type.shape.forEach((dim, axis) => {
    const [before, after] = [pairs[axis * 2] ?? 0, pairs[axis * 2 + 1] ?? 0];
    if (before === 0 && after === 0) return;
    const [size = 1] = staticDims([dim], 'what is padded');
    const places = Array.from({ length: before + size + after }, (_, at) => placeOf(at - before, size, mode));
    result = take(lowering, result, places, axis);
  });
  return result;
}

/** Whether no reflection goes farther than the other end, which MIL's operator does not do. */
function singleReflection(x: MilValue, pairs: readonly number[], mode: string): boolean {
  return (
    mode !== 'reflect' ||
    x.type.shape.every((dim, axis) => dim === null || Math.max(...pairs.slice(axis * 2, axis * 2 + 2)) < dim)
  );
}

/** Which element stands at a place before the first or after the last. Source: onnx Operators.md, Pad. */
function placeOf(at: number, size: number, mode: string): number {
  if (mode === 'edge') return Math.max(0, Math.min(size - 1, at));
  if (mode === 'wrap') return ((at % size) + size) % size;
  if (mode !== 'reflect') throw new Refusal(`Core ML has no padding of the mode ${mode}`);
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const inside = ((at % period) + period) % period;
  return inside < size ? inside : period - inside;
}

/** Integers, and values that are computed: filled tensors are joined to both ends. */
function joined(lowering: Lowering, x: MilValue, pairs: readonly number[], value: MilValue): MilValue {
  let result = x;
  x.type.shape.forEach((_, axis) => {
    const part = (amount: number): MilValue => {
      const shape = staticDims(result.type.shape, 'what is padded').map((dim, index) =>
        index === axis ? amount : dim,
      );
      if (value.constant !== null) {
        return lowering.op('fill', { shape: lowering.ints(shape, 'shape'), value }, { dtype: x.type.dtype, shape });
      }
      const ones = lowering.op(
        'fill',
        { shape: lowering.ints(shape, 'shape'), value: lowering.scalarLike(x, 1) },
        { dtype: x.type.dtype, shape },
      );
      return lowering.binary('mul', ones, value);
    };
    const [before, after] = [pairs[axis * 2] ?? 0, pairs[axis * 2 + 1] ?? 0];
    const parts = [...(before > 0 ? [part(before)] : []), result, ...(after > 0 ? [part(after)] : [])];
    result = concat(lowering, parts, axis);
  });
  return result;
}

/** Each dimension cut or padded with zeros about its middle. Source: onnx Operators.md, CenterCropPad. */
function centerCropPad(node: Node, lowering: Lowering): void {
  let x = lowering.get(node, 0);
  const rank = x.type.shape.length;
  const shape = lowering.fixed(node, 1, 'the shape of the result');
  const axes = node.ints('axes')?.map((axis) => lowering.axis(axis, rank)) ?? x.type.shape.map((_, axis) => axis);
  const pairs = Array<number>(rank * 2).fill(0);
  axes.forEach((axis, index) => {
    const [size = 1] = staticDims([x.type.shape[axis] ?? null], 'what is cut');
    const wanted = shape[index] ?? size;
    if (wanted < size) {
      const from = Math.floor((size - wanted) / 2);
      x = sliceAxis(lowering, x, axis, from, from + wanted);
    } else {
      const before = Math.floor((wanted - size) / 2);
      pairs[axis * 2] = before;
      pairs[axis * 2 + 1] = wanted - size - before;
    }
  });
  lowering.result(node, padded(node, lowering, x, pairs, 'constant'));
}

export const PADDING: Readonly<Record<string, Lower>> = { Pad: pad, CenterCropPad: centerCropPad };
