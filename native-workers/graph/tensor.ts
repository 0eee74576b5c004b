/**
 * A constant tensor that knows its dtype, its shape and where its bytes are, without holding them.
 * Opening a model reads no weights; passes read tensor by tensor; writers stream chunks. Nothing may hold all weights.
 */
import { HoneError } from '../protocol/errors.ts';
import { byteLength, type DType, elementCount } from './dtype.ts';

/** Bytes of a tensor, read when asked: little-endian, packed as ONNX's `raw_data`. */
export interface TensorData {
  readonly byteLength: number;
  /** All bytes. The caller must not change them: they may be shared. */
  read(): Uint8Array;
  /** The bytes in order, in pieces of at most `size` bytes (a multiple of 16); each piece may be reused by the next. */
  chunks(size: number): Iterable<Uint8Array>;
}

export interface TensorInit {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TensorData;
  /** Content of a string tensor, each element as its UTF-8 bytes; `data` is empty then. */
  readonly strings?: readonly Uint8Array[];
  readonly docString?: string;
  /** `TensorProto.metadata_props`. */
  readonly metadata?: ReadonlyMap<string, string>;
}

export class Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TensorData;
  readonly strings: readonly Uint8Array[] | null;
  readonly docString: string;
  readonly metadata: ReadonlyMap<string, string> | null;

  /** Throws `tensor-size-mismatch` when the data is not exactly as long as dtype and shape need. */
  constructor(init: TensorInit) {
    this.dtype = init.dtype;
    this.shape = init.shape;
    this.data = init.data;
    this.strings = init.strings ?? null;
    this.docString = init.docString ?? '';
    this.metadata = init.metadata ?? null;
    const count = elementCount(init.shape);
    if (init.dtype === 'string') {
      if (this.strings?.length !== count) {
        throw new HoneError(
          'tensor-size-mismatch',
          `A string tensor of ${count} elements holds ${this.strings?.length ?? 0}.`,
        );
      }
    } else if (init.data.byteLength !== byteLength(init.dtype, count)) {
      throw new HoneError(
        'tensor-size-mismatch',
        `A ${init.dtype} tensor of shape [${init.shape.join(', ')}] needs ${byteLength(init.dtype, count)} bytes and has ${init.data.byteLength}.`,
      );
    }
  }

  /** Number of elements. */
  get size(): number {
    return elementCount(this.shape);
  }

  /** Bytes of the packed elements. For strings: the sum of their lengths. */
  get bytes(): number {
    if (this.strings === null) return this.data.byteLength;
    return this.strings.reduce((sum, text) => sum + text.length, 0);
  }

  /** The same data under another shape of the same size. */
  reshaped(shape: readonly number[]): Tensor {
    return new Tensor({
      dtype: this.dtype,
      shape,
      data: this.data,
      ...(this.strings ? { strings: this.strings } : {}),
    });
  }
}
