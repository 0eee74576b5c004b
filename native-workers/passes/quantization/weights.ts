/**
 * 8-bit weights: symmetric int8, one scale a channel. The scale is the one of least squared error among those that clip a
 * little (the largest weight need not set it), and where asked the codes are made safe for machines without VNNI.
 */
import { clamp, roundHalfEven } from '../../calibrate/quantization-parameters.ts';

export interface QuantizedWeight {
  /** In the layout of the source. */
  readonly codes: Int8Array;
  /** One a channel, or one. */
  readonly scales: Float32Array;
}

export interface WeightOptions {
  /** `max`: the largest magnitude becomes 127. `least-squares`: the scale of least squared error. */
  readonly scale: 'max' | 'least-squares';
  /** Keeps the sum of each pair of products inside int16, so that AVX2 cannot saturate. */
  readonly pairSafe: boolean;
  /** The smallest scale allowed for a channel; 0 for none. */
  readonly minimumScale?: (channel: number) => number;
}

/** A weight seen as `channels` rows of `length` elements each: where row and element stand in the source. */
export interface ChannelView {
  readonly channels: number;
  readonly length: number;
  /** Distance in the source between channels, and between the elements of one. */
  readonly channelStride: number;
  readonly elementStride: number;
  /**
   * Distance within a row between two weights whose products the kernel adds in pairs: 1 for matrices; the size of the
   * window for convolutions, whose kernels run over the input channels fastest.
   */
  readonly pairDistance: number;
}

/** The rows of a weight along `axis`. Only the first axis of any tensor, or either axis of a matrix, make even strides. */
export function channelView(shape: readonly number[], axis: number, perChannel: boolean): ChannelView {
  const size = shape.reduce((product, dim) => product * dim, 1);
  const pairDistance = shape.slice(2).reduce((product, dim) => product * dim, 1);
  if (!perChannel) return { channels: 1, length: size, channelStride: size, elementStride: 1, pairDistance };
  const channels = shape[axis] ?? 1;
  const length = size / channels;
  return axis === 0
    ? { channels, length, channelStride: length, elementStride: 1, pairDistance }
    : { channels, length, channelStride: 1, elementStride: channels, pairDistance };
}

/** Shares of the full range tried as clipping bounds: below 0.6 nothing real gains at 8 bits. */
const CLIP_SHARES = Array.from({ length: 17 }, (_, step) => 1 - step * 0.025);

export function quantizeWeight(source: Float32Array, view: ChannelView, options: WeightOptions): QuantizedWeight {
  const codes = new Int8Array(source.length);
  const scales = new Float32Array(view.channels);
  const row = new Float32Array(view.length);
  const rowCodes = new Int8Array(view.length);
  for (let channel = 0; channel < view.channels; channel++) {
    const start = channel * view.channelStride;
    let largest = 0;
    for (let index = 0; index < view.length; index++) {
      const weight = source[start + index * view.elementStride] as number;
      row[index] = weight;
      largest = Math.max(largest, Math.abs(weight));
    }
    scales[channel] = quantizeRow(row, largest, rowCodes, {
      scale: options.scale,
      pairDistance: options.pairSafe ? view.pairDistance : 0,
      minimum: options.minimumScale?.(channel) ?? 0,
    });
    for (let index = 0; index < view.length; index++)
      codes[start + index * view.elementStride] = rowCodes[index] as number;
  }
  return { codes, scales };
}

