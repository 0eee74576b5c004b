/**
 * Operators on the bits of integers, as arithmetic on the int32 that stands for them: bit k of x is x / 2^k, rounded down, modulo
 * 2, in two's complement too.
 */
import type { Node } from '../../../graph/node.ts';
import type { MilValue } from '../program.ts';
import { compare, concat, expandDims, plus, reduce, times } from './builders.ts';
import { NARROW, type Range, wrapped } from './integers.ts';
import type { Lower, Lowering } from './lowering.ts';
import { Refusal } from './terms.ts';

/** The type of the operands. Of those as wide as int32 or wider, int32 holds the values that Core ML can be given. */
function rangeOf(lowering: Lowering, node: Node): Range {
  const { dtype } = lowering.type(lowering.input(node, 0));
  return NARROW[dtype] ?? { bits: 32, signed: !dtype.startsWith('u') };
}

/** [..., bits]: 0 or 1 each, the lowest first; of 32 bits the last is the sign. */
function bitsOf(lowering: Lowering, x: MilValue, bits: number): MilValue {
  const each = expandDims(lowering, x, [x.type.shape.length]);
  const powers = lowering.ints(powersOf(Math.min(bits, 31)), 'powers');
  const low = lowering.binary('mod', lowering.binary('floor_div', each, powers), lowering.int(2));
  if (bits < 32) return low;
  // 2^31 is no int32.
  const sign = lowering.cast(compare(lowering, 'less', each, lowering.int(0)), 'int32');
  return concat(lowering, [low, sign], x.type.shape.length);
}

const powersOf = (count: number): number[] => Array.from({ length: count }, (_, bit) => 2 ** bit);

/** `type` makes each bit of the result of those of the operands. */
const bitwise =
  (type: 'minimum' | 'maximum' | 'not_equal'): Lower =>
  (node, lowering) => {
    const { bits, signed } = rangeOf(lowering, node);
    const [x, y] = [0, 1].map((index) => bitsOf(lowering, lowering.get(node, index), bits)) as [MilValue, MilValue];
    const made =
      type === 'not_equal' ? lowering.cast(compare(lowering, type, x, y), 'int32') : lowering.binary(type, x, y);
    const weights = powersOf(bits);
    if (signed || bits === 32) weights[bits - 1] = -(2 ** (bits - 1));
    const weighted = lowering.binary('mul', made, lowering.ints(weights, 'weights'));
    lowering.result(node, reduce(lowering, 'reduce_sum', weighted, [weighted.type.shape.length - 1], false));
  };

/** -1 - x in two's complement, the largest number less x without a sign. */
function bitwiseNot(node: Node, lowering: Lowering): void {
  const { bits, signed } = rangeOf(lowering, node);
  if (!signed && bits === 32) throw new Refusal('numbers without a sign as large as the result has them are no int32');
  lowering.result(node, plus(lowering, times(lowering, lowering.get(node, 0), -1), signed ? -1 : 2 ** bits - 1));
}

/** 2 to the power of the distances, which are at most `most`. */
function powers(lowering: Lowering, distances: MilValue, most: number): MilValue {
  const bounded = lowering.binary('minimum', distances, lowering.int(most));
  return lowering.binary('pow', lowering.int(2), bounded);
}

/** To the left: times 2^y, cut to the type's bits. To the right: divided by it, rounded down. */
function bitShift(node: Node, lowering: Lowering): void {
  const { bits, signed } = rangeOf(lowering, node);
  const [x, y] = [lowering.get(node, 0), lowering.get(node, 1)];
  if (node.string('direction', 'LEFT') === 'RIGHT') {
    // In two steps, since 2^31 is no int32.
    const rest = lowering.binary('maximum', lowering.binary('sub', y, lowering.int(16)), lowering.int(0));
    const first = lowering.binary('floor_div', x, powers(lowering, y, 16));
    lowering.result(node, lowering.binary('floor_div', first, powers(lowering, rest, 16)));
    return;
  }
  const shifted = lowering.binary('mul', x, powers(lowering, y, Math.min(bits - 1, 30)));
  if (bits === 32) {
    lowering.note('Integers are int32: what is shifted beyond 31 bits is lost.');
    lowering.result(node, shifted);
    return;
  }
  const isInside = lowering.cast(compare(lowering, 'less', y, lowering.int(bits)), 'int32');
  lowering.result(node, lowering.binary('mul', wrapped(lowering, shifted, { bits, signed }), isInside));
}

export const BITS: Readonly<Record<string, Lower>> = {
  BitShift: bitShift,
  BitwiseAnd: bitwise('minimum'),
  BitwiseNot: bitwiseNot,
  BitwiseOr: bitwise('maximum'),
  BitwiseXor: bitwise('not_equal'),
};
