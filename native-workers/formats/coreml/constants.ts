/** Constants of MIL from tensors and numbers. Large ones are converted on their way to the disk. */
import { isFloat } from '../../graph/dtype.ts';
import { LateData } from '../../graph/late-tensor.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { ConvertedData, MemoryData } from '../../graph/tensor-data.ts';
import { tensorFromNumbers, toFloat32, toNumbers } from '../../graph/tensor-values.ts';
import { float16ToFloat32Bytes } from '../../lib/half.ts';
import { HoneError } from '../../protocol/errors.ts';
import { constantOf, type MilConstant } from './program.ts';
import type { MilDType } from './schema.ts';

const LARGEST_INT32 = 2 ** 31 - 1;

/** A constant of the type that the program computes in: floats as float32, integers as int32 (clipped), bool as it is. */
export function constantFromTensor(tensor: Tensor): MilConstant {
  const { dtype, shape, data, size } = tensor;
  if (dtype === 'float32') return constantOf({ dtype: 'fp32', shape }, data);
  if (dtype === 'float16')
    return constantOf({ dtype: 'fp32', shape }, new ConvertedData(data, 2, 4, float16ToFloat32Bytes));
  if (isFloat(dtype))
    return constantOf({ dtype: 'fp32', shape }, new LateData(size * 4, () => bytesOf(toFloat32(tensor))));
  if (dtype === 'bool') return constantOf({ dtype: 'bool', shape }, data);
  if (dtype === 'int32') return constantOf({ dtype: 'int32', shape }, data);
  return constantOf({ dtype: 'int32', shape }, new LateData(size * 4, () => int32Bytes(toNumbers(tensor))));
}

/** int64 has no place in ML Programs: what is beyond int32 (a slice to the end) becomes its limit. */
function int32Bytes(values: readonly number[]): Uint8Array {
  return bytesOf(Int32Array.from(values, (value) => Math.min(LARGEST_INT32, Math.max(-LARGEST_INT32 - 1, value))));
}

const GRAPH_DTYPES = {
  fp32: 'float32',
  fp16: 'float16',
  int32: 'int32',
  int8: 'int8',
  uint8: 'uint8',
  bool: 'bool',
  uint32: 'uint32',
} as const;

export function numbersConstant(
  dtype: keyof typeof GRAPH_DTYPES,
  values: ArrayLike<number>,
  shape: readonly number[],
): MilConstant {
  return constantOf({ dtype, shape }, tensorFromNumbers(GRAPH_DTYPES[dtype], values, shape).data);
}

export function bytesConstant(dtype: MilDType, bytes: Uint8Array, shape: readonly number[]): MilConstant {
  return constantOf({ dtype, shape }, new MemoryData(bytes));
}

/** The values of a constant that is small. */
export function numbersOf({ type, data }: MilConstant): number[] {
  const bytes = new Uint8Array(data.read());
  switch (type.dtype) {
    case 'fp32':
      return Array.from(new Float32Array(bytes.buffer));
    case 'fp16':
      return Array.from(new Float32Array(float16ToFloat32Bytes(bytes).buffer));
    case 'int32':
      return Array.from(new Int32Array(bytes.buffer));
    case 'uint32':
      return Array.from(new Uint32Array(bytes.buffer));
    case 'int16':
      return Array.from(new Int16Array(bytes.buffer));
    case 'uint16':
      return Array.from(new Uint16Array(bytes.buffer));
    case 'int8':
      return Array.from(new Int8Array(bytes.buffer));
    case 'uint8':
    case 'bool':
      return Array.from(bytes);
    default:
      throw new HoneError('format-unsupported', `A constant of type ${type.dtype} stands where numbers should be.`);
  }
}

export function bytesOf(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
