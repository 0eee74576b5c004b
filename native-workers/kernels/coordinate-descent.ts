/**
 * Rounds rows of a weight so that their products change least, not their elements: minimises |w x - s q x^|^2 over the data for the
 * integers q and the scale s, where x is the layer's input and x^ = x + e the same rounded. All it needs of the data is E[x x^T]: as
 * the noise e is independent of x, E[x^ x^T] is the same and E[x^ x^^T] = H has its variance on the diagonal.
 *
 * Cyclic coordinate descent over the integers (QuantEase, Behdin et al. 2023), from the nearest ones on: each step takes the best
 * integer for one element while the others stay, so the error never grows, and no factorisation and no damping of a singular H
 * is needed, as GPTQ's closed form would (Frantar et al. 2022).
 *
 * `PlainBlockRounder` is the same work in TypeScript, to the bit. A model of ResNet-50's size takes 2.8 s with the WebAssembly, and took
 * 8.8 s without.
 */
import { COORDINATE_DESCENT } from './coordinate-descent-wasm.ts';

/** Of the elements that a block of a row is multiplied with. */
export interface Moments {
  readonly size: number;
  /** E[x_i x_j], `size` x `size`, row-major. */
  readonly products: Float32Array;
}

/** Rounds the rows of one block of columns after the other. */
export interface BlockRounder {
  /** The row of the weight, its codes rounded to nearest, and the codes that are looked for: to be filled in for each row. */
  readonly weight: Float64Array;
  readonly nearest: Int8Array;
  readonly codes: Int8Array;
  /**
   * The next block, of 64 columns at most: the moments to fit the codes by, and those to judge them by. `noise`: the variance that rounding adds to each
   * element of the input, step^2/12.
   */
  load(fitting: Moments, judging: Moments, noise: number): void;
  /** Improves `codes`; returns the scale that fits them, or `scale` where `keepScale` or the fit would be below `minimum`. */
  descend(scale: number, minimum: number, keepScale: boolean): number;
  /**
   * By how much the squared error of the products grows when the weights restored from `nearest` at the scale `before` become those
   * from `codes` at `after`: with d their difference, d^T H (before + after) - 2 d^T E[x x^T] w.
   */
  errorChange(before: number, after: number): number;
}

/** Columns of a block that there is memory for: `MOST` in the AssemblyScript. */
const MOST_COLUMNS = 64;
/** Sweeps over a row; the changes die out after two or three. */
const SWEEPS = 4;

/** What is used of WebAssembly, whose types come with those of browsers alone. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
}

interface Global {
  readonly value: number;
}

/** Of assembly/coordinate-descent.ts. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly FITTING: Global;
  readonly JUDGING: Global;
  readonly WEIGHT: Global;
  readonly NEAREST: Global;
  readonly CODES: Global;
  descend(size: number, noise: number, start: number, minimum: number, keepScale: number, sweeps: number): number;
  errorChange(size: number, noise: number, before: number, after: number): number;
}

/** The rounder to use. Its memory is its own: one at a time is loaded with a block. */
export function blockRounder(): BlockRounder {
  const { Module, Instance } = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly;
  const wasm = new Instance(new Module(Buffer.from(COORDINATE_DESCENT, 'base64'))).exports as Exports;
  const { buffer } = wasm.memory;
  const fitting = new Float64Array(buffer, wasm.FITTING.value, MOST_COLUMNS ** 2);
  const judging = new Float64Array(buffer, wasm.JUDGING.value, MOST_COLUMNS ** 2);
  let block = { size: 0, noise: 0 };
  return {
    weight: new Float64Array(buffer, wasm.WEIGHT.value, MOST_COLUMNS),
    nearest: new Int8Array(buffer, wasm.NEAREST.value, MOST_COLUMNS),
    codes: new Int8Array(buffer, wasm.CODES.value, MOST_COLUMNS),
    load(fit, judge, noise) {
      block = { size: evenSize(fit), noise };
      withNoise(fit, noise, fitting);
      withNoise(judge, noise, judging);
    },
    descend: (scale, minimum, keepScale) =>
      wasm.descend(block.size, block.noise, scale, minimum, Number(keepScale), SWEEPS),
    errorChange: (before, after) => wasm.errorChange(block.size, block.noise, before, after),
  };
}

