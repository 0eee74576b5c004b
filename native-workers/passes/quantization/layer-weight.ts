/** The weight of a planned layer, and what its 8-bit codes must respect. */
import type { QuantizationParameters } from '../../calibrate/quantization-parameters.ts';
import { toFloat32 } from '../../graph/tensor-values.ts';
import { HoneError } from '../../protocol/errors.ts';
import type { ComputePlan } from './placement.ts';
import type { QuantizationTarget } from './targets.ts';
import { type ChannelView, channelView, type QuantizedWeight, quantizeWeight, type WeightOptions } from './weights.ts';

export interface LayerWeight {
  readonly source: Float32Array;
  readonly shape: readonly number[];
  readonly view: ChannelView;
  /** Of the layer in float; null when it has none. */
  readonly bias: Float32Array | null;
  /** Rounded to nearest. */
  readonly nearest: () => QuantizedWeight;
  /** The least scale with which the bias fits an int32, by channel. */
  minimumScale(channel: number): number;
}

const INT32_MAX = 2147483647;

/** `input`: parameters of what the layer reads, whose scale the bias takes in; null where the bias does not matter. */
export function layerWeight(
  plan: ComputePlan,
  input: QuantizationParameters | null,
  target: QuantizationTarget,
  options: Pick<WeightOptions, 'pairSafe'> & { readonly weightScale: WeightOptions['scale'] },
): LayerWeight {
  const { tensor } = plan.weight;
  if (tensor === null) throw new HoneError('internal', `The weight of ${plan.node.label} is no constant.`);
  const source = toFloat32(tensor);
  const bias = plan.bias?.tensor == null ? null : Float32Array.from(toFloat32(plan.bias.tensor));
  const perChannel = target.perChannel && !target.perTensorOperators.includes(plan.node.opType);
  const view = channelView(tensor.shape, plan.channelAxis, perChannel);
  const minimumScale = (channel: number): number =>
    input === null ? 0 : largestBias(bias, channel, view.channels) / (input.scale * INT32_MAX * 0.99);
  const nearest = (): QuantizedWeight =>
    quantizeWeight(source, view, { scale: options.weightScale, pairSafe: options.pairSafe, minimumScale });
  return { source, shape: tensor.shape, view, bias, nearest, minimumScale };
}

function largestBias(bias: Float32Array | null, channel: number, channels: number): number {
  if (bias === null) return 0;
  if (channels > 1) return Math.abs(bias[channel] ?? 0);
  return bias.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
}
