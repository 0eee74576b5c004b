/**
 * How near the outputs of a model are to those of its original, streamed: sums are kept and no outputs. Elements that are NaN
 * or infinite on either side are left out of the sums; those that only the variant has are counted.
 *
 * cosine: of the two outputs as vectors over all samples. SQNR: 10 log10 of the sum of squares of the reference over the sum of
 * squared differences; null where nothing differs. KL: of the softmax of a row of scores, reference against variant, in
 * nats, mean over the rows; rows that are shares already are taken as they are.
 */
import type { Feeds } from '../lib/engine.ts';
import type { FidelityFacts } from '../protocol/facts.ts';
import { type Numbers, numbersOf } from './rows.ts';

type OutputFacts = FidelityFacts['outputs'][number];

interface Sums {
  dot: number;
  reference: number;
  variant: number;
  error: number;
  maxAbs: number;
  largest: number;
  elements: number;
  notFinite: number;
  referenceNotFinite: number;
  /** Of rows of scores. */
  rows: number;
  agree: number;
  kl: number;
  klRows: number;
  /** Set when a batch had another shape or no numbers: nothing can be said then. */
  incomparable: boolean;
}

export class Fidelity {
  readonly #outputs = new Map<string, Sums>();

  /** Both runs of one batch; only the first `samples` of `count` rows are real. */
  add(reference: Feeds, variant: Feeds, samples: number, count: number): void {
    for (const [name, tensor] of Object.entries(reference)) {
      const sums = this.#outputs.get(name) ?? empty();
      this.#outputs.set(name, sums);
      const other = variant[name];
      const [a, b] = [numbersOf(tensor), other === undefined ? null : numbersOf(other)];
      if (a === null || b === null || a.length !== b.length || tensor.shape.join() !== other?.shape.join()) {
        sums.incomparable = true;
        continue;
      }
      const isBatched = tensor.shape[0] === count;
      const length = isBatched ? (a.length / count) * samples : a.length;
      addElements(sums, a.subarray(0, length), b.subarray(0, length));
      const width = scoresWidth(name, tensor.dtype, isBatched ? tensor.shape.slice(1) : tensor.shape);
      if (width !== null) addRows(sums, a.subarray(0, length), b.subarray(0, length), width);
    }
  }

