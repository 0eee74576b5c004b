/**
 * DFT and STFT as products with the constant matrices of cosines and sines, for formats without them:
 * X[k] = sum over n of x[n] e^(-2 pi i k n / N). Formulas and defaults are those of ONNX's pages (opset 17 and 20).
 */
import type { DType } from './dtype.ts';
import type { Model } from './model.ts';
import type { Node } from './node.ts';
import { NodeBuilder } from './node-builder.ts';
import { scalarTensor, tensorFromInt64, tensorFromNumbers, toNumbers } from './tensor-values.ts';
import type { TensorType, ValueType } from './types.ts';
import type { Value } from './value.ts';

/** Rewrites the main graph where lengths and axes are constant. `types` know the transformed signals. Returns how many nodes were. */
export function expandFourier(model: Model, types: ReadonlyMap<Value, ValueType>): number {
  let count = 0;
  for (const node of [...model.graph.nodes]) {
    if (!node.is('DFT', 'STFT')) continue;
    const [x] = node.inputs;
    const [output] = node.outputs;
    const type = x ? (types.get(x) ?? x.type) : null;
    if (!x || !output || type?.kind !== 'tensor') continue;
    const build = new NodeBuilder(model, node.label);
    const made = node.is('DFT') ? transform(node, x, type, model.opset, build) : frames(node, x, type, types, build);
    if (made === null) continue;
    model.graph.replaceValue(output, made);
    model.graph.removeNode(node);
    count++;
  }
  return count;
}

/** The number in a constant operand; `fallback` where it is left out, null where it is computed. */
function operand(node: Node, index: number, fallback: number | null): number | null {
  const value = node.inputs[index];
  if (!value) return fallback;
  return value.tensor === null ? null : (toNumbers(value.tensor)[0] ?? null);
}

/** x: [..., signal, ..., 1 or 2]; the last dimension is the real and the imaginary part. */
function transform(node: Node, x: Value, type: TensorType, opset: number, build: NodeBuilder): Value | null {
  const { shape, dtype } = type;
  const given = opset < 20 ? node.int('axis', 1) : operand(node, 2, -2);
  if (shape === null || dtype === null || given === null) return null;
  const rank = shape.length;
  const axis = given < 0 ? given + rank : given;
  const [signal, parts] = [shape[axis], shape[rank - 1]];
  if (typeof signal !== 'number' || typeof parts !== 'number') return null;
  const length = operand(node, 1, signal);
  const isInverse = node.int('inverse', 0) === 1;
  const isOneSided = node.int('onesided', 0) === 1;
  // Of one side the inverse is a real signal, which later versions of the operator have.
  if (length === null || (isInverse && isOneSided)) return null;
  const basis = basisOf(build, dtype, signal, length, isOneSided, isInverse);
  const others = shape.map((_, each) => each).filter((each) => each !== axis && each !== rank - 1);
  const last = [...others, axis];
  const part = (index: number): Value =>
    build.transpose(build.gather(x, scalarTensor('int64', index), rank - 1, 'part'), last);
  const pair = complexProduct(build, part(0), parts > 1 ? part(1) : null, basis, rank - 1);
  return build.transpose(
    pair,
    shape.map((_, each) => (each === rank - 1 ? each : last.indexOf(each))),
  );
}

/** x: [batch, signal, 1 or 2], cut into frames, each through a window. */
function frames(
  node: Node,
  x: Value,
  { shape, dtype }: TensorType,
  types: ReadonlyMap<Value, ValueType>,
  build: NodeBuilder,
): Value | null {
  const [, signal, parts] = shape ?? [];
  const window = node.inputs[2] ?? null;
  const windowType = window === null ? null : (types.get(window) ?? window.type);
  const windowShape = window?.tensor?.shape ?? (windowType?.kind === 'tensor' ? windowType.shape : null);
  const windowLength = windowShape?.[0];
  const step = operand(node, 1, null);
  const length = operand(node, 3, typeof windowLength === 'number' ? windowLength : null);
  if (typeof signal !== 'number' || typeof parts !== 'number') return null;
  if (dtype === null || step === null || length === null || length > signal) return null;
  const count = Math.floor((signal - length) / step) + 1;
  const places = Array.from({ length: count * length }, (_, at) => Math.floor(at / length) * step + (at % length));
  const framed = build.gather(x, tensorFromInt64(places, [count, length]), 1, 'frames');
  const basis = basisOf(build, dtype, length, length, node.int('onesided', 1) === 1, false);
  const part = (index: number): Value => {
    const frame = build.gather(framed, scalarTensor('int64', index), 3, 'part');
    return window === null ? frame : build.add('Mul', [frame, window], 'windowed');
  };
  return complexProduct(build, part(0), parts > 1 ? part(1) : null, basis, 3);
}

interface Basis {
  readonly cosines: Value;
  readonly sines: Value;
}

/**
 * [signal, bins] of a transform of `length`: a longer signal is cut, so the rows of what is left over are zero, and a shorter one
 * goes on with zeros, whose rows are left out. The inverse turns the other way and divides by the length.
 */
function basisOf(
  build: NodeBuilder,
  dtype: DType,
  signal: number,
  length: number,
  isOneSided: boolean,
  isInverse: boolean,
): Basis {
  const bins = isOneSided ? Math.floor(length / 2) + 1 : length;
  const matrix = (of: (angle: number) => number, name: string): Value => {
    const values = Array.from({ length: signal * bins }, (_, at) => {
      const n = Math.floor(at / bins);
      // Whole turns are left out, so that the angle keeps its precision.
      return n < length ? of((2 * Math.PI * ((n * (at % bins)) % length)) / length) : 0;
    });
    return build.constant(tensorFromNumbers(dtype, values, [signal, bins]), name);
  };
  const factor = isInverse ? 1 / length : 1;
  const direction = isInverse ? factor : -factor;
  return {
    cosines: matrix((angle) => Math.cos(angle) * factor, 'cosines'),
    sines: matrix((angle) => Math.sin(angle) * direction, 'sines'),
  };
}

/** Real and imaginary part of the product, joined along the new dimension `axis`. */
function complexProduct(
  build: NodeBuilder,
  real: Value,
  imaginary: Value | null,
  { cosines, sines }: Basis,
  axis: number,
): Value {
  let [a, b] = [build.add('MatMul', [real, cosines], 'real'), build.add('MatMul', [real, sines], 'imaginary')];
  if (imaginary !== null) {
    a = build.add('Sub', [a, build.add('MatMul', [imaginary, sines], 'turned')], 'real');
    b = build.add('Add', [b, build.add('MatMul', [imaginary, cosines], 'kept')], 'imaginary');
  }
  return build.concat(
    [a, b].map((each) => build.unsqueeze(each, [axis])),
    axis,
  );
}
