/** What the report shows of one quantized activation. All of it follows from the histogram, without another run. */
import { BINS, type Histogram } from '../../calibrate/histogram.ts';
import type { Observation } from '../../calibrate/observation.ts';
import { type QuantizationParameters, type Range, rangeOf } from '../../calibrate/quantization-parameters.ts';
import type { RangeMethod } from '../../calibrate/range-methods.ts';

export interface ActivationFacts {
  readonly value: string;
  /** Smallest and largest element on the calibration data. */
  readonly min: number;
  readonly max: number;
  readonly scale: number;
  readonly zeroPoint: number;
  /** Smallest and largest number that the codes stand for: what lies outside is clipped. */
  readonly kept: { readonly min: number; readonly max: number };
  /** Which method set the range; null where it came from another value. */
  readonly method: RangeMethod | null;
  /** Share of the elements that lie outside the range and are clipped; null without a histogram. */
  readonly clipped: number | null;
  /** Power of the elements over the power of their rounding and clipping error; null without a histogram. */
  readonly signalToNoise: number | null;
  /** Elements by even steps from `min` to `max`; null without a histogram. */
  readonly histogram: readonly number[] | null;
}

/** Bins of the histogram that goes into the report. */
const REPORTED_BINS = 64;

export function activationFacts(
  value: string,
  observation: Observation | null,
  parameters: QuantizationParameters,
  method: RangeMethod | null,
): ActivationFacts {
  const histogram = observation?.histogram ?? null;
  const range = observation?.range ?? { min: 0, max: 0 };
  return {
    value,
    ...range,
    scale: parameters.scale,
    zeroPoint: parameters.zeroPoint,
    kept: rangeOf(parameters),
    method,
    ...(histogram === null || histogram.total === 0
      ? { clipped: null, signalToNoise: null, histogram: null }
      : { ...errorsOf(histogram, parameters), histogram: compact(histogram, range) }),
  };
}

/** Power of the elements over the power of their error; null without a histogram, or without error. */
export function signalToNoise(observation: Observation, parameters: QuantizationParameters): number | null {
  const { histogram } = observation;
  return histogram === null || histogram.total === 0 ? null : errorsOf(histogram, parameters).signalToNoise;
}

/** Rounding costs step^2/12 an element; clipping the squared distance to the bound; exact zeros cost nothing. */
function errorsOf(
  histogram: Histogram,
  parameters: QuantizationParameters,
): { clipped: number; signalToNoise: number | null } {
  const { min, max } = rangeOf(parameters);
  // An element less than half a step beyond the last code rounds to it like any other.
  const margin = Math.max(parameters.scale, histogram.binWidth) / 2;
  let power = 0;
  let noise = -(histogram.zeros * parameters.scale ** 2) / 12;
  let outside = 0;
  for (let bin = 0; bin < BINS; bin++) {
    const count = histogram.counts[bin] as number;
    const x = histogram.center(bin);
    const beyond = Math.max(min - x, x - max, 0);
    power += count * x * x;
    if (beyond > margin) {
      outside += count;
      noise += count * beyond * beyond;
    } else noise += (count * parameters.scale ** 2) / 12;
  }
  return { clipped: outside / histogram.total, signalToNoise: noise > 0 ? power / noise : null };
}

function compact(histogram: Histogram, { min, max }: Range): number[] {
  const merged = new Array<number>(REPORTED_BINS).fill(0);
  histogram.counts.forEach((count, bin) => {
    const share = (histogram.center(bin) - min) / (max - min);
    const target = Math.min(REPORTED_BINS - 1, Math.max(0, Math.floor(share * REPORTED_BINS)));
    merged[target] = (merged[target] ?? 0) + count;
  });
  return merged;
}