/** The same in TypeScript, for tests to compare. */
export class PlainBlockRounder implements BlockRounder {
  readonly weight = new Float64Array(MOST_COLUMNS);
  readonly nearest = new Int8Array(MOST_COLUMNS);
  readonly codes = new Int8Array(MOST_COLUMNS);
  readonly #fitting = new Float64Array(MOST_COLUMNS ** 2);
  readonly #judging = new Float64Array(MOST_COLUMNS ** 2);
  #size = 0;
  #noise = 0;

  load(fitting: Moments, judging: Moments, noise: number): void {
    this.#size = evenSize(fitting);
    this.#noise = noise;
    withNoise(fitting, noise, this.#fitting);
    withNoise(judging, noise, this.#judging);
  }

  descend(start: number, minimum: number, keepScale: boolean): number {
    const { weight, codes } = this;
    const size = this.#size;
    // The noise is no part of E[x^ x^T].
    const target = Float64Array.from(
      { length: size },
      (_, i) => dot(this.#fitting, i * size, weight, size) - this.#noise * (weight[i] as number),
    );
    // The products of H and the codes, kept up as codes change.
    const reached = new Float64Array(size);
    const add = (row: number, factor: number): void => {
      for (let i = 0, at = row * size; i < size; i++, at++)
        reached[i] = (reached[i] as number) + (this.#fitting[at] as number) * factor;
    };
    for (let j = 0; j < size; j++) if (codes[j] !== 0) add(j, codes[j] as number);
    let scale = start;
    for (let sweep = 0; sweep < SWEEPS; sweep++) {
      let changes = 0;
      for (let i = 0; i < size; i++) {
        const power = this.#fitting[i * size + i] as number;
        if (!(power > 0)) continue;
        const before = codes[i] as number;
        const step = ((target[i] as number) / scale - (reached[i] as number)) / power;
        const after = Math.max(-127, Math.min(127, before + Math.floor(step + 0.5)));
        if (after === before) continue;
        codes[i] = after;
        changes++;
        add(i, after - before);
      }
      if (!keepScale) {
        let cross = 0;
        let power = 0;
        for (let i = 0; i < size; i++) {
          cross += (codes[i] as number) * (target[i] as number);
          power += (codes[i] as number) * (reached[i] as number);
        }
        const best = Math.fround(cross / power);
        if (power > 0 && best >= minimum && best > 0 && Math.abs(best / start - 1) < 0.5) scale = best;
      }
      if (changes === 0) break;
    }
    return scale;
  }

  errorChange(before: number, after: number): number {
    const { weight, nearest, codes } = this;
    const size = this.#size;
    const excess = Float64Array.from(
      { length: size },
      (_, i) => (nearest[i] as number) * before + (codes[i] as number) * after - 2 * (weight[i] as number),
    );
    let change = 0;
    for (let i = 0; i < size; i++) {
      const difference = (codes[i] as number) * after - (nearest[i] as number) * before;
      if (difference === 0) continue;
      // The noise meets the restored weights and not the true ones.
      const sum = dot(this.#judging, i * size, excess, size) + 2 * this.#noise * (weight[i] as number);
      change += difference * sum;
    }
    return change;
  }
}

/** The kernel takes two elements at once: a column of zeros makes an odd size even. */
function evenSize({ size }: Moments): number {
  return size + (size & 1);
}

function withNoise({ size, products }: Moments, noise: number, into: Float64Array): void {
  const even = size + (size & 1);
  into.fill(0);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) into[i * even + j] = products[i * size + j] as number;
    into[i * even + i] = (into[i * even + i] as number) + noise;
  }
}

/** Of `matrix` from `at` on and `vector`: the products of even and of odd places are summed apart. */
function dot(matrix: Float64Array, at: number, vector: Float64Array, size: number): number {
  let even = 0;
  let odd = 0;
  for (let j = 0; j < size; j += 2) {
    even += (matrix[at + j] as number) * (vector[j] as number);
    odd += (matrix[at + j + 1] as number) * (vector[j + 1] as number);
  }
  return even + odd;
}
