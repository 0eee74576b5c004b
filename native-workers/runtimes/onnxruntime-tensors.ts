/** Tensors and types between Hone and ONNX Runtime's JavaScript API, which the Node binding and the wasm build share. */
import type { InferenceSession, OnnxValue, Tensor, TensorConstructor } from 'onnxruntime-common';
import { DTYPES, type DType, elementCount } from '../graph/dtype.ts';
import { type Dim, tensorType, type ValueType } from '../graph/types.ts';
import type { Feeds, HostTensor, NumericArray } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';

/** What the Node binding can carry: no bfloat16, float8, complex, 4-bit or 2-bit tensors (1.30 refuses or dies). */
const CARRIED: ReadonlySet<DType> = new Set<DType>([
  'float32',
  'uint8',
  'int8',
  'uint16',
  'int16',
  'int32',
  'int64',
  'string',
  'bool',
  'float16',
  'float64',
  'uint32',
  'uint64',
]);

function isCarried(dtype: DType): dtype is Tensor.Type {
  return CARRIED.has(dtype);
}

/** Throws `data-mismatch` when dtype, shape and data do not fit each other, or the API cannot carry the dtype. */
export function toOrtTensor(OrtTensor: TensorConstructor, name: string, tensor: HostTensor): Tensor {
  const { dtype, shape, data } = tensor;
  const where = { where: { tensor: name } };
  if (!isCarried(dtype)) {
    throw new HoneError(
      'data-mismatch',
      `ONNX Runtime's JavaScript interface cannot take a ${dtype} tensor as input '${name}'.`,
      where,
    );
  }
  const count = elementCount(shape);
  if (data.length !== count) {
    throw new HoneError(
      'data-mismatch',
      `Input '${name}' of shape [${shape.join(', ')}] needs ${count} elements of data and has ${data.length}.`,
      where,
    );
  }
  try {
    if (dtype === 'string') return new OrtTensor('string', data as readonly string[], shape);
    if (dtype === 'float16') return float16Tensor(OrtTensor, data as Uint16Array, shape);
    return new OrtTensor(dtype as 'float32', data as Float32Array, shape);
  } catch (thrown) {
    throw new HoneError(
      'data-mismatch',
      `The data of input '${name}' is no ${dtype} array: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
      { ...where, cause: thrown },
    );
  }
}

/**
 * The API turns the bits into a Float16Array where the language has it, which Node-API of Node 24 cannot read ("not enough
 * space: expected 6, got 0"). So the tensor is made as uint16 and named float16, which both builds take.
 */
function float16Tensor(OrtTensor: TensorConstructor, bits: Uint16Array, shape: readonly number[]): Tensor {
  return Object.assign(new OrtTensor('uint16', bits, shape), { type: 'float16' as const }) as unknown as Tensor;
}

/** Results of a run. Throws `runtime-failed` for an output that is no tensor. */
export function toFeeds(results: Readonly<Record<string, OnnxValue>>): Feeds {
  return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, fromOrtTensor(name, value)]));
}

function fromOrtTensor(name: string, value: OnnxValue): HostTensor {
  if (typeof value !== 'object' || value === null || !('dims' in value)) {
    throw new HoneError('runtime-failed', `Output '${name}' is no tensor.`, { where: { tensor: name } });
  }
  const tensor = value as Tensor;
  const dtype: DType = tensor.type;
  return { dtype, shape: [...tensor.dims], data: hostData(dtype, tensor.data) };
}

function hostData(dtype: DType, data: Tensor['data']): HostTensor['data'] {
  if (!ArrayBuffer.isView(data)) return data;
  // A Float16Array, under a type that the library's declarations do not know, becomes its bits.
  if (dtype === 'float16') return new Uint16Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength / 2);
  return data as NumericArray;
}

/**
 * The type of an input or output. The API gives an empty shape both for a scalar and for an unknown rank; it is passed on as a
 * scalar, which is the commoner of the two. Values that are no tensors come without their element types.
 */
export function valueType(metadata: InferenceSession.ValueMetadata): ValueType {
  if (!metadata.isTensor) return { kind: 'sequence', element: null };
  const shape = metadata.shape.map((dim): Dim => (dim === '' ? null : dim));
  return tensorType(metadata.type in DTYPES ? metadata.type : null, shape);
}
