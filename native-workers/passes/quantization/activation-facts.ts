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

/**
 * A bin that lies in two steps or more is shared out among them by its parts: given to one of them whole, every so many steps
 * would stand out of their neighbours, and a range far from zero, which has few bins, would look like a comb. Exact zeros lie
 * in one step.
 */
function compact(histogram: Histogram, { min, max }: Range): number[] {
  const steps = new Array<number>(REPORTED_BINS).fill(0);
  const width = (max - min) / REPORTED_BINS;
  const stepOf = (value: number): number => Math.min(REPORTED_BINS - 1, Math.max(0, Math.floor((value - min) / width)));
  const add = (step: number, count: number): void => {
    steps[step] = (steps[step] ?? 0) + count;
  };
  add(stepOf(0), histogram.zeros);
  histogram.counts.forEach((all, bin) => {
    const count = bin === -histogram.first ? all - histogram.zeros : all;
    if (count === 0) return;
    const from = Math.max(min, histogram.start(bin));
    const to = Math.min(max, histogram.start(bin + 1));
    const last = stepOf(to);
    for (let step = stepOf(from); step <= last; step++) {
      const part = Math.min(to, min + (step + 1) * width) - Math.max(from, min + step * width);
      add(step, to > from ? (count * Math.max(0, part)) / (to - from) : count);
    }
  });
  return wholeNumbers(steps);
}

/** Rounded such that no sum of the first ones is off by more than a half. */
function wholeNumbers(counts: readonly number[]): number[] {
  let sum = 0;
  let given = 0;
  return counts.map((count) => {
    sum += count;
    const whole = Math.round(sum) - given;
    given += whole;
    return whole;
  });
}
