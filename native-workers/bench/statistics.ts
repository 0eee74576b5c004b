/**
 * What run times say: pure functions of the raw samples in the benchmark facts, for the report and the command line.
 *
 * The question is whether `after` is faster than `before` on a machine that does other things too. Three kinds of error are in
 * the way: slow drift (heat, neighbours), bursts, and luck of the process (memory layout; two starts of one model differ by one
 * percent or more for as long as they live; T. Mytkowicz et al., "Producing Wrong Data Without Doing Anything Obviously Wrong",
 * ASPLOS 2009). So:
 *  - blocks of both variants run next to each other, in random order, and only neighbours are compared: the log ratio of their
 *    medians. Drift slower than two blocks cancels;
 *  - the median of the log ratios between two process starts (an epoch) shrugs bursts off;
 *  - epochs, each with fresh processes, are the units that are counted and resampled: what is correlated within an epoch cannot
 *    pass for many independent runs (T. Kalibera, R. Jones, "Rigorous Benchmarking in Reasonable Time", ISMM 2013);
 *  - their 20 % trimmed mean is the estimate, and its standard error comes from a bootstrap whose blocks are the epochs, with
 *    Student's quantile for their number (T. Hesterberg, "What Teachers Should Know About the Bootstrap", 2015, on intervals
 *    for few units).
 *
 * In simulation (test/unit/bench/statistics.test.ts) the 95 % interval holds the truth in 95 to 99 % of runs, also with heavy
 * tails and correlated noise, and a comparison of equals is decided in 1 % or less; a bootstrap of pooled runs decides in a third.
 */
import { Random } from '../lib/random.ts';
import { median, quantile, sortedCopy, studentQuantile } from './distribution.ts';

/** Times in milliseconds; `count` and `warmup` in runs, `throughput` in runs a second. */
export interface Stats {
  mean: number;
  /** Sample standard deviation; 0 for one sample. */
  std: number;
  min: number;
  p50: number;
  p90: number;
  p95: number;
  p99: number;
  max: number;
  count: number;
  warmup: number;
  throughput: number;
}

/** A ratio of run times, after/before: below 1 is faster. */
export interface Verdict {
  value: number;
  low: number;
  high: number;
  confidence: number;
  verdict: 'faster' | 'slower' | 'inconclusive';
  /** About how many more runs of each variant would settle it. Absent when settled, and when nothing realistic would. */
  moreRuns?: number;
}

/** A difference below one percent is not called one: the machine itself, warm against cold, is not that constant. */
export const RELEVANT_CHANGE = 0.01;

/** Two-sided error probabilities: of the interval that is reported, and of stopping before the time is up. */
const REPORTED_ERROR = 0.05;
const EARLY_ERROR = 0.001;

const TRIM = 0.2;
const RESAMPLES = 1000;
/** Epochs needed before a comparison may stop early. */
const EARLY_EPOCHS = 4;
/** Blocks of facts without epochs are put into at most this many units. */
const MOST_BATCHES = 10;
/** With a single unit nothing is known about the noise: the interval is this factor wide on both sides. */
const UNKNOWN_FACTOR = 100;
/** More runs than this many times those done is no advice. */
const MOST_MORE = 100;

/** Percentiles interpolate between neighbours (R type 7). Throws when there are no samples. */
export function statsOf(samples: readonly number[] | Float64Array, warmup: number): Stats {
  if (samples.length === 0) throw new RangeError('Statistics of no samples.');
  const sorted = sortedCopy(samples);
  const count = sorted.length;
  const mean = sorted.reduce((sum, value) => sum + value, 0) / count;
  const squares = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    mean,
    std: count < 2 ? 0 : Math.sqrt(squares / (count - 1)),
    min: quantile(sorted, 0),
    p50: quantile(sorted, 0.5),
    p90: quantile(sorted, 0.9),
    p95: quantile(sorted, 0.95),
    p99: quantile(sorted, 0.99),
    max: quantile(sorted, 1),
    count,
    warmup,
    throughput: 1000 / mean,
  };
}

/**
 * Compares two variants of one benchmark. The i-th block of one ran next to the i-th of the other. `epochs` says to which
 * epoch each block belongs (`epochs` of the variant in the facts); without it, neighbouring blocks form the units.
 * Throws when there is no pair of blocks with samples.
 */
export function compareBlocks(
  before: readonly (readonly number[])[],
  after: readonly (readonly number[])[],
  seed: number,
  epochs?: readonly number[],
): Verdict {
  const units = unitsOf(before, after, epochs);
  const { center, half } = estimate(units, seed, REPORTED_ERROR);
  const value = Math.exp(center);
  const runs = Math.min(countOf(before), countOf(after));
  if (half === null) {
    const low = value / UNKNOWN_FACTOR;
    return { value, low, high: value * UNKNOWN_FACTOR, confidence: 0.95, verdict: 'inconclusive', moreRuns: runs * 4 };
  }
  const verdict = verdictOf(center, half);
  const moreRuns = verdict === 'inconclusive' ? moreRunsFor(center, half, runs) : null;
  return {
    value,
    low: Math.exp(center - half),
    high: Math.exp(center + half),
    confidence: 1 - REPORTED_ERROR,
    verdict,
    ...(moreRuns === null ? {} : { moreRuns }),
  };
}

