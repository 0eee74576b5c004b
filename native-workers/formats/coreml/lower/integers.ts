/** Casts, and integers of types that ML Programs do not have: they are int32 there, and wrap by arithmetic. */
import type { DType } from '../../../graph/dtype.ts';
import type { Node } from '../../../graph/node.ts';
import type { MilValue } from '../program.ts';
import { compare, plus, select } from './builders.ts';
import type { Lower, Lowering } from './lowering.ts';
import { Refusal } from './terms.ts';

export interface Range {
  readonly bits: number;
  readonly signed: boolean;
}

/** Types narrower than the int32 that stands for them. */
export const NARROW: Partial<Record<DType, Range>> = {
  int2: { bits: 2, signed: true },
  int4: { bits: 4, signed: true },
  int8: { bits: 8, signed: true },
  int16: { bits: 16, signed: true },
  uint2: { bits: 2, signed: false },
  uint4: { bits: 4, signed: false },
  uint8: { bits: 8, signed: false },
  uint16: { bits: 16, signed: false },
};
const UNSIGNED_WIDE: ReadonlySet<DType> = new Set(['uint32', 'uint64']);

/** Whether every value of one type is one of the other. */
function fits(from: DType, to: Range): boolean {
  const range = NARROW[from];
  if (from === 'bool') return true;
  if (range === undefined) return false;
  if (range.signed && !to.signed) return false;
  return range.bits - Number(range.signed) <= to.bits - Number(to.signed);
}

/** int32 brought into the range of a narrower type, as a cast in two's complement does. */
export function wrapped(lowering: Lowering, x: MilValue, { bits, signed }: Range): MilValue {
  const half = signed ? 2 ** (bits - 1) : 0;
  const modulo = lowering.binary('mod', plus(lowering, x, half), lowering.scalarLike(x, 2 ** bits));
  return plus(lowering, modulo, -half);
}

/** `x` in ONNX's type `from` as what stands for `to`. */
export function castValue(lowering: Lowering, x: MilValue, from: DType, to: DType, dtype: 'fp32' | 'int32' | 'bool') {
  if (UNSIGNED_WIDE.has(to) && from.startsWith('int')) {
    throw new Refusal(`a cast from ${from} to ${to} makes negative numbers large, and Core ML has int32 only`);
  }
  const cast = lowering.cast(x, dtype);
  const range = NARROW[to];
  return range === undefined || fits(from, range) ? cast : wrapped(lowering, cast, range);
}

/** Cast, and CastLike, of whose second operand only the type counts. */
function cast(node: Node, lowering: Lowering): void {
  const to = lowering.type(lowering.output(node)).dtype;
  const from = lowering.type(lowering.input(node, 0)).dtype;
  const { dtype } = lowering.milType(lowering.output(node));
  if (dtype !== 'fp32' && dtype !== 'int32' && dtype !== 'bool') throw new Refusal(`Core ML does not compute in ${to}`);
  // Codes that `quantize` made are int8 in MIL too: castValue makes int32 of them first.
  lowering.result(node, castValue(lowering, lowering.get(node, 0), from, to, dtype));
}

/** The remainder has the sign of the divisor; that of `fmod` the sign of the dividend. */
function mod(node: Node, lowering: Lowering): void {
  const [x, y] = [lowering.get(node, 0), lowering.get(node, 1)];
  if (node.int('fmod', 0) === 0) {
    lowering.result(node, lowering.binary('mod', x, y));
    return;
  }
  const size = lowering.binary('mod', lowering.unary('abs', x), lowering.unary('abs', y));
  lowering.result(node, lowering.binary('mul', size, lowering.unary('sign', x)));
}

function isInfinite(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  if (x.type.dtype !== 'fp32') throw new Refusal('only floats are infinite');
  const [negative, positive] = [node.int('detect_negative', 1) !== 0, node.int('detect_positive', 1) !== 0];
  const infinity = lowering.float(negative && !positive ? -Infinity : Infinity);
  if (!negative && !positive) lowering.result(node, compare(lowering, 'less', x, x));
  else lowering.result(node, compare(lowering, 'equal', negative && positive ? lowering.unary('abs', x) : x, infinity));
}

/** x + bias below -lambd, x - bias above lambd, 0 between. Source: onnx Operators.md, Shrink. */
function shrink(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const [lambd, bias] = [node.float('lambd', 0.5), node.float('bias', 0)];
  const below = compare(lowering, 'less', x, lowering.scalarLike(x, -lambd));
  const above = compare(lowering, 'greater', x, lowering.scalarLike(x, lambd));
  const upper = select(lowering, above, plus(lowering, x, -bias), lowering.scalarLike(x, 0));
  lowering.result(node, select(lowering, below, plus(lowering, x, bias), upper));
}

export const INTEGERS: Readonly<Record<string, Lower>> = {
  Cast: cast,
  CastLike: cast,
  Mod: mod,
  IsInf: isInfinite,
  Shrink: shrink,
};
