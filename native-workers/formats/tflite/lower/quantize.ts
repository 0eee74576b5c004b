/**
 * QuantizeLinear and DequantizeLinear. Where scale and zero point are constants that TFLite can hold, they are parameters of a
 * tensor; otherwise they are arithmetic on plain integers.
 */
import { DTYPES } from '../../../graph/dtype.ts';
import { lateTensor } from '../../../graph/late-tensor.ts';
import type { Node } from '../../../graph/node.ts';
import type { Value } from '../../../graph/value.ts';
import type { TflTensor } from '../ir.ts';
import type { StoredType } from '../stored-type.ts';
import type { Lowering } from './lowering.ts';
import type { Lower } from './registry.ts';
import { positive, Refusal } from './terms.ts';

export const QUANTIZE_LOWERINGS: Readonly<Record<string, Lower>> = {
  QuantizeLinear: quantizeLinear,
  DequantizeLinear: dequantizeLinear,
  'com.microsoft:QuantizeLinear': quantizeLinear,
  'com.microsoft:DequantizeLinear': dequantizeLinear,
};

function quantizeLinear(node: Node, lowering: Lowering): void {
  const value = lowering.input(node, 0);
  const output = lowering.output(node);
  const stored = lowering.plan.types.of(node);
  if (
    stored === null ||
    stored.quantization.scales.length !== 1 ||
    (stored.dtype !== 'int8' && stored.dtype !== 'uint8' && stored.dtype !== 'int16')
  ) {
    lowering.result(node, quantizedByArithmetic(node, lowering));
    return;
  }
  const { shape } = lowering.type(output);
  const known = lowering.findQuantized(value);
  const codes =
    known !== null && known.constant === null
      ? requantized(lowering, known, { shape, ...stored })
      : lowering.emit('QUANTIZE', [lowering.tensor(value)], { shape, ...stored });
  if (codes.name === '') codes.name = output.name;
  lowering.setCodes(output, codes);
}

function quantizedByArithmetic(node: Node, lowering: Lowering): TflTensor {
  const dtype = lowering.dtype(lowering.output(node));
  const { kind, bits } = DTYPES[dtype];
  if ((kind !== 'signed' && kind !== 'unsigned') || bits > 16 || bits < 8)
    throw new Refusal(`quantization to ${dtype}`);
  const x = lowering.cast(lowering.tensor(lowering.input(node, 0)), 'float32');
  const [scale, zero] = operands(node, lowering, x);
  const steps = lowering.unary('ROUND', lowering.div(x, scale));
  const moved = zero === null ? steps : lowering.add(steps, zero);
  const low = kind === 'signed' ? -(2 ** (bits - 1)) : 0;
  return lowering.cast(lowering.clamp(moved, low, low + 2 ** bits - 1), 'int32');
}

/** Scale and zero point as floats that broadcast against x. */
function operands(node: Node, lowering: Lowering, x: TflTensor): [TflTensor, TflTensor | null] {
  const rank = x.shape.length;
  const axis = positive(node.int('axis', 1), rank);
  const block = node.int('block_size', 0);
  const shaped = (value: Value): TflTensor => {
    const tensor = lowering.cast(lowering.tensor(value), 'float32');
    if (tensor.shape.length === 1 && (tensor.shape[0] ?? 1) > 1) {
      return lowering.reshape(
        tensor,
        x.shape.map((_, index) => (index === axis ? (tensor.shape[0] ?? 1) : 1)),
      );
    }
    if (tensor.shape.length > 1 || block !== 0) {
      const indices = Array.from({ length: x.shape[axis] ?? 1 }, (_, at) => Math.floor(at / (block || 1)));
      return lowering.gather(tensor, lowering.int32(indices), axis);
    }
    return lowering.reshape(tensor, []);
  };
  const zero = lowering.optional(node, 2);
  return [shaped(lowering.input(node, 1)), zero === null ? null : shaped(zero)];
}

function dequantizeLinear(node: Node, lowering: Lowering): void {
  const value = lowering.input(node, 0);
  const output = lowering.output(node);
  const stored = lowering.plan.types.of(node);
  if (stored !== null && value.tensor !== null && stored.dtype !== 'int16') {
    lowering.setQuantized(output, constantCodes(value, stored, lowering));
    return;
  }
  const codes = lowering.findCodes(value);
  const isSame =
    codes?.quantization != null &&
    stored !== null &&
    codes.dtype === stored.dtype &&
    codes.quantization.scales.join() === stored.quantization.scales.join() &&
    codes.quantization.zeroPoints.join() === stored.quantization.zeroPoints.join();
  if (codes !== null && isSame) {
    lowering.setQuantized(output, codes);
    return;
  }
  const x = lowering.cast(lowering.tensor(value), 'float32');
  const [scale, zero] = operands(node, lowering, x);
  lowering.define(output, lowering.mul(zero === null ? x : lowering.sub(x, zero), scale));
}

/** A constant as TFLite stores it: signed, its scales along their axis. */
function constantCodes(value: Value, { dtype, quantization }: StoredType, lowering: Lowering): TflTensor {
  const { tensor } = value;
  if (tensor === null) throw new Refusal('a constant without data');
  const { shape } = tensor;
  const constant =
    tensor.dtype === dtype
      ? tensor
      : lateTensor(dtype, shape, tensor.data.byteLength, () => {
          // The top bit of each code turned over moves it by half of the range.
          const mask = dtype === 'int4' ? 0x88 : 0x80;
          return Uint8Array.from(tensor.data.read(), (byte) => byte ^ mask);
        });
  const axis = quantization.scales.length === 1 ? 0 : positive(quantization.axis, shape.length);
  const made = { name: value.name, shape, dtype, constant, quantization: { ...quantization, axis }, signature: null };
  const scalesFit = quantization.scales.length === 1 || quantization.scales.length === shape[axis];
  if (!scalesFit) throw new Refusal('scales that are not one for each channel');
  lowering.setCodes(value, made);
  return made;
}

/** A tensor whose quantization is what the source says, through a QUANTIZE where the operator keeps its input's. */
export function requantized(lowering: Lowering, y: TflTensor, stored: ReturnType<Lowering['resultType']>): TflTensor {
  const { quantization } = stored;
  if (quantization === undefined || y.quantization === null || hasCodesOf(y, stored)) return y;
  return lowering.emit('QUANTIZE', [y], { shape: y.shape, dtype: stored.dtype, quantization });
}

/** Whether codes of one scale and zero point mean the same in both. */
export function hasCodesOf(y: TflTensor, { dtype, quantization }: ReturnType<Lowering['resultType']>): boolean {
  return (
    y.dtype === dtype &&
    y.quantization?.scales[0] === quantization?.scales[0] &&
    y.quantization?.zeroPoints[0] === quantization?.zeroPoints[0]
  );
}