/**
 * Whether a comparison may stop before its time is up: the difference is beyond doubt, or shown to be irrelevant. Looking
 * again and again at a 95 % interval would find differences where none are, so an early stop asks for 99.9 % (J. Haybittle
 * 1971, R. Peto et al. 1976); the error of the whole procedure stays about that of the final look.
 */
export function isSettled(
  before: readonly (readonly number[])[],
  after: readonly (readonly number[])[],
  seed: number,
  epochs: readonly number[],
): boolean {
  const units = unitsOf(before, after, epochs);
  if (units.length < EARLY_EPOCHS) return false;
  const { center, half } = estimate(units, seed, EARLY_ERROR);
  return half !== null && (verdictOf(center, half) !== 'inconclusive' || isIrrelevant(center, half));
}

export interface Noise {
  /** Median of the last third of the blocks over that of the first third: 1 when the machine stayed as it was. */
  readonly drift: number;
  /** Samples further than three interquartile ranges above the upper quartile (Tukey's far out). They are kept. */
  readonly outliers: number;
  readonly count: number;
}

/** How calm the machine was for one variant. Throws when there are no samples. */
export function noiseOf(blocks: readonly (readonly number[])[]): Noise {
  const medians = blocks.filter((block) => block.length > 0).map(median);
  const third = Math.max(1, Math.floor(medians.length / 3));
  const sorted = sortedCopy(blocks.flat());
  const upper = quantile(sorted, 0.75);
  const limit = upper + 3 * (upper - quantile(sorted, 0.25));
  return {
    drift: median(medians.slice(-third)) / median(medians.slice(0, third)),
    outliers: sorted.reduce((sum, value) => sum + (value > limit ? 1 : 0), 0),
    count: sorted.length,
  };
}

/** One number per unit: the median of the log ratios of its pairs. */
function unitsOf(
  before: readonly (readonly number[])[],
  after: readonly (readonly number[])[],
  epochs: readonly number[] | undefined,
): number[] {
  const pairs: { readonly block: number; readonly ratio: number }[] = [];
  for (const [block, times] of before.entries()) {
    const others = after[block];
    if (others === undefined || times.length === 0 || others.length === 0) continue;
    pairs.push({ block, ratio: Math.log(median(others) / median(times)) });
  }
  if (pairs.length === 0) throw new RangeError('No block of one variant has a neighbour of the other.');
  // A round has two pairs, in opposite order, which belong together.
  const batch = 2 * Math.ceil(pairs.length / 2 / MOST_BATCHES);
  const units = new Map<number, number[]>();
  for (const [index, { block, ratio }] of pairs.entries()) {
    const unit = epochs?.[block] ?? Math.floor(index / batch);
    const ratios = units.get(unit);
    if (ratios === undefined) units.set(unit, [ratio]);
    else ratios.push(ratio);
  }
  return [...units.values()].map(median);
}

interface Estimate {
  /** Of the log ratio. */
  readonly center: number;
  /** Half the width of its interval; null when there is one unit only. */
  readonly half: number | null;
}

function estimate(units: readonly number[], seed: number, error: number): Estimate {
  const center = trimmedMean(units);
  const count = units.length;
  if (count < 2) return { center, half: null };
  const random = new Random(seed);
  const resample = new Float64Array(count);
  const centers = new Float64Array(RESAMPLES);
  for (let index = 0; index < RESAMPLES; index++) {
    for (let unit = 0; unit < count; unit++) resample[unit] = units[random.below(count)] ?? 0;
    centers[index] = trimmedMean(resample);
  }
  const mean = centers.reduce((sum, value) => sum + value, 0) / RESAMPLES;
  const variance = centers.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (RESAMPLES - 1);
  // A bootstrap's variance is that of n, not n - 1.
  const standardError = Math.sqrt((variance * count) / (count - 1));
  return { center, half: studentQuantile(1 - error / 2, count - 1) * standardError };
}

function trimmedMean(values: readonly number[] | Float64Array): number {
  const sorted = sortedCopy(values);
  const cut = Math.floor(sorted.length * TRIM);
  let sum = 0;
  for (let index = cut; index < sorted.length - cut; index++) sum += sorted[index] ?? 0;
  return sum / (sorted.length - 2 * cut);
}

function verdictOf(center: number, half: number): Verdict['verdict'] {
  if (center - half > Math.log(1 + RELEVANT_CHANGE)) return 'slower';
  if (center + half < Math.log(1 - RELEVANT_CHANGE)) return 'faster';
  return 'inconclusive';
}

function isIrrelevant(center: number, half: number): boolean {
  return center - half > Math.log(1 - RELEVANT_CHANGE) && center + half < Math.log(1 + RELEVANT_CHANGE);
}

/** The width falls with the root of the number of runs; it must come down to the distance from the limit of relevance. */
function moreRunsFor(center: number, half: number, runs: number): number | null {
  if (isIrrelevant(center, half)) return null;
  const wanted = Math.max(Math.abs(Math.abs(center) - RELEVANT_CHANGE), RELEVANT_CHANGE / 4);
  const factor = (half / wanted) ** 2 - 1;
  if (factor > MOST_MORE) return null;
  return roundUp(Math.max(1, runs * factor));
}

/** To two digits: it is an estimate of an estimate. */
function roundUp(count: number): number {
  const unit = Math.max(1, 10 ** (Math.floor(Math.log10(count)) - 1));
  return Math.ceil(count / unit) * unit;
}

function countOf(blocks: readonly (readonly number[])[]): number {
  return blocks.reduce((sum, block) => sum + block.length, 0);
}
