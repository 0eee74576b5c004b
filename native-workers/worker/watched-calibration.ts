/** Calibration data that remembers what passes read of it: samples that lack or say nothing must not be lost in silence. */
import type { Feeds, HostTensor } from '../lib/engine.ts';
import type { CalibrationData } from '../passes/pass.ts';
import type { CalibrationFacts } from '../protocol/calibration-facts.ts';

/** Unreadable samples that are listed; all are counted. */
const MOST_LISTED = 100;

export class WatchedCalibration implements CalibrationData {
  readonly samples: number;
  readonly random: boolean;
  readonly #data: CalibrationData;
  #iterations = 0;
  #read = 0;
  #notFinite = 0;
  /** By input: the one number that it has held so far; null once it held another. */
  readonly #constant = new Map<string, number | null>();

  constructor(data: CalibrationData) {
    this.#data = data;
    this.samples = data.samples;
    this.random = data.random;
  }

  get skipped(): NonNullable<CalibrationData['skipped']> {
    return this.#data.skipped ?? [];
  }

  async *batches(batchSize?: number): AsyncGenerator<Feeds> {
    // The passes read the same samples over and over: the first reading tells what is in them.
    const isFirst = this.#iterations++ === 0;
    for await (const feeds of this.#data.batches(batchSize)) {
      if (isFirst) this.#look(feeds);
      yield feeds;
    }
  }

  /** What was read; undefined when nothing was. */
  facts(): CalibrationFacts | undefined {
    if (this.#iterations === 0) return undefined;
    const { samples, random, skipped = [], notes = [] } = this.#data;
    const constant = [...this.#constant].flatMap(([name, value]) => (value === null ? [] : [name]));
    return {
      samples: this.#read === 0 ? samples : this.#read,
      random,
      ...(skipped.length === 0 ? {} : { skipped: { count: skipped.length, listed: skipped.slice(0, MOST_LISTED) } }),
      ...(constant.length === 0 ? {} : { constant }),
      ...(this.#notFinite === 0 ? {} : { notFinite: this.#notFinite }),
      ...(notes.length === 0 ? {} : { notes: [...notes] }),
    };
  }

  #look(feeds: Feeds): void {
    this.#read += Object.values(feeds)[0]?.shape[0] ?? 1;
    let broken = 0;
    for (const [name, tensor] of Object.entries(feeds)) {
      if (!(tensor.data instanceof Float32Array) || tensor.data.length === 0) continue;
      broken = Math.max(broken, rowsNotFinite(tensor));
      const first = this.#constant.get(name) ?? tensor.data[0] ?? null;
      const differs = this.#constant.get(name) === null || tensor.data.some((value) => value !== first);
      this.#constant.set(name, differs ? null : first);
    }
    this.#notFinite += broken;
  }
}

function rowsNotFinite({ data, shape }: HostTensor): number {
  const rows = shape[0] ?? 1;
  const length = data.length / Math.max(1, rows);
  let count = 0;
  for (let row = 0; row < rows; row++) {
    const values = data.slice(row * length, (row + 1) * length) as Float32Array;
    if (values.some((value) => !Number.isFinite(value))) count++;
  }
  return count;
}
