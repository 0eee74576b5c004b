/**
 * A histogram of bounded size (32 KiB) over numbers whose range nobody knows beforehand. A bin is as wide as a power of two and
 * begins at a multiple of it; where numbers lie beyond the bins, these merge by two. So one pass over the data is enough, and the counts
 * do not depend on the order in which it comes. At least half of the bins lie between the ends of the range and zero.
 */
import type { Range } from './quantization-parameters.ts';

export const BINS = 4096;

export class Histogram {
  readonly counts: Float64Array<ArrayBuffer> = new Float64Array(BINS);
  /** 0 until anything but zero is covered. */
  binWidth = 0;
  /** The first bin begins at `first` * `binWidth`: at zero or below. */
  first = 0;
  /** Elements that are exactly zero: quantizing them costs nothing, and after a ReLU they are most of a tensor. */
  zeros = 0;
  total = 0;
  /** What is covered, zero included. */
  range: Range = { min: 0, max: 0 };

  /** Makes room for all numbers of a range. */
  cover({ min, max }: Range): void {
    const range = { min: Math.min(min, this.range.min), max: Math.max(max, this.range.max) };
    if (range.min === this.range.min && range.max === this.range.max) return;
    let width = this.binWidth || 2 ** Math.ceil(Math.log2((range.max - range.min) / BINS));
    while (Math.floor(range.max / width) - Math.floor(range.min / width) >= BINS) width *= 2;
    this.range = range;
    this.#move(width, Math.floor(range.min / width));
  }

  /** The middle of a bin. */
  center(bin: number): number {
    return (this.first + bin + 0.5) * this.binWidth;
  }

  /** Where a bin begins, and the one before it ends. */
  start(bin: number): number {
    return (this.first + bin) * this.binWidth;
  }

  /** The bin that holds `value`, or that at the end beyond which it lies. */
  binOf(value: number): number {
    return Math.min(BINS - 1, Math.max(0, Math.floor(value / this.binWidth) - this.first));
  }

  /** The bin whose start is next to `value`: BINS for the end of the last. */
  nearestStart(value: number): number {
    return Math.min(BINS, Math.max(0, Math.round(value / this.binWidth) - this.first));
  }

  /** Adds numbers, which `cover` has made room for; those beyond go to the outer bins, NaN is left out. */
  add(values: Float32Array): void {
    const { counts, first } = this;
    // Exact, as the width is a power of two.
    const perUnit = 1 / this.binWidth;
    let zeros = 0;
    let total = 0;
    for (let index = 0; index < values.length; index++) {
      const value = values[index] as number;
      // Zeros are counted apart: adding to one bin over and over waits each time for the sum before.
      if (value === 0) zeros++;
      else if (!Number.isNaN(value)) {
        const bin = Math.min(BINS - 1, Math.max(0, Math.floor(value * perUnit) - first));
        counts[bin] = (counts[bin] as number) + 1;
        total++;
      }
    }
    counts[-first] = (counts[-first] as number) + zeros;
    this.zeros += zeros;
    this.total += total + zeros;
  }

  #move(width: number, first: number): void {
    const before = this.counts.slice();
    const ratio = this.binWidth / width;
    this.counts.fill(0);
    before.forEach((count, bin) => {
      if (count === 0) return;
      const target = Math.floor((this.first + bin) * ratio) - first;
      this.counts[target] = (this.counts[target] as number) + count;
    });
    this.binWidth = width;
    this.first = first;
  }
}