  /** True when the reference gave no finite number at all. */
  get referenceIsNotFinite(): boolean {
    const sums = [...this.#outputs.values()].filter(({ incomparable }) => !incomparable);
    return (
      sums.some(({ referenceNotFinite }) => referenceNotFinite > 0) && sums.every(({ elements }) => elements === 0)
    );
  }

  /** Outputs of which the reference gave some numbers that are not finite, with how many. */
  get referenceNotFinite(): { readonly name: string; readonly count: number }[] {
    return [...this.#outputs].flatMap(([name, { referenceNotFinite }]) =>
      referenceNotFinite > 0 ? [{ name, count: referenceNotFinite }] : [],
    );
  }

  /** Names of outputs that could not be compared: not numbers, or of another shape. */
  get incomparable(): string[] {
    return [...this.#outputs].flatMap(([name, { incomparable }]) => (incomparable ? [name] : []));
  }

  outputs(): OutputFacts[] {
    return [...this.#outputs].map(([name, sums]) => factsOf(name, sums));
  }
}

function empty(): Sums {
  return {
    dot: 0,
    reference: 0,
    variant: 0,
    error: 0,
    maxAbs: 0,
    largest: 0,
    elements: 0,
    notFinite: 0,
    referenceNotFinite: 0,
    rows: 0,
    agree: 0,
    kl: 0,
    klRows: 0,
    incomparable: false,
  };
}

function addElements(sums: Sums, a: Numbers, b: Numbers): void {
  let { dot, reference, variant, error, maxAbs, largest, elements } = sums;
  for (let index = 0; index < a.length; index++) {
    const x = a[index] as number;
    const y = b[index] as number;
    const difference = Math.abs(x - y);
    // One test for both: the difference is finite only when both are.
    if (difference - difference !== 0) {
      if (!Number.isFinite(x)) sums.referenceNotFinite++;
      else if (!Number.isFinite(y)) sums.notFinite++;
      continue;
    }
    const size = Math.abs(x);
    if (difference > maxAbs) maxAbs = difference;
    if (size > largest) largest = size;
    dot += x * y;
    reference += x * x;
    variant += y * y;
    error += difference * difference;
    elements++;
  }
  Object.assign(sums, { dot, reference, variant, error, maxAbs, largest, elements });
}

/** Names of outputs that hold features and no scores. */
const FEATURES = /embed|hidden|pool|feature/i;

/**
 * Numbers in a row of scores: of one row a sample (`[C]`, `[C,1,1]`), or of one row a token (`[T,V]`) where the name says that
 * it holds scores. null for an output that is no class score.
 */
function scoresWidth(name: string, dtype: string, shape: readonly number[]): number | null {
  if (!dtype.includes('float') || FEATURES.test(name)) return null;
  const [first = 1, second = 1] = shape;
  if (first > 1 && shape.slice(1).every((dim) => dim === 1)) return first;
  return shape.length === 2 && second > 1 && /logit|score|prob/i.test(name) ? second : null;
}

function addRows(sums: Sums, a: Numbers, b: Numbers, width: number): void {
  for (let from = 0; from + width <= a.length; from += width) {
    const rowA = a.subarray(from, from + width);
    const rowB = b.subarray(from, from + width);
    sums.rows++;
    if (largestAt(rowA) === largestAt(rowB)) sums.agree++;
    const divergence = divergenceOf(rowA, rowB);
    if (!Number.isFinite(divergence)) continue;
    sums.kl += divergence;
    sums.klRows++;
  }
}

function largestAt(row: Numbers): number {
  let best = 0;
  for (let index = 1; index < row.length; index++) if ((row[index] as number) > (row[best] as number)) best = index;
  return best;
}

function divergenceOf(a: Numbers, b: Numbers): number {
  const p = logShares(a);
  const q = logShares(b);
  let sum = 0;
  for (let index = 0; index < a.length; index++) {
    const logP = p(index);
    // A share of zero adds nothing, whatever the other side says.
    if (logP > -700) sum += Math.exp(logP) * (logP - q(index));
  }
  return Math.max(0, sum);
}

/** The smallest share that a probability of zero is taken for: a float32 cannot tell it from zero in a sum of shares. */
const LEAST_SHARE = 1e-12;

/** Logarithms of the shares that a row stands for: its own when it is shares that sum to 1, else of its softmax. */
function logShares(row: Numbers): (index: number) => number {
  let sum = 0;
  let largest = Number.NEGATIVE_INFINITY;
  let smallest = Number.POSITIVE_INFINITY;
  for (const value of row) {
    sum += value;
    if (value > largest) largest = value;
    if (value < smallest) smallest = value;
  }
  if (smallest >= 0 && Math.abs(sum - 1) < 1e-3)
    return (index) => Math.log(Math.max(row[index] as number, LEAST_SHARE));
  let powers = 0;
  for (const value of row) powers += Math.exp(value - largest);
  const normal = largest + Math.log(powers);
  return (index) => (row[index] as number) - normal;
}

function factsOf(name: string, sums: Sums): OutputFacts {
  const { dot, reference, variant, error, maxAbs, largest, elements, rows, agree, kl, klRows, notFinite } = sums;
  const known = !sums.incomparable && elements > 0;
  return {
    name,
    cosine: known && reference > 0 && variant > 0 ? Math.min(1, dot / Math.sqrt(reference * variant)) : null,
    sqnrDb: known && reference > 0 && error > 0 ? 10 * Math.log10(reference / error) : null,
    maxAbs: known ? maxAbs : null,
    reference: known ? largest : null,
    top1Agreement: known && rows > 0 ? agree / rows : null,
    ...(known && rows > 0 ? { answers: rows } : {}),
    kl: known && klRows > 0 ? kl / klRows : null,
    notFinite,
  };
}
