/** Intervals and tests. All intervals are of 95 %, all tests two-sided. */
import { Random } from '../lib/random.ts';

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** 97.5 % quantile of the normal distribution. */
const Z = 1.959963984540054;

/** Wilson's score interval of a share (E. B. Wilson, 1927): honest for shares near 0 and 1 and for few samples. */
export function wilsonInterval(successes: number, samples: number): Interval {
  const share = successes / samples;
  const z2 = Z * Z;
  const center = (share + z2 / (2 * samples)) / (1 + z2 / samples);
  const half = (Z / (1 + z2 / samples)) * Math.sqrt((share * (1 - share)) / samples + z2 / (4 * samples * samples));
  // At the ends the formula gives 0 and 1 but for rounding.
  return { low: successes === 0 ? 0 : center - half, high: successes === samples ? 1 : center + half };
}

/**
 * McNemar's exact test: of the samples that only one model got right, each could have fallen either way with chance 1/2.
 * `lost`: right before and wrong after; `gained`: the other way. 1 when there are none.
 */
export function mcnemarExact(lost: number, gained: number): number {
  const n = lost + gained;
  const fewer = Math.min(lost, gained);
  // The tail of Binomial(n, 1/2) in logarithms, as 2^-n underflows from about a thousand on.
  let logChoose = 0;
  let tail = 0;
  for (let k = 0; k <= fewer; k++) {
    tail += Math.exp(logChoose - n * Math.LN2);
    logChoose += Math.log(n - k) - Math.log(k + 1);
  }
  return Math.min(1, 2 * tail);
}

/**
 * Interval of the difference of two paired shares: Wald's with one imagined sample more in each cell of disagreement
 * (Bonett and Price, 2012), which keeps its coverage for few samples and for no disagreement at all.
 */
export function pairedShareInterval(lost: number, gained: number, samples: number): Interval {
  const down = (lost + 1) / (samples + 2);
  const up = (gained + 1) / (samples + 2);
  const center = up - down;
  const half = Z * Math.sqrt((up + down - center * center) / (samples + 2));
  return { low: Math.max(-1, center - half), high: Math.min(1, center + half) };
}

export interface PairedBootstrap {
  readonly before: Interval;
  readonly after: Interval;
  /** Of after - before. */
  readonly difference: Interval;
  /**
   * Twice the smaller share of rounds in which the difference was at most, or at least, zero. The data itself counts as one round
   * more (Davison and Hinkley, 1997): so many rounds cannot show a smaller probability, and none shows zero.
   */
  readonly p: number;
}

/**
 * Percentile bootstrap over samples: each round draws as many samples with replacement, the same ones for both sides. Rounds
 * in which a value is not defined (a class is missing) are left out; null when too few are left to say anything.
 */
export function pairedBootstrap<Sample>(
  before: readonly Sample[],
  after: readonly Sample[],
  value: (samples: readonly Sample[]) => number,
  options: { readonly seed: number; readonly rounds: number },
): PairedBootstrap | null {
  const random = new Random(options.seed);
  const values: [number, number][] = [];
  const drawnBefore = before.slice();
  const drawnAfter = after.slice();
  for (let round = 0; round < options.rounds; round++) {
    for (let at = 0; at < before.length; at++) {
      const index = random.below(before.length);
      drawnBefore[at] = before[index] as Sample;
      drawnAfter[at] = after[index] as Sample;
    }
    const pair: [number, number] = [value(drawnBefore), value(drawnAfter)];
    if (pair.every(Number.isFinite)) values.push(pair);
  }
  if (values.length < options.rounds / 2) return null;
  const differences = values.map(([a, b]) => b - a);
  const share = (holds: (difference: number) => boolean): number =>
    (differences.filter(holds).length + 1) / (differences.length + 1);
  return {
    before: percentileInterval(values.map(([a]) => a)),
    after: percentileInterval(values.map(([, b]) => b)),
    difference: percentileInterval(differences),
    p: Math.min(
      1,
      2 *
        Math.min(
          share((difference) => difference <= 0),
          share((difference) => difference >= 0),
        ),
    ),
  };
}

function percentileInterval(values: number[]): Interval {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => {
    const place = share * (sorted.length - 1);
    const low = sorted[Math.floor(place)] as number;
    const high = sorted[Math.ceil(place)] as number;
    return low + (high - low) * (place - Math.floor(place));
  };
  return { low: at(0.025), high: at(0.975) };
}
