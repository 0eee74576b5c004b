/** Calibration data that remembers what passes read of it: samples that lack or say nothing must not be lost in silence. */
import { rowsOf } from '../calibrate/observation.ts';
import type { Feeds } from '../lib/engine.ts';
import type { CalibrationData } from '../passes/pass.ts';
import type { CalibrationFacts } from '../protocol/calibration-facts.ts';

/** Unreadable samples that are listed; all are counted. */
const MOST_LISTED = 100;

/** What the samples of walks over the same draw are like. */
class Tally {
  /** Rows seen: the first of the draw. */
  read = 0;
  /** By input: the one number that it has held so far; null once it held another. */
  readonly #constant = new Map<string, number | null>();

  /** Inputs that hold one number in all samples. */
  get constant(): string[] {
    return [...this.#constant].flatMap(([name, value]) => (value === null ? [] : [name]));
  }

  /** Looks at the samples of a batch of `rows` from row `from` on. */
  look(feeds: Feeds, from: number, rows: number): void {
    this.read += rows - from;
    for (const [name, { data }] of Object.entries(feeds)) {
      if (!(data instanceof Float32Array) || data.length === 0) continue;
      const length = data.length / rows;
      const values = data.subarray(from * length);
      const first = this.#constant.get(name) ?? values[0] ?? null;
      const differs = this.#constant.get(name) === null || values.some((value) => value !== first);
      this.#constant.set(name, differs ? null : first);
    }
  }
}

export class WatchedCalibration implements CalibrationData {
  readonly samples: number;
  readonly random: boolean;
  readonly batchless: boolean;
  readonly identity?: () => Promise<unknown>;
  readonly #data: CalibrationData;
  #walked = false;
  #earlier: CalibrationFacts | undefined;
  /** By how many samples the draw holds. */
  readonly #tallies = new Map<number, Tally>();

  constructor(data: CalibrationData) {
    this.#data = data;
    this.samples = data.samples;
    this.random = data.random;
    this.batchless = data.batchless ?? false;
    if (data.identity !== undefined) this.identity = data.identity;
  }

  get skipped(): NonNullable<CalibrationData['skipped']> {
    return this.#data.skipped ?? [];
  }

  async *batches(batchSize?: number, most: number = this.samples): AsyncGenerator<Feeds> {
    this.#walked = true;
    const draw = Math.min(most, this.samples);
    const tally = this.#tallies.get(draw) ?? new Tally();
    this.#tallies.set(draw, tally);
    let row = 0;
    for await (const feeds of this.#data.batches(batchSize, most)) {
      const rows = rowsOf(feeds, this.batchless);
      // The passes read the same samples over and over, in batches of many sizes: each sample is looked at once.
      if (row + rows > tally.read) tally.look(feeds, Math.max(0, tally.read - row), rows);
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
    if (!this.#walked) return undefined;
    const { samples, random, skipped = [], notes = [] } = this.#data;
    // Smaller draws are parts of the larger ones.
    const { read, constant } = [...this.#tallies.values()].reduce((a, b) => (b.read > a.read ? b : a));
    return {
      // A model of a fixed batch gets its last one filled up: those rows are no samples of their own.
      samples: read === 0 ? samples : Math.min(read, Math.max(0, samples - skipped.length)),
      random,
      ...(skipped.length === 0 ? {} : { skipped: { count: skipped.length, listed: skipped.slice(0, MOST_LISTED) } }),
      ...(constant.length === 0 ? {} : { constant }),
      ...(notes.length === 0 ? {} : { notes: [...notes] }),
    };
  }
}
