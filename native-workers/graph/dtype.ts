/**
 * Element types of tensors, under the names that Hone uses everywhere (graph, JSON, report), with ONNX's codes.
 * Source: onnx.proto, `TensorProto.DataType`.
 */
import { HoneError } from '../protocol/errors.ts';

interface DTypeFacts {
  /** `TensorProto.DataType` value. */
  readonly code: number;
  /** Bits of one element in `raw_data`; 0 for strings, which have no fixed size. */
  readonly bits: number;
  readonly kind: 'float' | 'signed' | 'unsigned' | 'bool' | 'complex' | 'string';
}

export const DTYPES = {
  float32: { code: 1, bits: 32, kind: 'float' },
  uint8: { code: 2, bits: 8, kind: 'unsigned' },
  int8: { code: 3, bits: 8, kind: 'signed' },
  uint16: { code: 4, bits: 16, kind: 'unsigned' },
  int16: { code: 5, bits: 16, kind: 'signed' },
  int32: { code: 6, bits: 32, kind: 'signed' },
  int64: { code: 7, bits: 64, kind: 'signed' },
  string: { code: 8, bits: 0, kind: 'string' },
  bool: { code: 9, bits: 8, kind: 'bool' },
  float16: { code: 10, bits: 16, kind: 'float' },
  float64: { code: 11, bits: 64, kind: 'float' },
  uint32: { code: 12, bits: 32, kind: 'unsigned' },
  uint64: { code: 13, bits: 64, kind: 'unsigned' },
  complex64: { code: 14, bits: 64, kind: 'complex' },
  complex128: { code: 15, bits: 128, kind: 'complex' },
  bfloat16: { code: 16, bits: 16, kind: 'float' },
  float8e4m3fn: { code: 17, bits: 8, kind: 'float' },
  float8e4m3fnuz: { code: 18, bits: 8, kind: 'float' },
  float8e5m2: { code: 19, bits: 8, kind: 'float' },
  float8e5m2fnuz: { code: 20, bits: 8, kind: 'float' },
  uint4: { code: 21, bits: 4, kind: 'unsigned' },
  int4: { code: 22, bits: 4, kind: 'signed' },
  float4e2m1: { code: 23, bits: 4, kind: 'float' },
  float8e8m0: { code: 24, bits: 8, kind: 'float' },
  uint2: { code: 25, bits: 2, kind: 'unsigned' },
  int2: { code: 26, bits: 2, kind: 'signed' },
} as const satisfies Record<string, DTypeFacts>;

export type DType = keyof typeof DTYPES;

const BY_CODE = new Map<number, DType>(
  (Object.entries(DTYPES) as [DType, DTypeFacts][]).map(([name, facts]) => [facts.code, name]),
);

/** The dtype of an ONNX code, or null when the code is unknown to this version of Hone. */
export function dtypeFromCode(code: number): DType | null {
  return BY_CODE.get(code) ?? null;
}

export function isFloat(dtype: DType): boolean {
  return DTYPES[dtype].kind === 'float';
}

/** Number of elements of a static shape. Throws `tensor-too-large` when the product leaves the safe integers. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const dim of shape) {
    count *= dim;
    if (!Number.isSafeInteger(count) || dim < 0) {
      throw new HoneError(
        'tensor-too-large',
        `The shape [${shape.join(', ')}] holds more elements than can be counted.`,
      );
    }
  }
  return count;
}

/** Bytes of `count` packed elements: sub-byte types share bytes, the last byte is padded. Strings have none. */
export function byteLength(dtype: DType, count: number): number {
  return Math.ceil((count * DTYPES[dtype].bits) / 8);
}
