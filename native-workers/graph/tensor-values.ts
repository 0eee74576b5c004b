/**
 * The values of tensors as numbers, and tensors from numbers, for every dtype. These read the whole tensor: for weights that
 * may be large, `float32Chunks` reads piece by piece.
 */
/// <reference lib="esnext.float16" />
import type { HostTensor, NumericArray } from '../lib/engine.ts';
import { bfloat16ToFloat, floatToBfloat16 } from '../lib/half.ts';
import { SMALL_FLOATS } from '../lib/small-float.ts';
import { HoneError } from '../protocol/errors.ts';
import { byteLength, DTYPES, type DType, elementCount } from './dtype.ts';
import { Tensor } from './tensor.ts';
import { MemoryData, NO_DATA } from './tensor-data.ts';

type ArrayConstructor<Elements> = {
  new (buffer: ArrayBufferLike, offset: number, length: number): Elements;
  readonly BYTES_PER_ELEMENT: number;
};

/** Types whose elements a typed array holds as they are. */
const NUMBERS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Float16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
} as const;
const BIG = { int64: BigInt64Array, uint64: BigUint64Array } as const;

type PlainNumbers = InstanceType<(typeof NUMBERS)[keyof typeof NUMBERS]>;

/** A view of bytes at any offset; copies when they are not aligned for it. */
function view<Elements>(make: ArrayConstructor<Elements>, bytes: Uint8Array): Elements {
  const aligned = bytes.byteOffset % make.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  return new make(aligned.buffer, aligned.byteOffset, Math.floor(bytes.length / make.BYTES_PER_ELEMENT));
}

const isPlain = (dtype: DType): dtype is keyof typeof NUMBERS => dtype in NUMBERS;
const isBig = (dtype: DType): dtype is keyof typeof BIG => dtype in BIG;
const isSmallFloat = (dtype: DType): dtype is keyof typeof SMALL_FLOATS => dtype in SMALL_FLOATS;

/** `count` elements of packed bytes as numbers. int64 beyond 2^53 is rounded; strings and complex numbers are no numbers. */
function decode(dtype: DType, bytes: Uint8Array, count: number): ArrayLike<number> {
  if (isPlain(dtype)) return view<PlainNumbers>(NUMBERS[dtype], bytes);
  if (isBig(dtype)) return Float64Array.from(view<BigInt64Array | BigUint64Array>(BIG[dtype], bytes), Number);
  if (dtype === 'bfloat16') return Float32Array.from(view(Uint16Array, bytes), bfloat16ToFloat);
  const { bits, kind } = DTYPES[dtype];
  if (bits > 8 || bits === 0) throw new HoneError('internal', `The elements of a ${dtype} tensor are no numbers.`);
  const values = new Float32Array(count);
  const perByte = 8 / bits;
  const mask = (1 << bits) - 1;
  const sign = kind === 'signed' ? 1 << (bits - 1) : 0;
  const table = isSmallFloat(dtype) ? SMALL_FLOATS[dtype].values : null;
  for (let index = 0; index < count; index++) {
    // The first element is in the lowest bits. Source: onnx.proto, `TensorProto.raw_data`.
    const code = ((bytes[Math.floor(index / perByte)] ?? 0) >> (bits * (index % perByte))) & mask;
    values[index] = table === null ? (code ^ sign) - sign : (table[code] ?? 0);
  }
  return values;
}

/** The values as float32, which may be a view of the tensor's own bytes: not to be changed. */
export function toFloat32(tensor: Tensor): Float32Array {
  const values = decode(tensor.dtype, tensor.data.read(), tensor.size);
  return values instanceof Float32Array ? values : Float32Array.from(values);
}

/** The values as numbers; int64 beyond 2^53 is rounded. */
export function toNumbers(tensor: Tensor): number[] {
  return Array.from(decode(tensor.dtype, tensor.data.read(), tensor.size));
}

/** The values in order as float32, `count` (a multiple of 16) at a time and fewer at the end; a piece may be reused by the next. */
export function* float32Chunks(tensor: Tensor, count: number): Iterable<Float32Array> {
  let left = tensor.size;
  for (const piece of tensor.data.chunks(byteLength(tensor.dtype, count))) {
    const values = decode(tensor.dtype, piece, Math.min(count, left));
    left -= values.length;
    yield values instanceof Float32Array ? values : Float32Array.from(values);
  }
}

/**
 * A tensor of any numeric dtype; values are rounded to what it can hold: floats to nearest, ties to even; integers to nearest,
 * and clipped to their range.
 */
export function tensorFromNumbers(dtype: DType, values: ArrayLike<number>, shape: readonly number[]): Tensor {
  return new Tensor({ dtype, shape, data: new MemoryData(encode(dtype, values, elementCount(shape))) });
}

