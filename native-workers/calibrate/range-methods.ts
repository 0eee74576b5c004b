/**
 * Methods that choose the range of an activation from its statistics. Each is a function of the streamed statistics alone,
 * so all of them can be tried without running the model again.
 */
import { BINS, type Histogram } from './histogram.ts';
import type { Range } from './quantization-parameters.ts';

export const RANGE_METHODS = ['minmax', 'moving-average', 'percentile', 'mse', 'entropy'] as const;
export type RangeMethod = (typeof RANGE_METHODS)[number];

/** What calibration keeps of a tensor. */
export interface TensorStatistics {
  /** Over all samples. */
  readonly range: Range;
  /** Exponential moving average of the range of each batch (factor 0.01, as ONNX Runtime's `CalibMovingAverageConstant`). */
  readonly average: Range;
  /** null before the second pass, and for a tensor that is constant. */
  readonly histogram: Histogram | null;
}

export interface MethodOptions {
  /** Share of the elements kept by `percentile`, in percent, counted at each side on its own. */
  readonly percentile: number;
  /** Codes that the range is divided into: 255 steps for 8 bits. */
  readonly steps: number;
}

export function chooseRange(method: RangeMethod, statistics: TensorStatistics, options: MethodOptions): Range {
  const { histogram } = statistics;
  if (method === 'moving-average') return statistics.average;
  if (method === 'minmax' || histogram === null || histogram.total === 0) return statistics.range;
  if (method === 'percentile') return percentileRange(histogram, options.percentile);
  if (method === 'mse') return leastSquaresRange(histogram, options.steps);
  return entropyRange(histogram, options.steps + 1);
}

/** Cuts (100 - percentile) % of the elements off each end that lies beyond zero. */
function percentileRange(histogram: Histogram, percentile: number): Range {
  const tail = histogram.total * (1 - percentile / 100);
  let first = 0;
  for (let cut = histogram.counts[0] as number; cut <= tail && first < BINS - 1; )
    cut += histogram.counts[++first] as number;
  let last = BINS - 1;
  for (let cut = histogram.counts[last] as number; cut <= tail && last > 0; ) cut += histogram.counts[--last] as number;
  return {
    min: histogram.range.min + first * histogram.binWidth,
    max: histogram.range.min + (last + 1) * histogram.binWidth,
  };
}

/**
 * The range of least expected squared error: clipped mass pays its squared distance to the bound, all other elements but
 * exact zeros pay step^2/12, the variance of uniform rounding noise. With prefix sums of 1, x and x^2 one candidate is O(1);
 * a coarse grid of 40 x 40 and three refinements around the best cover the plane (compression.md 2.2).
 */
function leastSquaresRange(histogram: Histogram, steps: number): Range {
  const mass = new Float64Array(BINS + 1);
  const first = new Float64Array(BINS + 1);
  const second = new Float64Array(BINS + 1);
  for (let bin = 0; bin < BINS; bin++) {
    const count = histogram.counts[bin] as number;
    const x = histogram.center(bin);
    mass[bin + 1] = (mass[bin] as number) + count;
    first[bin + 1] = (first[bin] as number) + count * x;
    second[bin + 1] = (second[bin] as number) + count * x * x;
  }
  const binOf = (x: number): number =>
    Math.min(BINS, Math.max(0, Math.round((x - histogram.range.min) / histogram.binWidth)));
  /** Sum over the bins [from, to) of count * (x - bound)^2. */
  const clipped = (from: number, to: number, bound: number): number =>
    (second[to] as number) -
    (second[from] as number) -
    2 * bound * ((first[to] as number) - (first[from] as number)) +
    bound * bound * ((mass[to] as number) - (mass[from] as number));
  const error = (min: number, max: number): number => {
    const step = (max - min) / steps;
    const low = binOf(min);
    const high = binOf(max);
    const inside = Math.max(0, (mass[high] as number) - (mass[low] as number) - histogram.zeros);
    return (inside * step * step) / 12 + clipped(0, low, min) + clipped(high, BINS, max);
  };

  const lowest = Math.min(histogram.range.min, 0);
  const highest = Math.max(histogram.range.max, 0);
  let best = { min: lowest, max: highest, error: error(lowest, highest) };
  let width = { min: -lowest / 40, max: highest / 40 };
  for (let round = 0; round < 4; round++) {
    const around = best;
    const from = round === 0 ? -40 : -6;
    for (let i = from; i <= (round === 0 ? -1 : 6); i++) {
      for (let j = from; j <= (round === 0 ? -1 : 6); j++) {
        const min = round === 0 ? i * width.min : around.min + i * width.min;
        const max = round === 0 ? -j * width.max : around.max + j * width.max;
        if (min < lowest || max > highest || min > 0 || max < 0 || min >= max) continue;
        const candidate = error(min, max);
        if (candidate < best.error) best = { min, max, error: candidate };
      }
    }
    width = { min: width.min / 5, max: width.max / 5 };
  }
  return { min: best.min, max: best.max };
}