/** Quantizes one row into `codes` and returns its scale. A row of zeros gets scale 1. */
function quantizeRow(
  row: Float32Array,
  largest: number,
  codes: Int8Array,
  options: { readonly scale: WeightOptions['scale']; readonly pairDistance: number; readonly minimum: number },
): number {
  if (!(largest > 1e-30)) {
    codes.fill(0);
    return Math.max(1, options.minimum);
  }
  const full = largest / 127;
  const shares = options.scale === 'max' ? [1] : CLIP_SHARES;
  // Pair-safe codes lose by sharing what they gain by a finer step, so coarser scales are worth a try too (section 2.3).
  const candidates = options.pairDistance > 0 ? [...shares, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 2.01] : shares;
  let best = { error: Number.POSITIVE_INFINITY, scale: full };
  for (const share of candidates) {
    const scale = Math.fround(Math.max(full * share, options.minimum));
    const error =
      options.pairDistance > 0
        ? roundRow(row, scale, codes, options.pairDistance)
        : roundingError(row, scale, best.error);
    if (error < best.error) best = { error, scale };
  }
  roundRow(row, best.scale, codes, options.pairDistance);
  return best.scale;
}

/** The squared error of a row rounded at `scale`; not all of it once that is above `limit`. */
function roundingError(row: Float32Array, scale: number, limit: number): number {
  const perUnit = 1 / scale;
  let error = 0;
  for (let index = 0; index < row.length && error < limit; index++) {
    const weight = row[index] as number;
    const difference = weight - clamp(roundHalfEven(weight * perUnit), -127, 127) * scale;
    error += difference * difference;
  }
  return error;
}

/** Rounds a row at `scale`, and makes pairs at `pairDistance` safe unless that is 0; returns the squared error. */
function roundRow(row: Float32Array, scale: number, codes: Int8Array, pairDistance: number): number {
  for (let index = 0; index < row.length; index++) {
    codes[index] = clamp(roundHalfEven((row[index] as number) / scale), -127, 127);
  }
  if (pairDistance > 0) makePairsSafe(codes, pairDistance);
  let error = 0;
  for (let index = 0; index < row.length; index++) {
    const difference = (row[index] as number) - (codes[index] as number) * scale;
    error += difference * difference;
  }
  return error;
}

/** With activation codes up to 255, a pair of products stays inside int16 when its positive and negative weights sum to at most 128. */
const PAIR_LIMIT = 128;

/**
 * vpmaddubsw adds two uint8 x int8 products into int16 with saturation. Two weights of the same sign share the excess over
 * the limit (compression.md 2.3); weights of opposite sign cannot exceed it together. With an odd number of input channels
 * the kernel's pairs shift from one window position to the next, so every neighbour is a pair there.
 */
function makePairsSafe(codes: Int8Array, distance: number): void {
  const inputs = codes.length / distance;
  const step = inputs % 2 === 0 ? 2 : 1;
  for (let position = 0; position < distance; position++) {
    for (let input = 0; input + 1 < inputs; input += step) {
      shareExcess(codes, input * distance + position, (input + 1) * distance + position);
    }
    if (step === 1 && position + 1 < distance) shareExcess(codes, (inputs - 1) * distance + position, position + 1);
  }
}

function shareExcess(codes: Int8Array, one: number, other: number): void {
  const first = codes[one] as number;
  const second = codes[other] as number;
  if (first < 0 !== second < 0) return;
  const excess = Math.abs(first) + Math.abs(second) - PAIR_LIMIT;
  if (excess <= 0) return;
  const sign = Math.sign(first);
  const fromFirst = Math.min(Math.floor(excess / 2), Math.abs(first));
  codes[one] = first - sign * fromFirst;
  codes[other] = second - sign * (excess - fromFirst);
}

/** Relative error of the quantized weight: ||W - Q(W)|| / ||W||; 0 for a weight of zeros. */
export function relativeError(source: Float32Array, quantized: QuantizedWeight, view: ChannelView): number {
  let error = 0;
  let norm = 0;
  for (let channel = 0; channel < view.channels; channel++) {
    const scale = quantized.scales[channel] as number;
    for (let index = 0; index < view.length; index++) {
      const at = channel * view.channelStride + index * view.elementStride;
      const weight = source[at] as number;
      const difference = weight - (quantized.codes[at] as number) * scale;
      error += difference * difference;
      norm += weight * weight;
    }
  }
  return norm === 0 ? 0 : Math.sqrt(error / norm);
}
