/**
 * Scales under which ONNX Runtime's float arithmetic gives the integers of LiteRT. Both compute a quantized operator from the
 * ratios of its scales: ONNX Runtime in float32, rounding half to even; LiteRT's kernels in integers, from multipliers of a few
 * bits. Where that moves results over the middle between two steps, the ratio that LiteRT really uses is put into the graph.
 * Each formula was compared with LiteRT 2.5.3 on every tensor of the models in the tests.
 */
import { roundEven } from '../../../graph/tensor-values.ts';
import type { Codes } from './codes.ts';

/** Steps of float32 that are tried on each side when a quotient is to be met exactly. */
const NEIGHBOURS = 2;

/** The float32 nearest to `ratio * divisor` whose float32 quotient by `divisor` is `ratio`, or as near as any. */
export function dividend(ratio: number, divisor: number): number {
  const guess = Math.fround(ratio * divisor);
  const error = (value: number): number => Math.abs(Math.fround(value / divisor) - ratio);
  let best = guess;
  for (let step = -NEIGHBOURS; step <= NEIGHBOURS; step++) {
    const value = Math.fround(guess * (1 + step * 2 ** -24));
    if (error(value) < error(best)) best = value;
  }
  return best;
}

/** Codes of 8 bits are at most this far from their zero point. */
const FURTHEST = 255;

/** Error of three float32 roundings of values up to 256: sums this far from a middle land on its right side. */
const ROUNDING = 1.2e-5;

/** Scales are tried in steps of half a unit of float32, this many to each side. */
const STEP = 2 ** -23;
const STEPS = 12;

/**
 * Scales of both operands of an ADD or SUB with 8-bit codes. XNNPACK multiplies the codes by integers of 21 bits, the larger
 * one in [2^20, 2^21), shifts the sum back and rounds halves up. Source: xnn_init_qs8_add_minmax_params in microparams-init.c.
 * Ratios outside of [2^-10, 2^8) go to kernels of 31 bits, whose sums need no other scales.
 *
 * A sum of XNNPACK's can be nearer to the middle between two steps than float32 resolves. Then scales near the real ones are
 * searched that keep every sum on its side; small codes, which are the frequent ones, count most.
 */
export function addScales(a: number, b: number, output: number): [number, number] {
  const ratios = [Math.fround(a / output), Math.fround(b / output)];
  if (ratios.some((ratio) => !(ratio >= 2 ** -10 && ratio < 2 ** 8))) return [a, b];
  const unit = 2 ** (Math.floor(Math.log2(Math.max(...ratios))) - 20);
  const [first = 1, second = 1] = ratios.map((ratio) => roundEven(ratio / unit) * unit);
  const middles = nearMiddles(first, second);
  let best: [number, number] = [dividend(first, output), dividend(second, output)];
  let least = risk(best, output, middles);
  for (let distance = 1; least > 0 && distance <= STEPS; distance++) {
    for (const [up, right] of ring(distance)) {
      const tried: [number, number] = [dividend(first + up * STEP, output), dividend(second + right * STEP, output)];
      const cost = risk(tried, output, middles);
      if (cost < least) [best, least] = [tried, cost];
    }
  }
  return best;
}

/** Codes, less their zero points, whose sum is near the middle below `upper`, and whether XNNPACK rounds it up. */
interface NearMiddle {
  readonly first: number;
  readonly second: number;
  readonly middle: number;
  readonly isAbove: boolean;
}

function nearMiddles(a: number, b: number): NearMiddle[] {
  const near = ROUNDING + 2 * FURTHEST * STEPS * STEP;
  const found: NearMiddle[] = [];
  for (let first = -FURTHEST; first <= FURTHEST; first++) {
    for (let second = -FURTHEST; second <= FURTHEST; second++) {
      // Exact: both products have at most 29 bits.
      const sum = first * a + second * b;
      const middle = Math.floor(sum) + 0.5;
      if (Math.abs(sum - middle) < near && Math.abs(sum) <= FURTHEST + 1)
        found.push({ first, second, middle, isAbove: sum >= middle });
    }
  }
  return found;
}

