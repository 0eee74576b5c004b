/** Numbers of any source as arrays of the dtype that a model takes. */
import type { DType } from '../graph/dtype.ts';
import type { NumericArray } from '../lib/engine.ts';
import { floatToBfloat16, floatToHalf } from '../lib/half.ts';
import { HoneError } from '../protocol/errors.ts';

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
} as const;

function isArrayType(dtype: DType): dtype is keyof typeof ARRAYS {
  return dtype in ARRAYS;
}

/** Zeros. Throws `data-mismatch` for a dtype that data cannot be given in (4-bit, float8, complex, strings). */
export function allocate(dtype: DType, count: number): NumericArray {
  if (!isArrayType(dtype)) throw new HoneError('data-mismatch', `Hone cannot make data of type ${dtype}.`);
  return new ARRAYS[dtype](count);
}

/** Smallest and largest value of the integer dtypes that fit a double; 64-bit ones are checked to be safe integers. */
const LIMITS: Partial<Record<DType, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  bool: [0, 1],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint64: [0, Number.MAX_SAFE_INTEGER],
};

/**
 * `values` as an array of `dtype`; the same array when it is one already. Float16 becomes its bits, rounded to nearest even.
 * Throws `data-mismatch` when an integer dtype cannot hold a value: `what` names the data in the message.
 */
export function toDType(
  values: ArrayLike<number> | BigInt64Array | BigUint64Array,
  dtype: DType,
  what: string,
): NumericArray {
  const target = allocate(dtype, values.length);
  if (values.constructor === target.constructor && dtype !== 'float16' && dtype !== 'bfloat16' && dtype !== 'bool') {
    return values as NumericArray;
  }
  const limits = LIMITS[dtype];
  for (let index = 0; index < values.length; index++) {
    const value = Number(values[index]);
    if (limits !== undefined && !(Number.isInteger(value) && value >= limits[0] && value <= limits[1])) {
      throw new HoneError('data-mismatch', `The model takes ${dtype} and ${what} holds ${value}, which is none.`);
    }
    if (target instanceof BigInt64Array || target instanceof BigUint64Array) target[index] = BigInt(value);
    else if (dtype === 'float16') target[index] = floatToHalf(value);
    else if (dtype === 'bfloat16') target[index] = floatToBfloat16(value);
    else target[index] = value;
  }
  return target;
}
