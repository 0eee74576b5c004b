/** A histogram of fixed range: 16 KiB a tensor, however many samples stream through it. */
import type { Range } from './quantization-parameters.ts';

export const BINS = 2048;

export class Histogram {
  readonly range: Range;
  readonly counts: Float64Array = new Float64Array(BINS);
  /** Elements that are exactly zero: quantizing them costs nothing, and after a ReLU they are most of a tensor. */
  zeros = 0;
  total = 0;

  /** `range` is the exact range that the first pass over the data found; it must not be empty. */
  constructor(range: Range) {
    this.range = range;
  }

  get binWidth(): number {
    return (this.range.max - this.range.min) / BINS;
  }

  /** The middle of a bin. */
  center(bin: number): number {
    return this.range.min + (bin + 0.5) * this.binWidth;
  }

  /** Adds every `stride`th element. Values outside the range (rounding of another run) go to the outer bins; NaN is left out. */
  add(values: Float32Array, stride = 1): void {
    const { counts } = this;
    const low = this.range.min;
    const perUnit = BINS / (this.range.max - low);
    const binOf = (value: number): number => Math.min(BINS - 1, Math.max(0, ((value - low) * perUnit) | 0));
    let zeros = 0;
    let total = 0;
    for (let index = 0; index < values.length; index += stride) {
      const value = values[index] as number;
      // Zeros are counted apart: adding to one bin over and over waits each time for the sum before.
      if (value === 0) zeros++;
      else if (!Number.isNaN(value)) {
        const bin = binOf(value);
        counts[bin] = (counts[bin] as number) + 1;
        total++;
      }
    }
    counts[binOf(0)] = (counts[binOf(0)] as number) + zeros;
    this.zeros += zeros;
    this.total += total + zeros;
  }
}
