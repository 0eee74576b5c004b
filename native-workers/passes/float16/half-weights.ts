/** Weights as float16: which can be, and their bytes, converted as they are read. */
import { Tensor } from '../../graph/tensor.ts';
import { ConvertedData } from '../../graph/tensor-data.ts';
import { float32Chunks } from '../../graph/tensor-values.ts';
import type { Value } from '../../graph/value.ts';
import { float32ToFloat16Bytes } from '../../lib/half.ts';
import type { Counter } from '../edit.ts';
import type { PassNote } from '../pass.ts';

/** The largest half; values from 65520 on round to infinity. */
export const LARGEST_HALF = 65504;
/** At or below half of the smallest half, 2^-24, a value rounds to zero. */
const SMALLEST_KEPT = 2 ** -25;

const CHUNK_ELEMENTS = 1 << 18;

export class HalfWeights {
  readonly #maxUnderflow: number;
  readonly #counts: Counter;
  readonly #notes: PassNote[];
  readonly #known = new Map<Value, Tensor | null>();

  constructor(maxUnderflow: number, counts: Counter, notes: PassNote[]) {
    this.#maxUnderflow = maxUnderflow;
    this.#counts = counts;
    this.#notes = notes;
  }

  /** The float32 weight of `value` in float16, or null, with a note, when too much would be lost. Reads the weight once. */
  tensorOf(value: Value): Tensor | null {
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const half = this.#convert(value);
    this.#known.set(value, half);
    return half;
  }

  #convert({ name, tensor }: Value): Tensor | null {
    if (tensor?.dtype !== 'float32') return null;
    const { largest, lost, nonZero } = measure(tensor);
    if (largest > LARGEST_HALF && largest !== Number.POSITIVE_INFINITY) {
      this.#notes.push({
        message: `${name} stays float32: it holds ${largest}, beyond the largest half, ${LARGEST_HALF}.`,
      });
      return null;
    }
    if (lost > this.#maxUnderflow * nonZero) {
      const share = ((100 * lost) / nonZero).toFixed(1);
      this.#notes.push({ message: `${name} stays float32: ${share} % of its non-zero elements would become zero.` });
      return null;
    }
    this.#counts.add('elements that became zero', lost);
    return new Tensor({
      dtype: 'float16',
      shape: tensor.shape,
      data: new ConvertedData(tensor.data, 4, 2, float32ToFloat16Bytes),
    });
  }
}

/** The largest finite magnitude (infinity when all others fit: it stays infinity), and how many elements become zero. */
function measure(tensor: Tensor): { largest: number; lost: number; nonZero: number } {
  let largest = 0;
  let lost = 0;
  let nonZero = 0;
  for (const piece of float32Chunks(tensor, CHUNK_ELEMENTS)) {
    for (let index = 0; index < piece.length; index++) {
      const magnitude = Math.abs(piece[index] as number);
      if (magnitude > largest && magnitude !== Number.POSITIVE_INFINITY) largest = magnitude;
      if (magnitude === 0) continue;
      nonZero++;
      if (magnitude <= SMALLEST_KEPT) lost++;
    }
  }
  return { largest, lost, nonZero };
}