export function tensorFromFloat32(values: Float32Array, shape: readonly number[]): Tensor {
  return tensorFromBytes('float32', shape, bytesOf(values));
}

export function tensorFromInt64(values: ArrayLike<number | bigint>, shape: readonly number[]): Tensor {
  return tensorFromBytes('int64', shape, bytesOf(BigInt64Array.from(Array.from(values, BigInt))));
}

export function tensorFromBytes(dtype: DType, shape: readonly number[], bytes: Uint8Array): Tensor {
  return new Tensor({ dtype, shape, data: new MemoryData(bytes) });
}

export function tensorFromStrings(texts: readonly string[], shape: readonly number[]): Tensor {
  const encoder = new TextEncoder();
  return new Tensor({ dtype: 'string', shape, data: NO_DATA, strings: texts.map((text) => encoder.encode(text)) });
}

/** A tensor of no dimensions. */
export function scalarTensor(dtype: DType, value: number): Tensor {
  return tensorFromNumbers(dtype, [value], []);
}

/** The tensor as the engine takes it. */
export function toHostTensor(tensor: Tensor): HostTensor {
  const { dtype, shape } = tensor;
  if (tensor.strings !== null) {
    return { dtype, shape, data: tensor.strings.map((text) => new TextDecoder().decode(text)) };
  }
  const bytes = tensor.data.read();
  if (isBig(dtype)) return { dtype, shape, data: view<BigInt64Array | BigUint64Array>(BIG[dtype], bytes) };
  if (dtype === 'float16' || dtype === 'bfloat16') return { dtype, shape, data: view(Uint16Array, bytes) };
  return {
    dtype,
    shape,
    data: isPlain(dtype) ? view<NumericArray>(NUMBERS[dtype] as ArrayConstructor<NumericArray>, bytes) : bytes,
  };
}

/** What the engine gave as a tensor; shares its memory. */
export function tensorFromHost(host: HostTensor): Tensor {
  const { dtype, shape, data } = host;
  return ArrayBuffer.isView(data) ? tensorFromBytes(dtype, shape, bytesOf(data)) : tensorFromStrings(data, shape);
}

function bytesOf(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function encode(dtype: DType, values: ArrayLike<number>, count: number): Uint8Array {
  if (values.length !== count) {
    throw new HoneError('tensor-size-mismatch', `A tensor of ${count} elements was given ${values.length}.`);
  }
  if (dtype === 'bool') return Uint8Array.from(values, (value) => (value === 0 ? 0 : 1));
  const { bits, kind } = DTYPES[dtype];
  if (kind === 'float') return encodeFloats(dtype, values, count);
  if (kind === 'complex' || kind === 'string')
    throw new HoneError('internal', `A ${dtype} tensor is not made of numbers.`);
  const low = kind === 'signed' ? -(2 ** (bits - 1)) : 0;
  const high = kind === 'signed' ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  const rounded = Float64Array.from(values, (value) => Math.min(high, Math.max(low, roundEven(value))));
  if (isBig(dtype)) {
    // The upper limits of 64 bits are no doubles: the nearest double lies one above.
    const top = dtype === 'int64' ? 2n ** 63n - 1n : 2n ** 64n - 1n;
    const big = Array.from(rounded, (value) => (BigInt(value) > top ? top : BigInt(value)));
    return bytesOf(BIG[dtype].from(big));
  }
  return isPlain(dtype) ? bytesOf(NUMBERS[dtype].from(rounded)) : pack(rounded, bits);
}

function encodeFloats(dtype: DType, values: ArrayLike<number>, count: number): Uint8Array {
  if (isPlain(dtype)) return bytesOf(NUMBERS[dtype].from(values));
  if (dtype === 'bfloat16') return bytesOf(Uint16Array.from(values, floatToBfloat16));
  const codes = new Uint8Array(count);
  if (isSmallFloat(dtype)) codes.set(Array.from(values, SMALL_FLOATS[dtype].encode));
  return pack(codes, DTYPES[dtype].bits);
}

/** Elements of `bits` bits each, several to a byte, the first in the lowest bits. */
function pack(codes: ArrayLike<number>, bits: number): Uint8Array {
  const perByte = 8 / bits;
  const mask = (1 << bits) - 1;
  const bytes = new Uint8Array(Math.ceil(codes.length / perByte));
  for (let index = 0; index < codes.length; index++) {
    const at = Math.floor(index / perByte);
    bytes[at] = (bytes[at] ?? 0) | (((codes[index] ?? 0) & mask) << (bits * (index % perByte)));
  }
  return bytes;
}

/** Round half to even, as ONNX's Round and QuantizeLinear do. */
export function roundEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
