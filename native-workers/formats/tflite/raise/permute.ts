/** Constants with their axes in another order, made when they are read. */
import { byteLength, DTYPES, type DType, elementCount } from '../../../graph/dtype.ts';
import type { TensorData } from '../../../graph/tensor.ts';
import { HoneError } from '../../../protocol/errors.ts';

/** `data` of `shape` with axis i of the result being axis `perm[i]` of the source. 4-bit elements are moved one by one. */
export function permuted(
  data: TensorData,
  dtype: DType,
  shape: readonly number[],
  perm: readonly number[],
): TensorData {
  const length = byteLength(dtype, elementCount(shape));
  if (data.byteLength !== length)
    throw new HoneError(
      'tensor-size-mismatch',
      `A ${dtype} tensor of shape [${shape.join(', ')}] needs ${length} bytes and has ${data.byteLength}.`,
    );
  const read = (): Uint8Array => move(data.read(), dtype, shape, perm);
  return {
    byteLength: length,
    read,
    *chunks(size) {
      const bytes = read();
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    },
  };
}

function move(source: Uint8Array, dtype: DType, shape: readonly number[], perm: readonly number[]): Uint8Array {
  const result = new Uint8Array(source.length);
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, dim) => product * dim, 1));
  const dims = perm.map((axis) => shape[axis] as number);
  const steps = perm.map((axis) => strides[axis] as number);
  const { bits } = DTYPES[dtype];
  const width = bits / 8;
  const index = dims.map(() => 0);
  let from = 0;
  const count = elementCount(shape);
  for (let to = 0; to < count; to++) {
    if (bits === 4) {
      const code = ((source[from >> 1] as number) >> (from % 2 === 0 ? 0 : 4)) & 15;
      result[to >> 1] = (result[to >> 1] as number) | (code << (to % 2 === 0 ? 0 : 4));
    } else {
      for (let byte = 0; byte < width; byte++) result[to * width + byte] = source[from * width + byte] as number;
    }
    // The next element in the order of the result.
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      from += steps[axis] as number;
      index[axis] = (index[axis] as number) + 1;
      if ((index[axis] as number) < (dims[axis] as number)) break;
      from -= (steps[axis] as number) * (dims[axis] as number);
      index[axis] = 0;
    }
  }
  return result;
}
