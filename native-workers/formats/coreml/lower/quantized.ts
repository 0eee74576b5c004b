/**
 * QuantizeLinear and DequantizeLinear: weights become compressed constants, activations of int8 and uint8 MIL's own operators
 * (iOS 17). Other types, scales that are computed and scales by block are written out as arithmetic on int32 and floats.
 */
import type { DType } from '../../../graph/dtype.ts';
import { LateData } from '../../../graph/late-tensor.ts';
import type { Node } from '../../../graph/node.ts';
import { toNumbers } from '../../../graph/tensor-values.ts';
import { bytesOf, numbersConstant } from '../constants.ts';
import { constantOf, type MilConstant, MilValue } from '../program.ts';
import { blockedConstant } from './blocks.ts';
import { expandDims, take } from './builders.ts';
import type { Lower, Lowering } from './lowering.ts';
import { Refusal, staticDims } from './terms.ts';
import { affine } from './weights.ts';

type Small = 'int8' | 'uint8';

export const RANGES: Partial<Record<DType, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int4: [-8, 7],
  uint4: [0, 15],
};

interface Scale {
  readonly scale: MilConstant;
  /** null when it is zero. */
  readonly zeroPoint: MilConstant | null;
  readonly axis: number;
}

function scaleOf(node: Node, lowering: Lowering, rank: number, dtype: Small): Scale {
  const scales = lowering.fixed(node, 1, 'the scale');
  const points = node.inputs[2] ? lowering.fixed(node, 2, 'the zero point') : [];
  const shape = scales.length === 1 ? [] : [scales.length];
  const axis = lowering.axis(node.int('axis', 1), Math.max(rank, 1));
  const zero = points.every((point) => point === 0);
  const zeros = points.length === 1 ? [] : [points.length];
  return {
    scale: numbersConstant('fp32', scales, shape),
    zeroPoint: zero ? null : numbersConstant(dtype, points, zeros),
    axis,
  };
}

/** Whether MIL's operator says it: int8 or uint8, by tensor or channel, with numbers that are known. */
function ownType(node: Node, dtype: DType): Small | null {
  const isKnown = node.inputs.slice(1).every((input) => input === null || input.isConstant);
  if (node.int('block_size', 0) !== 0 || !isKnown) return null;
  return dtype === 'int8' || dtype === 'uint8' ? dtype : null;
}

function quantize(node: Node, lowering: Lowering): void {
  const output = lowering.output(node);
  const { dtype } = lowering.type(output);
  const own = ownType(node, dtype);
  if (own === null) {
    lowering.result(node, quantizedByArithmetic(node, lowering, dtype));
    return;
  }
  lowering.require(17, 'quantized activations');
  const x = lowering.get(node, 0);
  if (x.type.dtype !== 'fp32') throw new Refusal('Core ML quantizes floats');
  const { scale, zeroPoint, axis } = scaleOf(node, lowering, x.type.shape.length, own);
  const made = new MilValue(lowering.names.unique(output.name), { dtype: own, shape: lowering.shape(output) });
  lowering.operation('quantize', parameters(lowering, { input: x }, scale, zeroPoint, axis, own), [made]);
  lowering.set(output, made);
}

function parameters(
  lowering: Lowering,
  inputs: { readonly input: MilValue },
  scale: MilConstant,
  zeroPoint: MilConstant | null,
  axis: number,
  outputDType: Small | null,
): Parameters<Lowering['operation']>[1] {
  return {
    ...inputs,
    scale: lowering.constant(scale, 'scale'),
    zero_point: zeroPoint === null ? null : lowering.constant(zeroPoint, 'zero_point'),
    axis: scale.type.shape.length === 0 ? null : lowering.int(axis, 'axis'),
    output_dtype: outputDType === null ? null : lowering.text(outputDType, 'output_dtype'),
  };
}

/** Scale or zero point as it is broadcast to the tensor: by tensor, along the axis, or repeated over each block. */
function spread(node: Node, lowering: Lowering, index: number, x: MilValue): MilValue {
  const value = lowering.cast(lowering.get(node, index), 'fp32');
  const rank = x.type.shape.length;
  const axis = lowering.axis(node.int('axis', 1), Math.max(rank, 1));
  const size = node.int('block_size', 0);
  if (size === 0) {
    if (value.type.shape.length === 0 || value.type.shape.join() === '1') return value;
    return expandDims(
      lowering,
      value,
      Array.from({ length: rank - 1 - axis }, (_, at) => at + 1),
    );
  }
  const [length = 1] = staticDims([x.type.shape[axis] ?? null], 'the blocks');
  return take(
    lowering,
    value,
    Array.from({ length }, (_, at) => Math.floor(at / size)),
    axis,
  );
}

function quantizedByArithmetic(node: Node, lowering: Lowering, dtype: DType): MilValue {
  const range = RANGES[dtype];
  if (range === undefined) throw new Refusal(`Core ML has no integers of the type ${dtype}`);
  lowering.precise();
  const x = lowering.cast(lowering.get(node, 0), 'fp32');
  const steps = lowering.unary('round', lowering.binary('real_div', x, spread(node, lowering, 1, x)));
  const moved = node.inputs[2] ? lowering.binary('add', steps, spread(node, lowering, 2, x)) : steps;
  return clipped(lowering, moved, range);
}

