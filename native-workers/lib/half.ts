/** 16-bit floats: IEEE 754 half precision through the engine's own Float16Array, and bfloat16, the upper half of a float32. */
/// <reference lib="esnext.float16" />

/** The largest finite float16. */
export const HALF_MAX = 65504;
/** The smallest positive float16 with full precision, and the smallest at all. */
export const HALF_MIN_NORMAL = 2 ** -14;
export const HALF_MIN = 2 ** -24;

const one = new Float32Array(1);
const oneHalf = new Float16Array(1);
const oneBits = new Uint32Array(one.buffer);
const oneHalfBits = new Uint16Array(oneHalf.buffer);

/** Rounds to the nearest float16, ties to even, and gives its bits. */
export function floatToHalf(value: number): number {
  oneHalf[0] = value;
  return oneHalfBits[0] ?? 0;
}

export function halfToFloat(bits: number): number {
  oneHalfBits[0] = bits;
  return oneHalf[0] ?? 0;
}

/** Rounds to the nearest bfloat16, ties to even, and gives its bits. */
export function floatToBfloat16(value: number): number {
  one[0] = value;
  const bits = oneBits[0] ?? 0;
  // A NaN must stay one when its low bits go.
  if ((bits & 0x7fff_ffff) > 0x7f80_0000) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

export function bfloat16ToFloat(bits: number): number {
  oneBits[0] = bits << 16;
  return one[0] ?? 0;
}

/** Little-endian float32 bytes to float16 bytes: the kernel of the float16 pass, a few GB/s. The piece may lie at any offset. */
export function float32ToFloat16Bytes(piece: Uint8Array): Uint8Array {
  const halves = new Float16Array(float32View(piece));
  return new Uint8Array(halves.buffer);
}

export function float16ToFloat32Bytes(piece: Uint8Array): Uint8Array {
  const { buffer, byteOffset, length } = piece.byteOffset % 2 === 0 ? piece : new Uint8Array(piece);
  const floats = new Float32Array(new Float16Array(buffer, byteOffset, length / 2));
  return new Uint8Array(floats.buffer);
}

/** The bytes as float32 values: a view where they are aligned, else a copy. */
export function float32View(piece: Uint8Array): Float32Array {
  const { buffer, byteOffset, length } = piece.byteOffset % 4 === 0 ? piece : new Uint8Array(piece);
  return new Float32Array(buffer, byteOffset, length / 4);
}

/** What float16 would do to float32 values: counts that add up over the pieces of a tensor. */
export interface HalfLosses {
  /** Finite values that become infinite: above 65504 by half a step or more. */
  overflow: number;
  /** Values other than zero that become zero. */
  underflow: number;
  /** Values below 2^-14, which keep fewer bits. */
  subnormal: number;
  /** Values that are infinite or no number already. */
  notFinite: number;
  /** Largest finite magnitude. */
  largest: number;
}

export const noHalfLosses = (): HalfLosses => ({ overflow: 0, underflow: 0, subnormal: 0, notFinite: 0, largest: 0 });

/** 65520 is half a step above the largest float16 and rounds to infinity; 2^-25 is half the smallest and rounds to even zero. */
const OVERFLOWS = 0x477f_f000;
const SUBNORMAL_BELOW = 0x3880_0000;
const UNDERFLOWS_TO = 0x3300_0000;
const INFINITE = 0x7f80_0000;

/** Adds what the piece, little-endian float32, would lose. Compares bits, whose order is that of magnitudes. */
export function addHalfLosses(losses: HalfLosses, piece: Uint8Array): void {
  const { buffer, byteOffset, length } = float32View(piece);
  const bits = new Uint32Array(buffer, byteOffset, length);
  let largest = 0;
  for (let index = 0; index < bits.length; index++) {
    const magnitude = (bits[index] ?? 0) & 0x7fff_ffff;
    if (magnitude >= INFINITE) losses.notFinite++;
    else {
      if (magnitude > largest) largest = magnitude;
      if (magnitude >= OVERFLOWS) losses.overflow++;
      else if (magnitude < SUBNORMAL_BELOW && magnitude !== 0) {
        if (magnitude <= UNDERFLOWS_TO) losses.underflow++;
        else losses.subnormal++;
      }
    }
  }
  oneBits[0] = largest;
  losses.largest = Math.max(losses.largest, one[0] ?? 0);
}
