/** How far two sets of outputs are apart, streamed sample by sample: what decides whether an artifact is right. */
import { isFloat } from '../graph/dtype.ts';
import type { Feeds } from '../lib/engine.ts';
import { numbersOf } from '../metrics/rows.ts';

export interface Difference {
  readonly samples: number;
  /** Over all outputs; infinite where one side alone is NaN or infinite. */
  readonly maxAbs: number;
  /** Over the outputs of floats, and the largest finite reference value of those (of all where none are floats). */
  readonly maxAbsFloat: number;
  readonly reference: number;
  readonly cosine: number;
  /** null where no output is a row of scores. */
  readonly top1Agreement: number | null;
  /** Of integer outputs and floats computed from integers; null when there are none. */
  readonly steps: { readonly max: number; readonly withinOne: number } | null;
  /** Outputs that are missing or have another number of elements. */
  readonly missing: readonly string[];
}

export class Comparison {
  #samples = 0;
  #maxAbs = 0;
  #maxAbsFloat = 0;
  #largest = 0;
  #largestInteger = 0;
  #floats = 0;
  #dot = 0;
  #square = 0;
  #otherSquare = 0;
  #rows = 0;
  #agreeing = 0;
  #integers = 0;
  #withinOne = 0;
  #maxSteps = 0;
  readonly #missing: Set<string> = new Set();

  /**
   * Adds one run: `expected` from the reference, `actual` under the same names. NaN on one side only counts as infinite.
   * `steps`: by name, what one step is worth in outputs that were computed from integers; these count as integers too.
   */
  add(expected: Feeds, actual: Feeds, steps: ReadonlyMap<string, number> = new Map()): void {
    this.#samples++;
    for (const [name, reference] of Object.entries(expected)) {
      const a = numbersOf(reference);
      const other = actual[name];
      const b = other === undefined ? null : numbersOf(other);
      if (a === null) continue;
      if (b === null || a.length !== b.length) {
        this.#missing.add(name);
        continue;
      }
      const step = isFloat(reference.dtype) ? (steps.get(name) ?? null) : 1;
      for (let index = 0; index < a.length; index++) this.#element(a[index] as number, b[index] as number, step);
      const classes = reference.shape.at(-1) ?? 1;
      if (reference.shape.length === 2 && classes > 1) this.#scores(a, b, classes);
    }
  }

  result(): Difference {
    const norm = Math.sqrt(this.#square * this.#otherSquare);
    return {
      samples: this.#samples,
      maxAbs: this.#maxAbs,
      maxAbsFloat: this.#maxAbsFloat,
      reference: this.#floats === 0 ? this.#largestInteger : this.#largest,
      cosine: norm === 0 ? (this.#maxAbs === 0 ? 1 : 0) : this.#dot / norm,
      top1Agreement: this.#rows === 0 ? null : this.#agreeing / this.#rows,
      steps: this.#integers === 0 ? null : { max: this.#maxSteps, withinOne: this.#withinOne / this.#integers },
      missing: [...this.#missing],
    };
  }

  /** `step`: what one step of an integer, or of a float computed from integers, is worth; null for other floats. */
  #element(expected: number, actual: number, step: number | null): void {
    const distance = distanceOf(expected, actual);
    const magnitude = Number.isFinite(expected) ? Math.abs(expected) : 0;
    this.#maxAbs = Math.max(this.#maxAbs, distance);
    if (step !== null) {
      const count = Math.round(distance / step);
      this.#integers++;
      this.#maxSteps = Math.max(this.#maxSteps, count);
      this.#largestInteger = Math.max(this.#largestInteger, magnitude);
      if (count <= 1) this.#withinOne++;
    } else {
      this.#floats++;
      this.#maxAbsFloat = Math.max(this.#maxAbsFloat, distance);
      this.#largest = Math.max(this.#largest, magnitude);
    }
    if (!Number.isFinite(expected) || !Number.isFinite(actual)) return;
    this.#dot += expected * actual;
    this.#square += expected * expected;
    this.#otherSquare += actual * actual;
  }

  #scores(a: ArrayLike<number>, b: ArrayLike<number>, classes: number): void {
    for (let row = 0; row + classes <= a.length; row += classes) {
      this.#rows++;
      if (largest(a, row, classes) === largest(b, row, classes)) this.#agreeing++;
    }
  }
}

/** NaN equals NaN, and an infinity itself; any other pair with one that is not finite is infinitely far apart. */
function distanceOf(expected: number, actual: number): number {
  if (expected === actual || (Number.isNaN(expected) && Number.isNaN(actual))) return 0;
  const distance = Math.abs(expected - actual);
  return Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance;
}

function largest(values: ArrayLike<number>, from: number, count: number): number {
  let best = from;
  for (let index = from + 1; index < from + count; index++) {
    if ((values[index] as number) > (values[best] as number)) best = index;
  }
  return best - from;
}