/** Rounded numbers as int32 within a range. */
export function clipped(lowering: Lowering, x: MilValue, [low, high]: readonly [number, number]): MilValue {
  const inside = lowering.op(
    'clip',
    { x, alpha: lowering.float(low, 'alpha'), beta: lowering.float(high, 'beta') },
    x.type,
  );
  return lowering.cast(inside, 'int32');
}

/** (x - zero point) * scale of integers of any type. */
function dequantizedByArithmetic(node: Node, lowering: Lowering): MilValue {
  lowering.precise();
  const x = lowering.cast(lowering.get(node, 0), 'fp32');
  const moved = node.inputs[2] ? lowering.binary('sub', x, spread(node, lowering, 2, x)) : x;
  return lowering.binary('mul', moved, spread(node, lowering, 1, x));
}

function dequantize(node: Node, lowering: Lowering): void {
  const value = lowering.input(node, 0);
  const output = lowering.output(node);
  const { tensor } = value;
  const { dtype } = lowering.type(value);
  const own = ownType(node, dtype);
  if (tensor === null) {
    if (own === null) {
      lowering.result(node, dequantizedByArithmetic(node, lowering));
      return;
    }
    lowering.require(17, 'quantized activations');
    // Inputs of int8 come as int32.
    const input = lowering.cast(lowering.value(value), own);
    const { scale, zeroPoint, axis } = scaleOf(node, lowering, input.type.shape.length, own);
    lowering.out(node, 'dequantize', parameters(lowering, { input }, scale, zeroPoint, axis, null));
    return;
  }
  if (own !== null) {
    const { scale, zeroPoint, axis } = scaleOf(node, lowering, tensor.shape.length, own);
    const data = constantOf({ dtype: own, shape: tensor.shape }, tensor.data);
    const zeros = zeroPoint ?? (own === 'uint8' ? numbersConstant('uint8', [0], []) : null);
    lowering.set(output, affine(lowering, output.name, data, scale, zeros, axis));
    return;
  }
  const isBlocked = node.int('block_size', 0) !== 0;
  const made = isBlocked ? blockedConstant(lowering, node, tensor) : realConstant(node, lowering);
  lowering.set(output, made ?? dequantizedByArithmetic(node, lowering));
}

/** A bias, or another small constant: it simply becomes float. */
function realConstant(node: Node, lowering: Lowering): MilValue | null {
  const tensor = lowering.tensor(node, 0);
  const scales = lowering.numbers(node, 1);
  const zeros = node.inputs[2] ? lowering.numbers(node, 2) : [];
  if (tensor === null || scales === null || zeros === null) return null;
  const axis = lowering.axis(node.int('axis', 1), Math.max(tensor.shape.length, 1));
  const inner = tensor.shape.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const data = new LateData(tensor.size * 4, () =>
    bytesOf(
      Float32Array.from(toNumbers(tensor), (code, index) => {
        const at = scales.length === 1 ? 0 : Math.floor(index / inner) % scales.length;
        return (code - (zeros[at] ?? 0)) * (scales[at] ?? 1);
      }),
    ),
  );
  return lowering.constant(constantOf({ dtype: 'fp32', shape: tensor.shape }, data), lowering.output(node).name);
}

/** Source: onnx Operators.md, DynamicQuantizeLinear. Its integers are for products, whose sums float16 does not hold. */
function dynamicQuantize(node: Node, lowering: Lowering): void {
  lowering.precise();
  const x = lowering.get(node, 0);
  const axes = x.type.shape.map((_, axis) => axis);
  const bound = (type: string, limit: string): MilValue => {
    const found = lowering.op(
      type,
      { x, axes: lowering.ints(axes, 'axes'), keep_dims: lowering.bool(false, 'keep_dims') },
      { dtype: 'fp32', shape: [] },
    );
    return lowering.binary(limit, found, lowering.float(0));
  };
  const [high, low] = [bound('reduce_max', 'maximum'), bound('reduce_min', 'minimum')];
  const scale = lowering.binary('mul', lowering.binary('sub', high, low), lowering.float(1 / 255));
  const steps = (of: MilValue): MilValue => lowering.unary('round', lowering.binary('real_div', of, scale));
  const byte = RANGES.uint8 ?? [0, 255];
  const none = lowering.binary('sub', lowering.float(0), low);
  const zeroPoint = clipped(lowering, lowering.unary('round', lowering.binary('real_div', none, scale)), byte);
  const codes = clipped(lowering, lowering.binary('add', steps(x), lowering.cast(zeroPoint, 'fp32')), byte);
  if (node.outputs[2]) lowering.set(node.outputs[2], zeroPoint);
  if (node.outputs[1]) lowering.set(node.outputs[1], scale);
  lowering.result(node, codes);
}

export const QUANTIZED: Readonly<Record<string, Lower>> = {
  QuantizeLinear: quantize,
  DequantizeLinear: dequantize,
  DynamicQuantizeLinear: dynamicQuantize,
};
