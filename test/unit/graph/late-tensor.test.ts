/** Elements in the order of other axes, against the definition: each found by its place. */
import { describe, expect, it } from 'vitest';
import { permuted } from '../../../native-workers/formats/tflite/raise/permute.ts';
import { permuteBytes } from '../../../native-workers/graph/late-tensor.ts';
import { MemoryData } from '../../../native-workers/graph/tensor-data.ts';
import { Random } from '../../../native-workers/lib/random.ts';

/** Where element `to` of the result stands in the source. */
function sourceOf(to: number, shape: readonly number[], perm: readonly number[]): number {
  const sizes = perm.map((axis) => shape[axis] as number);
  const places = new Array<number>(shape.length).fill(0);
  let left = to;
  for (let axis = sizes.length - 1; axis >= 0; axis--) {
    places[perm[axis] as number] = left % (sizes[axis] as number);
    left = Math.floor(left / (sizes[axis] as number));
  }
  return places.reduce((at, place, axis) => at * (shape[axis] as number) + place, 0);
}

const random = new Random(4);
const CASES = Array.from({ length: 60 }, (_, at): [number, number[], number[]] => {
  const shape = Array.from({ length: 1 + random.below(5) }, () => 1 + random.below(4));
  const perm = shape.map((_each, axis) => axis);
  for (let axis = perm.length - 1; axis > 0; axis--) {
    const other = random.below(axis + 1);
    [perm[axis], perm[other]] = [perm[other] as number, perm[axis] as number];
  }
  return [[1, 2, 4, 8, 16][at % 5] as number, shape, perm];
});

describe('permuteBytes', () => {
  it.each(CASES)('elements of %i bytes, %j in the order %j', (width, shape, perm) => {
    const count = shape.reduce((all, dim) => all * dim, 1);
    // At an odd byte of its memory.
    const bytes = Uint8Array.from({ length: count * width + 1 }, () => random.below(256)).subarray(1);
    const expected = Array.from({ length: count }, (_, to) => {
      const from = sourceOf(to, shape, perm) * width;
      return [...bytes.subarray(from, from + width)];
    }).flat();
    expect([...permuteBytes(bytes, shape, perm)]).toEqual(expected);
  });

  it('two elements in a byte, an odd number of them', () => {
    const [shape, perm] = [
      [3, 5],
      [1, 0],
    ];
    const codes = Array.from({ length: 15 }, (_, at) => (at * 7) % 16);
    const packed = (values: readonly number[]): number[] =>
      Array.from({ length: 8 }, (_, at) => (values[2 * at] ?? 0) | ((values[2 * at + 1] ?? 0) << 4));
    const data = permuted(new MemoryData(Uint8Array.from(packed(codes))), 'int4', shape, perm);
    const expected = codes.map((_, to) => codes[sourceOf(to, shape, perm)] ?? 0);
    expect([...data.read()]).toEqual(packed(expected));
  });
});