/** Bins and levels that TensorRT's calibrator scans, however many codes there are: see `entropyRange`. */
const ENTROPY_LEVELS = 256;
/** Thresholds tried by `entropyRange`, evenly from the least that leaves a bin to each level up to the whole range. */
const ENTROPY_CANDIDATES = 128;
/** A bin is a spike when it holds more than this many times what is usual among so many bins on each side of it. */
const SPIKE = 4;
const NEIGHBOURS = 8;

/**
 * The range whose quantized distribution is closest to the true one by Kullback-Leibler divergence. TensorRT's calibrator (S.
 * Migacz, "8-bit inference with TensorRT", 2017) cuts |x| at a threshold; here each end that lies beyond it is cut, so that the
 * short side of a GELU is kept whole. 128 levels of |x| are 256 of a range with both signs. Three things are done otherwise:
 *
 * - Exact zeros are left out, as TensorRT leaves out its first bin: every range represents them exactly, but as mass of one bin
 *   that a level spreads over eight they would cost more than any clipping, and the narrowest range would always win.
 * - So are other spikes, for the same reason: channels that are constant (a bias through a ReLU) and the bounds of a Clip are points
 *   that rounding moves and does not spread. Outside of the range they count in full: clipping does cost them their place.
 * - The quantized distribution is not brought back to a sum of 1 after what was clipped is taken from it. Else a range that lies
 *   between two humps, with nearly all elements folded into its two ends on either side of the comparison, would be perfect.
 *
 * Measured without the last two and with them. UltraFace, four random inputs: signal to noise of the scores 18 and 46 dB (least squared
 * error: 53). Divergence of the answers in 1e-3, weights to nearest, three draws, beside that of least squared error: glyphs-mobilenetv2
 * 5.3 (one draw), and 1.30, 1.44, 1.44 beside 1.20, 1.28, 1.31; glyphs-resnet 0.31 (one draw), and 0.30, 0.30, 0.34 beside 0.25, 0.28, 0.29.
 *
 * The divergence knows nothing of distances, so it can still clip what carries the signal. Hence no default.
 */
function entropyRange(histogram: Histogram, codes: number): Range {
  const { range, binWidth } = histogram;
  const levels = Math.min(codes, ENTROPY_LEVELS);
  const binOf = (x: number): number => Math.min(BINS, Math.max(0, Math.round((x - range.min) / binWidth)));
  const counts = histogram.counts.slice();
  const zero = Math.min(BINS - 1, Math.max(0, Math.floor((0 - range.min) / binWidth)));
  counts[zero] = Math.max(0, (counts[zero] as number) - histogram.zeros);
  const smooth = withoutSpikes(counts);
  const largest = Math.max(-range.min, range.max);
  let best = { divergence: Number.POSITIVE_INFINITY, low: 0, high: BINS };
  for (let candidate = ENTROPY_CANDIDATES; candidate > 0; candidate--) {
    const threshold = (largest * candidate) / ENTROPY_CANDIDATES;
    const low = binOf(-threshold);
    const high = binOf(threshold);
    if (high - low < levels) break;
    const divergence = divergenceOf(counts, smooth, low, high, levels);
    if (divergence < best.divergence) best = { divergence, low, high };
  }
  return { min: range.min + best.low * binWidth, max: range.min + best.high * binWidth };
}

/** Spikes cut down to the median of their neighbours. */
function withoutSpikes(counts: Float64Array): Float64Array {
  return counts.map((count, bin) => {
    if (count <= SPIKE) return count;
    const around = counts.slice(Math.max(0, bin - NEIGHBOURS), bin + NEIGHBOURS + 1).sort();
    const median = around[around.length >> 1] as number;
    return count > SPIKE * (median + 1) ? median : count;
  });
}

/**
 * KL divergence, in nats, of the bins [low, high) merged into `levels` groups from the same bins with the mass outside folded
 * into the outermost. A group's mass is spread evenly over its bins that are not empty. `smooth` counts inside, `counts` outside.
 */
function divergenceOf(counts: Float64Array, smooth: Float64Array, low: number, high: number, levels: number): number {
  const original = smooth.slice(low, high);
  const last = original.length - 1;
  for (let bin = 0; bin < low; bin++) original[0] = (original[0] as number) + (counts[bin] as number);
  for (let bin = high; bin < BINS; bin++) original[last] = (original[last] as number) + (counts[bin] as number);
  let total = 0;
  let divergence = 0;
  for (let group = 0; group < levels; group++) {
    const from = Math.floor((group * original.length) / levels);
    const to = Math.floor(((group + 1) * original.length) / levels);
    let mass = 0;
    let filled = 0;
    for (let bin = from; bin < to; bin++) {
      mass += smooth[low + bin] as number;
      if ((original[bin] as number) > 0) filled++;
    }
    // A group that holds nothing but folded mass has none of its own: one element keeps the logarithm finite and the cost high.
    if (mass === 0 && filled > 0) mass = 1;
    for (let bin = from; bin < to; bin++) {
      const count = original[bin] as number;
      if (count === 0) continue;
      total += count;
      divergence += count * Math.log((count * filled) / mass);
    }
  }
  // Sum of p/T log((p/T) / (q/T)), T the mass of all elements on both sides.
  return total === 0 ? 0 : divergence / total;
}
