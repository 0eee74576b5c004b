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

/** Row-major elements of `shape` in the order of the permuted shape. */
export function permuteBytes(bytes: Uint8Array, shape: readonly number[], perm: readonly number[]): Uint8Array {
  const count = elementCount(shape);
  if (count === 0) return bytes;
  const width = bytes.length / count;
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((all, dim) => all * dim, 1));
  const order = perm.map((axis) => strides[axis] ?? 1);
  const sizes = perm.map((axis) => shape[axis] ?? 1);
  if (width === 4) {
    const words = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
    const source = new Uint32Array(words.buffer, words.byteOffset, count);
    const result = new Uint32Array(count);
    walk(sizes, order, (from, to) => {
      result[to] = source[from] as number;
    });
    return new Uint8Array(result.buffer);
  }
  const result = new Uint8Array(bytes.length);
  walk(sizes, order, (from, to) => {
    for (let byte = 0; byte < width; byte++) result[to * width + byte] = bytes[from * width + byte] as number;
  });
  return result;
}

/** Visits every element of the result in order, with where it is in the source. */
function walk(sizes: readonly number[], strides: readonly number[], visit: (from: number, to: number) => void): void {
  const last = sizes.length - 1;
  const inner = sizes[last] ?? 1;
  const step = strides[last] ?? 1;
  const index = new Array<number>(Math.max(last, 0)).fill(0);
  const total = sizes.reduce((all, size) => all * size, 1);
  let base = 0;
  for (let to = 0; to < total; ) {
    for (let at = 0, from = base; at < inner; at++, from += step) visit(from, to++);
    for (let axis = last - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      base += strides[axis] ?? 1;
      if (next < (sizes[axis] ?? 1)) {
        index[axis] = next;
        break;
      }
      base -= next * (strides[axis] ?? 1);
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
