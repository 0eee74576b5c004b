/**
 * Tensor content in the typed fields of `TensorProto` (`int32_data` and its like), brought into the form of `raw_data`.
 * Source: onnx.proto. `int32_data` holds every type of up to 32 bits but float32, floats by their bits and sub-byte types
 * packed in bytes; `int64_data` int64; `uint64_data` uint32 and uint64. These are varints and are decoded when read.
 * `float_data` (float32, complex64) and `double_data` (float64, complex128) already are little-endian bytes when packed.
 */
import type { TensorData } from '../../graph/tensor.ts';
import { concatBytes } from '../../lib/bytes.ts';
import { HoneError } from '../../protocol/errors.ts';

const CHUNK = 1 << 20;

/** Varints decoded to integers of `width` bytes, in pieces. The number of values is checked when they are read. */
export class VarintData implements TensorData {
  readonly byteLength: number;
  readonly #source: TensorData;
  readonly #width: number;

  constructor(source: TensorData, width: number, count: number) {
    this.#source = source;
    this.#width = width;
    this.byteLength = width * count;
  }

  read(): Uint8Array {
    const whole = new Uint8Array(this.byteLength);
    let at = 0;
    for (const piece of this.chunks(CHUNK)) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }

  *chunks(size: number): Iterable<Uint8Array> {
    const bytes = new Uint8Array(Math.min(size, this.byteLength));
    const view = new DataView(bytes.buffer);
    const width = this.#width;
    let at = 0;
    let given = 0;
    // A varint can lie across two pieces of the source, so its parts live outside the loop.
    let low = 0;
    let high = 0;
    let group = 0;
    for (const piece of this.#source.chunks(CHUNK)) {
      for (let index = 0; index < piece.length; index++) {
        const byte = piece[index] ?? 0;
        // 64 bits as two 32-bit halves; the fifth group of seven bits belongs to both.
        if (group < 5) low |= (byte & 0x7f) << (7 * group);
        if (group === 4) high = (byte & 0x7f) >>> 4;
        else if (group > 4) high |= (byte & 0x7f) << (7 * group - 32);
        if (byte >= 0x80) {
          if (++group > 9) throw new HoneError('file-corrupt', 'A number is longer than ten bytes.');
          continue;
        }
        if (given + at + width > this.byteLength) throw this.#miscounted('more');
        if (width === 1) bytes[at] = low;
        else if (width === 2) view.setUint16(at, low, true);
        else view.setInt32(at, low, true);
        if (width === 8) view.setInt32(at + 4, high, true);
        at += width;
        low = 0;
        high = 0;
        group = 0;
        if (at === bytes.length) {
          yield bytes;
          given += at;
          at = 0;
        }
      }
    }
    if (group !== 0 || given + at !== this.byteLength) throw this.#miscounted('fewer');
    if (at > 0) yield bytes.subarray(0, at);
  }

  #miscounted(than: string): HoneError {
    const count = this.byteLength / this.#width;
    return new HoneError('tensor-size-mismatch', `A tensor of ${count} values holds ${than} in its data.`);
  }
}

/** The values of a repeated number field as they come: packed in one or more ranges, or each in a field of its own. */
export class RepeatedField {
  readonly #packed: TensorData[] = [];
  readonly #single: Uint8Array[] = [];

  addPacked(data: TensorData): void {
    this.#packed.push(data);
  }

  /** `bytes`: the value as it stands on the wire. */
  addSingle(bytes: Uint8Array): void {
    this.#single.push(bytes);
  }

  get isEmpty(): boolean {
    return this.#packed.length === 0 && this.#single.length === 0;
  }

  /** Everything in order; nearly always one range, which stays in the file. */
  data(join: (bytes: Uint8Array) => TensorData): TensorData {
    const [only] = this.#packed;
    if (only !== undefined && this.#packed.length === 1 && this.#single.length === 0) return only;
    return join(concatBytes([...this.#packed.map((piece) => piece.read()), ...this.#single]));
  }
}