/** How much lies on the wrong side of its middle, or too near to it for float32. */
function risk([a, b]: readonly [number, number], output: number, middles: readonly NearMiddle[]): number {
  const [first, second] = [Math.fround(a / output), Math.fround(b / output)];
  let total = 0;
  for (const each of middles) {
    const above = each.first * first + each.second * second - each.middle;
    const margin = each.isAbove ? above : -above;
    if (margin < ROUNDING) total += (ROUNDING - margin) / (1 + each.first ** 2 + each.second ** 2);
  }
  return total;
}

/** Whole-number points at `distance` from the origin, the larger coordinate deciding. */
function ring(distance: number): [number, number][] {
  const points: [number, number][] = [];
  for (let up = -distance; up <= distance; up++) {
    for (let right = -distance; right <= distance; right++) {
      if (Math.max(Math.abs(up), Math.abs(right)) === distance) points.push([up, right]);
    }
  }
  return points;
}

/**
 * Scale of the input of a QUANTIZE between 8-bit codes: XNNPACK multiplies by the ratio in 256ths. Source:
 * xnn_init_qs8_cvt_params. Ratios outside of [2^-8, 2^7] go to a kernel of 31 bits.
 */
export function convertScale(input: number, output: number): number {
  const ratio = Math.fround(input / output);
  if (ratio < 2 ** -8 || ratio > 2 ** 7) return input;
  return dividend(roundEven(ratio * 256) / 256, output);
}

/**
 * Slope of a LEAKY_RELU between 8-bit codes whose input has the scale of `convertScale`: XNNPACK multiplies positive and negative
 * codes by 256ths of their own. Source: xnn_init_qs8_lrelu_params.
 */
export function leakySlope(alpha: number, input: number, output: number): number {
  const ratio = Math.fround(input / output);
  if (ratio < 2 ** -8 || ratio > 2 ** 7) return alpha;
  return roundEven(256 * Math.fround(alpha * ratio)) / roundEven(256 * ratio);
}

/**
 * Kernels that average the codes as they are stored round halves away from zero, or up where no code is negative; floats round
 * them to even. The same in floats: real values that are zero where the stored code is, so that rounding goes by the size of
 * the code, and an output scale smaller by this factor. It takes the middles between two steps over them, by more than the
 * last digit of a float32 (0.5 * 2^-15 of 256), and no other average of up to 128 codes: those are 1/128 away, and codes are
 * at most 255.
 */
const MIDDLES_UP = 1 - 2 ** -15;
const MOST_AVERAGED = 128;

/** Parameters to read codes with and to quantize their average with, so that it rounds like LiteRT's. */
export interface Averaged {
  readonly input: Partial<Codes>;
  readonly output: Partial<Codes>;
}

const AS_STORED: Averaged = { input: {}, output: {} };

/**
 * AVERAGE_POOL_2D, on the reference kernels: XNNPACK has no quantized pool. Averages of odd counts have no middles; `counts`:
 * how many elements windows have.
 */
export function averagePoolCodes(codes: Codes | null, counts: readonly number[]): Averaged {
  const isPlain = counts.every((count) => count % 2 === 1) || Math.max(...counts) > MOST_AVERAGED;
  return isPlain ? AS_STORED : aroundCode(codes, codes?.dtype === 'int8' ? 128 : 0);
}

/** RESIZE_BILINEAR: XNNPACK rounds halves of the weighted sums up. */
export function resizedCodes(codes: Codes | null): Averaged {
  return aroundCode(codes, 0);
}

function aroundCode(codes: Codes | null, zeroPoint: number): Averaged {
  const [scale] = codes?.scales ?? [];
  if (scale === undefined || (codes?.dtype !== 'int8' && codes?.dtype !== 'uint8')) return AS_STORED;
  return { input: { zeroPoints: [zeroPoint] }, output: { zeroPoints: [zeroPoint], scales: [scale * MIDDLES_UP] } };
}

/**
 * MEAN rounds halves to even codes, ONNX Runtime to even distances from the zero point: the same where that is even, and where
 * the parameters stay, another zero point for both says the same.
 */
export function meanCodes(input: Codes | null, output: Codes | null): Averaged {
  const isSame = input?.scales[0] === output?.scales[0] && input?.zeroPoints[0] === output?.zeroPoints[0];
  const isOdd = (input?.zeroPoints[0] ?? 0) % 2 !== 0;
  const isEightBit = input?.dtype === 'int8' || input?.dtype === 'uint8';
  return isSame && isOdd && isEightBit ? { input: { zeroPoints: [128] }, output: { zeroPoints: [128] } } : AS_STORED;
}
