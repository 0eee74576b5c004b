/** Quantized activations. Source: coremltools, ops/defs/iOS17/quantization_ops.py. */
import type { Value } from '../../../graph/value.ts';
import { type Call, onnxDType, type Raise } from './raising.ts';

/** Scale and zero point: scalars, or a vector along the axis. */
const quantization =
  (opType: string): Raise =>
  (call) => {
    const dtype = opType === 'QuantizeLinear' ? call.output().dtype : call.type('input').dtype;
    const zero = call.optional('zero_point') ?? fillZero(call, dtype);
    // ONNX's result is of the scale's type, and so is MIL's.
    return call.raising.one(
      opType,
      [call.x('input'), call.x('scale'), zero],
      call.has('axis') ? { axis: call.number('axis') } : {},
    );
  };

function fillZero(call: Call, dtype: Parameters<typeof onnxDType>[0]): Value {
  const shape = call.type('scale').shape.map((dim) => dim ?? 1);
  const zero = call.raising.scalar(onnxDType(dtype), 0);
  return shape.length === 0 ? zero : call.raising.one('Expand', [zero, call.raising.int64s(shape)]);
}

export const QUANTIZATION: Readonly<Record<string, Raise>> = {
  dequantize: quantization('DequantizeLinear'),
  quantize: quantization('QuantizeLinear'),
};
