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
  /** null where none was asked for, and for a tensor that is constant. */
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
  if (method === 'percentile') return percentileRange(histogram, statistics.range, options.percentile);
  if (method === 'mse') return leastSquaresRange(histogram, statistics.range, options.steps);
  return entropyRange(histogram, statistics.range, options.steps + 1);
}

/** Cuts (100 - percentile) % of the elements off each end that lies beyond zero. */
function percentileRange(histogram: Histogram, range: Range, percentile: number): Range {
  const tail = histogram.total * (1 - percentile / 100);
  let first = 0;
  for (let cut = histogram.counts[0] as number; cut <= tail && first < BINS - 1; )
    cut += histogram.counts[++first] as number;
  let last = BINS - 1;
  for (let cut = histogram.counts[last] as number; cut <= tail && last > 0; ) cut += histogram.counts[--last] as number;
  return {
    min: Math.max(range.min, histogram.start(first)),
    max: Math.min(range.max, histogram.start(last + 1)),
  };
}

/**
 * The range of least expected squared error: clipped mass pays its squared distance to the bound, all other elements but
 * exact zeros pay step^2/12, the variance of uniform rounding noise. With prefix sums of 1, x and x^2 one candidate is O(1);
 * a coarse grid of 40 x 40 and three refinements around the best cover the plane (compression.md 2.2).
 */
function leastSquaresRange(histogram: Histogram, range: Range, steps: number): Range {
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
  /** Sum over the bins [from, to) of count * (x - bound)^2. */
  const clipped = (from: number, to: number, bound: number): number =>
    (second[to] as number) -
    (second[from] as number) -
    2 * bound * ((first[to] as number) - (first[from] as number)) +
    bound * bound * ((mass[to] as number) - (mass[from] as number));
  const error = (min: number, max: number): number => {
    const step = (max - min) / steps;
    const low = histogram.nearestStart(min);
    const high = histogram.nearestStart(max);
    const inside = Math.max(0, (mass[high] as number) - (mass[low] as number) - histogram.zeros);
    return (inside * step * step) / 12 + clipped(0, low, min) + clipped(high, BINS, max);
  };

  const lowest = Math.min(range.min, 0);
  const highest = Math.max(range.max, 0);
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
function entropyRange(histogram: Histogram, range: Range, codes: number): Range {
  const levels = Math.min(codes, ENTROPY_LEVELS);
  const first = histogram.binOf(range.min);
  const end = histogram.binOf(range.max) + 1;
  const counts = histogram.counts.slice(first, end);
  const zero = histogram.binOf(0) - first;
  if (zero in counts) counts[zero] = Math.max(0, (counts[zero] as number) - histogram.zeros);
  const divergenceOf = divergences(counts, withoutSpikes(counts), levels);
  const largest = Math.max(-range.min, range.max);
  let best = { divergence: Number.POSITIVE_INFINITY, low: 0, high: counts.length };
  for (let candidate = ENTROPY_CANDIDATES; candidate > 0; candidate--) {
    const threshold = (largest * candidate) / ENTROPY_CANDIDATES;
    const low = Math.max(0, histogram.nearestStart(-threshold) - first);
    const high = Math.min(
      counts.length,
      candidate < ENTROPY_CANDIDATES ? histogram.nearestStart(threshold) - first : end,
    );
    if (high - low < levels) break;
    const divergence = divergenceOf(low, high);
    if (divergence < best.divergence) best = { divergence, low, high };
  }
  return {
    min: Math.max(range.min, histogram.start(first + best.low)),
    max: Math.min(range.max, histogram.start(first + best.high)),
  };
}

/** Spikes cut down to the median of their neighbours. */
function withoutSpikes(counts: Float64Array): Float64Array {
  return counts.map((count, bin) => {
    const from = Math.max(0, bin - NEIGHBOURS);
    const to = Math.min(counts.length, bin + NEIGHBOURS + 1);
    // No spike where half of the neighbours are too large for that, which is far quicker to tell than their median.
    const small = count / SPIKE - 1;
    let larger = 0;
    for (let other = from; other < to; other++) if ((counts[other] as number) >= small) larger++;
    if (larger * 2 >= to - from) return count;
    return counts.slice(from, to).sort()[(to - from) >> 1] as number;
  });
}

/**
 * Returns a function of the KL divergence, in nats, of the bins [low, high) merged into `levels` groups from the same bins with the
 * mass outside folded into the outermost. A group's mass is spread evenly over its bins that are not empty. `smooth` counts inside,
 * `counts` outside.
 *
 * A bin of p elements in a group of mass m with f such bins adds p log(p f / m): with sums of m, f and p log p up to each bin a group
 * takes one logarithm.
 */
function divergences(
  counts: Float64Array,
  smooth: Float64Array,
  levels: number,
): (low: number, high: number) => number {
  const upTo = (term: (bin: number) => number): Float64Array => {
    const sums = new Float64Array(counts.length + 1);
    for (let bin = 0; bin < counts.length; bin++) sums[bin + 1] = (sums[bin] as number) + term(bin);
    return sums;
  };
  const entropy = (count: number): number => (count > 0 ? count * Math.log(count) : 0);
  const outside = upTo((bin) => counts[bin] as number);
  const inside = upTo((bin) => smooth[bin] as number);
  const filledBins = upTo((bin) => Number((smooth[bin] as number) > 0));
  const entropies = upTo((bin) => entropy(smooth[bin] as number));
  return (low, high) => {
    let total = 0;
    let divergence = 0;
    const add = (from: number, to: number, below: number, above: number): void => {
      let mass = (inside[to] as number) - (inside[from] as number);
      let filled = (filledBins[to] as number) - (filledBins[from] as number);
      let own = (entropies[to] as number) - (entropies[from] as number);
      const original = mass + below + above;
      if (original === 0) return;
      // What was outside, folded into the first bin and into the last.
      for (const [bin, folded] of below + above === 0
        ? []
        : ([
            [from, below],
            [to - 1, above],
          ] as const)) {
        const count = smooth[bin] as number;
        if (count === 0 && folded > 0) filled++;
        own += entropy(count + folded) - entropy(count);
      }
      // A group that holds nothing but folded mass has none of its own: one element keeps the logarithm finite and the cost high.
      if (mass === 0) mass = 1;
      total += original;
      divergence += own + original * Math.log(filled / mass);
    };
    for (let group = 0, from = low; group < levels; group++) {
      const to = low + Math.floor(((group + 1) * (high - low)) / levels);
      const below = group === 0 ? (outside[low] as number) : 0;
      add(from, to, below, group === levels - 1 ? (outside[counts.length] as number) - (outside[high] as number) : 0);
      from = to;
    }
    // Sum of p/T log((p/T) / (q/T)), T the mass of all elements on both sides.
    return total === 0 ? 0 : divergence / total;
  };
}
