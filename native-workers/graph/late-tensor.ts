/** Tensors made from others when they are read, so that a converted model holds no second copy of its weights. */
import { type DType, elementCount } from './dtype.ts';
import { Tensor, type TensorData } from './tensor.ts';
import { MemoryData } from './tensor-data.ts';

/** Data made as a whole when it is read, from something larger than memory should hold twice. */
export class LateData implements TensorData {
  readonly byteLength: number;
  readonly #make: () => Uint8Array;

  constructor(byteLength: number, make: () => Uint8Array) {
    this.byteLength = byteLength;
    this.#make = make;
  }

  read(): Uint8Array {
    return this.#make();
  }

  chunks(size: number): Iterable<Uint8Array> {
    return new MemoryData(this.read()).chunks(size);
  }
}

/** A tensor whose bytes `make` gives each time they are read. */
export function lateTensor(dtype: DType, shape: readonly number[], byteLength: number, make: () => Uint8Array): Tensor {
  return new Tensor({ dtype, shape, data: new LateData(byteLength, make) });
}

/** The tensor with its dimensions in the order `perm`. Elements of whole bytes only. */
export function permutedTensor(tensor: Tensor, perm: readonly number[]): Tensor {
  if (perm.every((axis, index) => axis === index)) return tensor;
  const shape = perm.map((axis) => tensor.shape[axis] ?? 1);
  return lateTensor(tensor.dtype, shape, tensor.data.byteLength, () =>
    permuteBytes(tensor.data.read(), tensor.shape, perm),
  );
}

/** Row-major elements of `shape` in the order of the permuted shape; the same array where that is the same order. */
export function permuteBytes(bytes: Uint8Array, shape: readonly number[], perm: readonly number[]): Uint8Array {
  const count = elementCount(shape);
  if (count === 0) return bytes;
  const width = bytes.length / count;
  const strides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
  const runs = joinedRuns(perm.map((axis) => ({ size: shape[axis] ?? 1, stride: strides[axis] ?? 1 })));
  if (runs.length <= 1) return bytes;
  if (width === 2) return moved(Uint16Array, bytes, runs);
  if (width === 4) return moved(Uint32Array, bytes, runs);
  return moved(Uint8Array, bytes, width === 1 ? runs : withParts(runs, width));
}

/** One axis of the result: how many elements, and how far they are from each other in the source. */
interface Run {
  readonly size: number;
  readonly stride: number;
}

/** Without axes of one element, and with those as one that follow each other in the source too. */
function joinedRuns(runs: readonly Run[]): Run[] {
  const joined: Run[] = [];
  for (const { size, stride } of runs) {
    if (size === 1) continue;
    const outer = joined.at(-1);
    if (outer !== undefined && outer.stride === size * stride)
      joined[joined.length - 1] = { size: outer.size * size, stride };
    else joined.push({ size, stride });
  }
  return joined;
}

/** Elements of several parts as a further axis. */
function withParts(runs: readonly Run[], parts: number): Run[] {
  return [...runs.map(({ size, stride }) => ({ size, stride: stride * parts })), { size: parts, stride: 1 }];
}

type Words = Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;
type WordsType = Uint8ArrayConstructor | Uint16ArrayConstructor | Uint32ArrayConstructor;

function moved(type: WordsType, bytes: Uint8Array, runs: readonly Run[]): Uint8Array {
  const width = type.BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
  const source = new type(aligned.buffer as ArrayBuffer, aligned.byteOffset, bytes.length / width);
  const result = new type(source.length);
  move(source, result, runs);
  return new Uint8Array(result.buffer);
}

function move(source: Words, result: Words, runs: readonly Run[]): void {
  const { size = 1, stride = 1 } = runs.at(-1) ?? {};
  const outer = runs.slice(0, -1);
  const index = outer.map(() => 0);
  let base = 0;
  for (let to = 0; to < result.length; ) {
    if (stride === 1) {
      result.set(source.subarray(base, base + size), to);
      to += size;
    } else for (let at = 0, from = base; at < size; at++, from += stride) result[to++] = source[from] as number;
    // The next row in the order of the result.
    for (let axis = outer.length - 1; axis >= 0; axis--) {
      const run = outer[axis] as Run;
      const next = (index[axis] as number) + 1;
      base += run.stride;
      index[axis] = next;
      if (next < run.size) break;
      base -= next * run.stride;
      index[axis] = 0;
    }
  }
}

/** The part of the tensor from `begin` on of the given size. Elements of whole bytes only. */
export function slicedTensor(tensor: Tensor, begin: readonly number[], size: readonly number[]): Tensor {
  const count = elementCount(size);
  const width = tensor.data.byteLength / Math.max(elementCount(tensor.shape), 1);
  return lateTensor(tensor.dtype, size, count * width, () => {
    const bytes = tensor.data.read();
    const result = new Uint8Array(count * width);
    const strides = tensor.shape.map((_, axis) => elementCount(tensor.shape.slice(axis + 1)));
    const run = size.at(-1) ?? 1;
    const rows = size.slice(0, -1);
    const first = begin.reduce((sum, at, axis) => sum + at * (strides[axis] ?? 1), 0);
    for (let row = 0; row * run < count; row++) {
      let from = first;
      for (let axis = rows.length - 1, left = row; axis >= 0; axis--) {
        const dim = rows[axis] ?? 1;
        from += (left % dim) * (strides[axis] ?? 1);
        left = Math.floor(left / dim);
      }
      result.set(bytes.subarray(from * width, (from + run) * width), row * run * width);
    }
    return result;
  });
}
