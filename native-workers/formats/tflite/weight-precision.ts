/**
 * Weights in fewer bytes, on the finished graph. `float16`: half floats with a DEQUANTIZE before each reader, which XNNPACK undoes
 * when it loads the file. `dynamic`: the weights of products and convolutions in 8 bits with a scale for each output channel;
 * the runtime quantizes the activations of each run.
 */
import { elementCount } from '../../graph/dtype.ts';
import { lateTensor } from '../../graph/late-tensor.ts';
import { tensorFromNumbers, toFloat32 } from '../../graph/tensor-values.ts';
import { floatToHalf } from '../../lib/half.ts';
import type { Quantization, TflGraph, TflOperator, TflTensor } from './ir.ts';

/** Smaller constants stay as they are: biases, scales, axes. */
const FEWEST_ELEMENTS = 256;

export function halfWeights(graph: TflGraph): number {
  const halves = new Map<TflTensor, TflTensor>();
  const made: TflOperator[] = [];
  for (const operator of graph.operators) {
    operator.inputs = operator.inputs.map((input) => {
      if (input === null || !isLargeFloat(input)) return input;
      const known = halves.get(input);
      if (known !== undefined) return known;
      const whole: TflTensor = { ...input, name: `${input.name}_float32`, constant: null };
      made.push({
        code: 'DEQUANTIZE',
        inputs: [halfOf(input)],
        outputs: [whole],
        options: {},
        source: operator.source,
      });
      halves.set(input, whole);
      return whole;
    });
    made.push(operator);
  }
  graph.operators = made;
  return halves.size;
}

function isLargeFloat({ constant, dtype, quantization, shape }: TflTensor): boolean {
  return constant !== null && dtype === 'float32' && quantization === null && elementCount(shape) >= FEWEST_ELEMENTS;
}

function halfOf(tensor: TflTensor): TflTensor {
  const { constant, shape } = tensor;
  if (constant === null) return tensor;
  const half = lateTensor('float16', shape, elementCount(shape) * 2, () => {
    // Beyond the range of half floats a finite weight stays finite.
    const bits = Uint16Array.from(toFloat32(constant), (value) =>
      floatToHalf(Math.min(65504, Math.max(-65504, value))),
    );
    return new Uint8Array(bits.buffer);
  });
  return { ...tensor, dtype: 'float16', constant: half };
}

/** Axis of the output channels in the weights of each operator that has kernels for float activations and 8-bit weights. */
const CHANNEL_AXIS: Readonly<Record<string, number>> = { FULLY_CONNECTED: 0, CONV_2D: 0, DEPTHWISE_CONV_2D: 3 };

export function dynamicWeights(graph: TflGraph): number {
  const quantized = new Map<TflTensor, TflTensor>();
  for (const operator of graph.operators) {
    const axis = CHANNEL_AXIS[operator.code];
    const weights = operator.inputs[1];
    if (axis === undefined || !weights || !isLargeFloat(weights) || operator.inputs[0]?.dtype !== 'float32') continue;
    // The hybrid kernels have no groups.
    if (operator.code === 'CONV_2D' && weights.shape[3] !== operator.inputs[0].shape[3]) continue;
    const known = quantized.get(weights) ?? eightBit(weights, axis);
    quantized.set(weights, known);
    operator.inputs = operator.inputs.map((input, index) => (index === 1 ? known : input));
  }
  return quantized.size;
}

/** Symmetric codes from -127 to 127, as TFLite's kernels want them. */
function eightBit(tensor: TflTensor, axis: number): TflTensor {
  const { constant, shape } = tensor;
  if (constant === null) return tensor;
  const channels = shape[axis] ?? 1;
  const inner = shape.slice(axis + 1).reduce((all, dim) => all * dim, 1);
  const largest = new Float64Array(channels);
  const values = toFloat32(constant);
  for (let at = 0; at < values.length; at++) {
    const channel = Math.floor(at / inner) % channels;
    largest[channel] = Math.max(largest[channel] ?? 0, Math.abs(values[at] ?? 0));
  }
  const scales = Array.from(largest, (most) => Math.fround(most === 0 ? 1 : most / 127));
  const codes = lateTensor('int8', shape, values.length, () => {
    const reals = toFloat32(constant);
    const scaled = Float64Array.from(reals, (value, at) => value / (scales[Math.floor(at / inner) % channels] ?? 1));
    return tensorFromNumbers('int8', scaled, shape).data.read();
  });
  const quantization: Quantization = { scales, zeroPoints: scales.map(() => 0), axis };
  return { ...tensor, dtype: 'int8', constant: codes, quantization };
}
