/**
 * Weights and biases of convolutions and products: as float constants, as integer constants with their scales, or as tensors
 * that are computed.
 */
import { elementCount } from '../../graph/dtype.ts';
import { permutedTensor } from '../../graph/late-tensor.ts';
import type { Node } from '../../graph/node.ts';
import { tensorFromNumbers, toNumbers } from '../../graph/tensor-values.ts';
import type { Value } from '../../graph/value.ts';
import type { TflTensor } from './ir.ts';
import type { Lowering } from './lower/lowering.ts';
import { Refusal } from './lower/terms.ts';

/** A weight in ONNX's order, to be brought into TFLite's. */
export class Weights {
  readonly tensor: TflTensor;
  readonly #lowering: Lowering;

  constructor(tensor: TflTensor, lowering: Lowering) {
    this.tensor = tensor;
    this.#lowering = lowering;
  }

  get shape(): readonly number[] {
    return this.tensor.shape;
  }

  /** The scale of output channel `index`. */
  scale(index: number): number {
    const scales = this.tensor.quantization?.scales ?? [1];
    return scales[scales.length === 1 ? 0 : index] ?? 1;
  }

  /** The same elements with a dimension of 1 put in at 2, where channels stand before. */
  reshaped(shape: readonly number[]): Weights {
    return new Weights(this.#lowering.reshapeWeights(this.tensor, shape), this.#lowering);
  }

  /** The weight with its dimensions in TFLite's order; the axis of its scales moves along. */
  permuted(perm: readonly number[]): TflTensor {
    const { tensor } = this;
    if (tensor.constant === null) return this.#lowering.transpose(tensor, perm);
    const shape = perm.map((axis) => tensor.shape[axis] ?? 1);
    const { quantization: before } = tensor;
    // With one scale the axis is 0: LiteRT sends a DEPTHWISE_CONV_2D of another to a kernel that rounds each product twice.
    const axis = before === null || before.scales.length === 1 ? 0 : perm.indexOf(before.axis);
    const quantization = before === null ? null : { ...before, axis };
    return { ...tensor, shape, constant: permutedTensor(tensor.constant, perm), quantization };
  }
}

export function weightsOf(node: Node, index: number, lowering: Lowering): Weights {
  return new Weights(lowering.read(node, index), lowering);
}

/** The bias of `count` channels, zero for null: float, or int32 with the scale of input times weight. */
export function biasTensor(
  value: Value | null,
  count: number,
  x: TflTensor,
  weights: Weights,
  lowering: Lowering,
): TflTensor {
  if (x.quantization === null) {
    if (value === null) return lowering.constant('float32', new Float32Array(count), [count]);
    const bias = lowering.tensor(value);
    return elementCount(bias.shape) === count ? lowering.reshape(bias, [count]) : spread(bias, count, lowering);
  }
  const perChannel = (weights.tensor.quantization?.scales.length ?? 1) > 1;
  const scale = x.quantization.scales[0] ?? 1;
  const scales = Array.from({ length: perChannel ? count : 1 }, (_, channel) => scale * weights.scale(channel));
  const reals = value === null ? new Array<number>(count).fill(0) : realValues(value, lowering);
  if (reals === null) throw new Refusal('the bias of a quantized operator is computed');
  const codes = Array.from(
    { length: count },
    (_, channel) =>
      (reals.length === 1 ? (reals[0] ?? 0) : (reals[channel] ?? 0)) / (scales[perChannel ? channel : 0] ?? 1),
  );
  // Activations of 16 bits need sums of 64.
  const dtype = x.dtype === 'int16' ? 'int64' : 'int32';
  const tensor = lowering.constant(dtype, codes, [count]);
  const quantization = { scales, zeroPoints: scales.map(() => 0), axis: 0 };
  return { ...tensor, name: value?.name ?? '', quantization };
}

function spread(bias: TflTensor, count: number, lowering: Lowering): TflTensor {
  const [value] = bias.constant === null || elementCount(bias.shape) !== 1 ? [] : toNumbers(bias.constant);
  if (value === undefined) throw new Refusal('the bias has another size than the channels');
  return lowering.constant('float32', new Float32Array(count).fill(value), [count]);
}

/** The real values of a constant, dequantized where it is stored in integers; null when it is computed. */
function realValues(value: Parameters<Lowering['numbers']>[0], lowering: Lowering): number[] | null {
  const plain = lowering.numbers(value);
  if (plain !== null || value === null) return plain;
  const quantized = lowering.findQuantized(value);
  if (!quantized?.constant || quantized.quantization === null) return null;
  const { scales, zeroPoints } = quantized.quantization;
  return toNumbers(quantized.constant).map((code, index) => {
    const at = scales.length === 1 ? 0 : index;
    return (code - (zeroPoints[at] ?? 0)) * (scales[at] ?? 1);
  });
}

/** A float constant with each element multiplied: for alpha and beta of Gemm. */
export function scaledConstant(tensor: TflTensor, factor: number): TflTensor | null {
  if (tensor.constant === null || tensor.dtype !== 'float32') return null;
  if (factor === 1) return tensor;
  const values = toNumbers(tensor.constant).map((each) => Math.fround(each * factor));
  return { ...tensor, constant: tensorFromNumbers('float32', values, tensor.shape) };
}
