/** Calibration data that remembers what passes read of it: samples that lack or say nothing must not be lost in silence. */
import type { Feeds } from '../lib/engine.ts';
import type { CalibrationData } from '../passes/pass.ts';
import type { CalibrationFacts } from '../protocol/calibration-facts.ts';

/** Unreadable samples that are listed; all are counted. */
const MOST_LISTED = 100;

export class WatchedCalibration implements CalibrationData {
  readonly samples: number;
  readonly random: boolean;
  readonly identity?: () => Promise<unknown>;
  readonly #data: CalibrationData;
  #iterations = 0;
  #earlier: CalibrationFacts | undefined;
  #read = 0;
  /** By input: the one number that it has held so far; null once it held another. */
  readonly #constant = new Map<string, number | null>();

  constructor(data: CalibrationData) {
    this.#data = data;
    this.samples = data.samples;
    this.random = data.random;
    if (data.identity !== undefined) this.identity = data.identity;
  }

  get skipped(): NonNullable<CalibrationData['skipped']> {
    return this.#data.skipped ?? [];
  }

  async *batches(batchSize?: number): AsyncGenerator<Feeds> {
    this.#iterations++;
    let row = 0;
    for await (const feeds of this.#data.batches(batchSize)) {
      const rows = rowsOf(feeds);
      // The passes read the same samples over and over, in batches of many sizes: each sample is looked at once.
      if (row + rows > this.#read) this.#look(feeds, Math.max(0, this.#read - row));
      row += rows;
      yield feeds;
    }
  }

  /** What was read; undefined when nothing was. */
  facts(): CalibrationFacts | undefined {
    const [own, earlier] = [this.#own(), this.#earlier];
    // A resumed run reads few samples or none again.
    return earlier !== undefined && earlier.samples >= (own?.samples ?? 0) ? earlier : own;
  }

  restore(facts: CalibrationFacts): void {
    this.#earlier = facts;
  }

  #own(): CalibrationFacts | undefined {
    if (this.#iterations === 0) return undefined;
    const { samples, random, skipped = [], notes = [] } = this.#data;
    const constant = [...this.#constant].flatMap(([name, value]) => (value === null ? [] : [name]));
    return {
      // A model of a fixed batch gets its last one filled up: those rows are no samples of their own.
      samples: this.#read === 0 ? samples : Math.min(this.#read, Math.max(0, samples - skipped.length)),
      random,
      ...(skipped.length === 0 ? {} : { skipped: { count: skipped.length, listed: skipped.slice(0, MOST_LISTED) } }),
      ...(constant.length === 0 ? {} : { constant }),
      ...(notes.length === 0 ? {} : { notes: [...notes] }),
    };
  }

  /** Looks at the samples of a batch from row `from` on. */
  #look(feeds: Feeds, from: number): void {
    this.#read += rowsOf(feeds) - from;
    for (const [name, { data, shape }] of Object.entries(feeds)) {
      if (!(data instanceof Float32Array) || data.length === 0) continue;
      const length = data.length / Math.max(1, shape[0] ?? 1);
      const values = data.subarray(from * length);
      const first = this.#constant.get(name) ?? values[0] ?? null;
      const differs = this.#constant.get(name) === null || values.some((value) => value !== first);
      this.#constant.set(name, differs ? null : first);
    }
  }
}

function rowsOf(feeds: Feeds): number {
  return Object.values(feeds)[0]?.shape[0] ?? 1;
}
