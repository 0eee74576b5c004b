/**
 * Weights in fewer bytes, on the finished graph. `float16`: half floats with a DEQUANTIZE before each reader, which XNNPACK undoes
 * when it loads the file. `dynamic`: the weights of products and convolutions in 8 or 4 bits; the runtime
 * quantizes the activations of each run.
 */
import { elementCount } from '../../graph/dtype.ts';
import { lateTensor } from '../../graph/late-tensor.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { tensorFromNumbers, toFloat32 } from '../../graph/tensor-values.ts';
import { floatToHalf, HALF_MIN_NORMAL, halfToFloat } from '../../lib/half.ts';
import type { Quantization, TflGraph, TflOperator, TflTensor } from './ir.ts';
import type { WeightPrecision } from './lower/terms.ts';

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

/** Elements along the inputs of a FULLY_CONNECTED that share a scale: the least that XNNPACK takes. */
const BLOCK = 32;

/** Products get the weights that `precision` names, convolutions 8 bits: the runtime has no kernel for them with floats and 4. */
export function dynamicWeights(graph: TflGraph, precision: Exclude<WeightPrecision, 'float32' | 'float16'>): number {
  const quantized = new Map<TflTensor, TflTensor>();
  for (const operator of graph.operators) {
    const axis = CHANNEL_AXIS[operator.code];
    const weights = operator.inputs[1];
    if (axis === undefined || !weights || !isLargeFloat(weights) || operator.inputs[0]?.dtype !== 'float32') continue;
    // The hybrid kernels have no groups.
    if (operator.code === 'CONV_2D' && weights.shape[3] !== operator.inputs[0].shape[3]) continue;
    const known = quantized.get(weights) ?? integerWeights(weights, axis, operator.code, precision);
    quantized.set(weights, known);
    operator.inputs = operator.inputs.map((input, index) => (index === 1 ? known : input));
  }
  return quantized.size;
}

function integerWeights(tensor: TflTensor, axis: number, code: string, precision: WeightPrecision): TflTensor {
  const inputs = tensor.shape[1] ?? 1;
  // Two codes share a byte, and rows begin at whole ones.
  if (precision === 'dynamic' || code !== 'FULLY_CONNECTED' || inputs % 2 !== 0) return perChannel(tensor, axis, 8);
  return precision === 'dynamic-int4-blocks' && inputs % BLOCK === 0 ? inBlocks(tensor) : perChannel(tensor, axis, 4);
}

/** Symmetric codes from -127 to 127 or -7 to 7, as TFLite's kernels want them. */
function perChannel(tensor: TflTensor, axis: number, bits: 4 | 8): TflTensor {
  const { constant, shape } = tensor;
  if (constant === null) return tensor;
  const channels = shape[axis] ?? 1;
  const inner = shape.slice(axis + 1).reduce((all, dim) => all * dim, 1);
  const channelOf = (at: number): number => Math.floor(at / inner) % channels;
  const scales = largestOf(constant, channels, channelOf).map((most) => scaleFor(most, bits));
  const dtype = bits === 4 ? 'int4' : 'int8';
  const quantization: Quantization = { scales, zeroPoints: scales.map(() => 0), axis };
  return { ...tensor, dtype, constant: codesOf(constant, dtype, (at) => scales[channelOf(at)] ?? 1), quantization };
}

/** Codes from -7 to 7, with a float16 scale for each block of a row. */
function inBlocks(tensor: TflTensor): TflTensor {
  const { constant, shape } = tensor;
  const [rows = 1, columns = 1] = shape;
  if (constant === null) return tensor;
  const blockOf = (at: number): number => Math.floor(at / BLOCK);
  const steps = [rows, columns / BLOCK];
  const scales = largestOf(constant, elementCount(steps), blockOf).map((most) => {
    const half = halfToFloat(floatToHalf(scaleFor(most, 4)));
    // XNNPACK takes normal numbers only.
    return Math.max(half, HALF_MIN_NORMAL);
  });
  const table = {
    name: `${tensor.name}_scales`,
    shape: steps,
    dtype: 'float16',
    constant: tensorFromNumbers('float16', scales, steps),
    quantization: null,
    signature: null,
  } as const;
  const quantization = { scales: [], zeroPoints: [], axis: 0, blocks: { scales: table, size: BLOCK } };
  return {
    ...tensor,
    dtype: 'int4',
    constant: codesOf(constant, 'int4', (at) => scales[blockOf(at)] ?? 1),
    quantization,
  };
}

function largestOf(constant: Tensor, groups: number, groupOf: (at: number) => number): number[] {
  const largest = new Float64Array(groups);
  const values = toFloat32(constant);
  for (let at = 0; at < values.length; at++) {
    const group = groupOf(at);
    largest[group] = Math.max(largest[group] ?? 0, Math.abs(values[at] ?? 0));
  }
  return Array.from(largest);
}

function scaleFor(most: number, bits: 4 | 8): number {
  return Math.fround(most === 0 ? 1 : most / (bits === 4 ? 7 : 127));
}

function codesOf(constant: Tensor, dtype: 'int4' | 'int8', scaleOf: (at: number) => number): Tensor {
  const count = elementCount(constant.shape);
  return lateTensor(dtype, constant.shape, dtype === 'int4' ? count / 2 : count, () => {
    const scaled = Float64Array.from(toFloat32(constant), (value, at) => value / scaleOf(at));
    return tensorFromNumbers(dtype, scaled, constant.shape).data.read();
  });
}
