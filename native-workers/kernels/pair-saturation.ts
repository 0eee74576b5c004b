/**
 * What 8-bit products lose on x86 CPUs without VNNI: vpmaddubsw adds two uint8 x int8 products into an int16 that saturates,
 * before anything is widened (MLAS's U8S8 kernels for AVX2 and AVX512BW; compression.md 1.5). Only pairs of large weights of
 * one sign can get there, so these are listed once and the rest never looked at.
 */

/** The pairs of neighbours in each row of weights whose sum of products can leave int16. */
export interface RiskyPairs {
  /** The pairs of row r are `starts[r]` to `starts[r + 1]`. */
  readonly starts: Int32Array;
  /** Index within the row of the first of the two; the second follows it. */
  readonly at: Int32Array;
  readonly first: Int8Array;
  readonly second: Int8Array;
}

const LOWEST = -32768;
const HIGHEST = 32767;
const LARGEST_CODE = 255;

/** `weights`: rows of `length` int8 codes, in the order in which the kernel runs over them. */
export function riskyPairs(weights: Int8Array, length: number): RiskyPairs {
  const rows = length === 0 ? 0 : weights.length / length;
  const starts = new Int32Array(rows + 1);
  const at: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let index = 0; index + 1 < length; index += 2) {
      const one = weights[row * length + index] as number;
      const other = weights[row * length + index + 1] as number;
      const up = (Math.max(one, 0) + Math.max(other, 0)) * LARGEST_CODE;
      const down = (Math.min(one, 0) + Math.min(other, 0)) * LARGEST_CODE;
      if (up > HIGHEST || down < LOWEST) at.push(row * length + index);
    }
    starts[row + 1] = at.length;
  }
  return {
    starts,
    at: Int32Array.from(at, (index) => index % length),
    first: Int8Array.from(at, (index) => weights[index] as number),
    second: Int8Array.from(at, (index) => weights[index + 1] as number),
  };
}

/** The pairs that can still leave int16 where the codes of element `index` of a row r are at most `mostOf(r, index)`. */
export function reachablePairs(pairs: RiskyPairs, mostOf: (row: number, index: number) => number): RiskyPairs {
  const { starts, at, first, second } = pairs;
  const kept: number[] = [];
  const ends = starts.slice();
  for (let row = 0; row + 1 < starts.length; row++) {
    for (let pair = starts[row] as number; pair < (starts[row + 1] as number); pair++) {
      const index = at[pair] as number;
      const one = (first[pair] as number) * mostOf(row, index);
      const other = (second[pair] as number) * mostOf(row, index + 1);
      if (Math.max(one, 0) + Math.max(other, 0) > HIGHEST || Math.min(one, 0) + Math.min(other, 0) < LOWEST)
        kept.push(pair);
    }
    ends[row + 1] = kept.length;
  }
  return {
    starts: ends,
    at: Int32Array.from(kept, (pair) => at[pair] as number),
    first: Int8Array.from(kept, (pair) => first[pair] as number),
    second: Int8Array.from(kept, (pair) => second[pair] as number),
  };
}

/**
 * Which elements of a row of `length` codes the pairs read, two by two, and the pairs as they stand in a row of those alone: most
 * weights have few risky pairs, so most of a window need not be read.
 */
export function readByPairs(pairs: RiskyPairs): { readonly elements: Int32Array; readonly pairs: RiskyPairs } {
  const firsts = Int32Array.from(new Set(pairs.at)).sort();
  const places = new Map(Array.from(firsts, (first, index) => [first, 2 * index]));
  return {
    elements: Int32Array.from(
      { length: 2 * firsts.length },
      (_, index) => (firsts[index >> 1] as number) + (index & 1),
    ),
    pairs: { ...pairs, at: pairs.at.map((first) => places.get(first) as number) },
  };
}

/**
 * The difference between the saturated sum and the true one, for one row of activation codes and `rows` rows of weights from
 * `firstRow` on. Writes `excess[offset + i * stride]` for the i-th and returns how many pairs saturated.
 */
export function pairSaturation(
  codes: Uint8Array,
  pairs: RiskyPairs,
  firstRow: number,
  rows: number,
  excess: Float32Array,
  offset: number,
  stride: number,
): number {
  const { starts, at, first, second } = pairs;
  let saturated = 0;
  for (let row = 0; row < rows; row++) {
    const end = starts[firstRow + row + 1] as number;
    let sum = 0;
    for (let pair = starts[firstRow + row] as number; pair < end; pair++) {
      const index = at[pair] as number;
      const product =
        (codes[index] as number) * (first[pair] as number) + (codes[index + 1] as number) * (second[pair] as number);
      if (product > HIGHEST) {
        sum += HIGHEST - product;
        saturated++;
      } else if (product < LOWEST) {
        sum += LOWEST - product;
        saturated++;
      }
    }
    excess[offset + row * stride] = sum;
  }
  return saturated;
}
