/** Little-endian fields read in order from bytes that nobody vouches for: each read is checked, and names the byte. */
import { HoneError } from '../../protocol/errors.ts';

/** The configuration of a model of ten thousand layers has some 10 MB. */
export const MOST_TEXT_BYTES = 64 * 1024 * 1024;

export class Cursor {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #file: string;
  readonly #origin: number;
  #at = 0;

  /** `origin`: where the bytes are in `file`, for messages. */
  constructor(bytes: Uint8Array, file: string, origin: number) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#file = file;
    this.#origin = origin;
  }

  get left(): number {
    return this.bytes.length - this.#at;
  }

  /** Where the next byte is in the file. */
  get position(): number {
    return this.#origin + this.#at;
  }

  uint8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** A size or an address; null for the address of all ones, which stands for none. */
  uint64(): number | null {
    const value = this.#view.getBigUint64(this.#take(8), true);
    if (value === 0xffff_ffff_ffff_ffffn) return null;
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.corrupt(`A size or address is ${value}.`);
    return Number(value);
  }

  /** A number of 1, 2, 4 or 8 bytes, by the code that object headers and links use (0 to 3). */
  sized(code: number): number {
    if (code === 0) return this.uint8();
    if (code === 1) return this.uint16();
    if (code === 2) return this.uint32();
    return this.uint64() ?? Number.MAX_SAFE_INTEGER;
  }

  rewind(): void {
    this.#at = 0;
  }

  take(length: number): Uint8Array {
    const at = this.#take(length);
    return this.bytes.subarray(at, at + length);
  }

  skip(length: number): void {
    this.#take(length);
  }

  text(length: number): string {
    return textUntilZero(this.take(length));
  }

  /** The next `length` bytes as a cursor of their own. */
  part(length: number): Cursor {
    const origin = this.position;
    return new Cursor(this.take(length), this.#file, origin);
  }

  /** Throws `file-corrupt` unless the next bytes are the ASCII `mark`. */
  expect(mark: string): void {
    const at = this.position;
    const found = new TextDecoder('latin1').decode(this.take(mark.length));
    if (found !== mark) throw this.corrupt(`The file should have ${mark} at byte ${at}.`);
  }

  corrupt(message: string): HoneError {
    return new HoneError('file-corrupt', message, { where: { file: this.#file, offset: this.position } });
  }

  #take(length: number): number {
    const at = this.#at;
    if (length < 0 || length > this.left) throw this.corrupt('A structure is longer than the place that holds it.');
    this.#at += length;
    return at;
  }
}

/** UTF-8 up to the first zero, or all of it. */
export function textUntilZero(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
