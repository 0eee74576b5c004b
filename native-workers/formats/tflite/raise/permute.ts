/** Constants with their axes in another order, made when they are read. */
import { byteLength, DTYPES, type DType, elementCount } from '../../../graph/dtype.ts';
import { permuteBytes } from '../../../graph/late-tensor.ts';
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
  const read = (): Uint8Array =>
    DTYPES[dtype].bits === 4 ? moveHalves(data.read(), shape, perm) : permuteBytes(data.read(), shape, perm);
  return {
    byteLength: length,
    read,
    *chunks(size) {
      const bytes = read();
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    },
  };
}

/** Elements of 4 bits, two in a byte, the first in the lower half. */
function moveHalves(source: Uint8Array, shape: readonly number[], perm: readonly number[]): Uint8Array {
  const count = elementCount(shape);
  const codes = Uint8Array.from(
    { length: count },
    (_, at) => ((source[at >> 1] as number) >> (at % 2 === 0 ? 0 : 4)) & 15,
  );
  const moved = permuteBytes(codes, shape, perm);
  return source.map((_, at) => (moved[2 * at] as number) | ((moved[2 * at + 1] ?? 0) << 4));
}
