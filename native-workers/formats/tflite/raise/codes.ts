/**
 * The integers of quantized tensors in ONNX. 8-bit activations are uint8 there, int8 ones moved by 128: ONNX Runtime on x86
 * has kernels for those only, and its own pass from int8 leaves a tensor of several readers as it is, so that the convolutions
 * around each sum stay float (15 of the 53 of a MobileNetV2) and round otherwise than LiteRT. Weights stay int8.
 */
import { type Attribute, intAttribute } from '../../../graph/attribute.ts';
import type { DType } from '../../../graph/dtype.ts';
import { ConvertedData } from '../../../graph/tensor-data.ts';
import { tensorFromNumbers } from '../../../graph/tensor-values.ts';
import type { Value } from '../../../graph/value.ts';
import type { TfliteTensor } from '../file.ts';
import type { NodeBuilder } from './node-builder.ts';

/** real = scale * (stored - zeroPoint): one pair, or one for each index of `axis`. */
export interface Codes {
  readonly dtype: DType;
  readonly scales: readonly number[];
  readonly zeroPoints: readonly number[];
  readonly axis: number;
}

/** Types whose quantized tensors hold codes. */
function isInteger(dtype: DType): boolean {
  return dtype === 'int8' || dtype === 'uint8' || dtype === 'int16' || dtype === 'int32' || dtype === 'int4';
}

/** What the file says of a quantized tensor; null for one that is none. */
export function codesOf({ dtype, quantization }: TfliteTensor): Codes | null {
  if (quantization === null || !isInteger(dtype)) return null;
  const { scales, zeroPoints, axis } = quantization;
  return { dtype, scales, zeroPoints, axis };
}

/** The same as an activation in the graph. */
export function inOnnx(codes: Codes): Codes {
  if (codes.dtype !== 'int8') return codes;
  return { ...codes, dtype: 'uint8', zeroPoints: codes.zeroPoints.map((zero) => zero + 128) };
}

/** An int8 constant as the uint8 one of the same real values: the top bit of each code turned over. */
export function turned(tensor: TfliteTensor): TfliteTensor {
  const { data } = tensor;
  return {
    ...tensor,
    dtype: 'uint8',
    data: data === null ? null : new ConvertedData(data, 1, 1, (bytes) => bytes.map((byte) => byte ^ 0x80)),
  };
}

export function quantize(builder: NodeBuilder, value: Value, codes: Codes, name: string): Value {
  const { inputs, attributes } = parameters(builder, codes);
  const made = builder.op('QuantizeLinear', [value, ...inputs], attributes);
  made.name = builder.unique(`${name}_quantized`);
  return made;
}

export function dequantize(builder: NodeBuilder, value: Value, codes: Codes, name: string): Value {
  const { inputs, attributes } = parameters(builder, codes);
  const made = builder.op('DequantizeLinear', [value, ...inputs], attributes);
  made.name = builder.unique(`${name}_dequantized`);
  return made;
}

function parameters(
  builder: NodeBuilder,
  { dtype, scales, zeroPoints, axis }: Codes,
): { inputs: Value[]; attributes: Record<string, Attribute> } {
  const perAxis = scales.length > 1;
  const shape = perAxis ? [scales.length] : [];
  const inputs = [
    builder.initializer(tensorFromNumbers('float32', scales, shape)),
    builder.initializer(tensorFromNumbers(dtype, zeroPoints, shape)),
  ];
  return { inputs, attributes: perAxis ? { axis: intAttribute(axis) } : {} };
}
