/**
 * Sampling of space at computed places, where MIL has no operator for it: each place reads elements around it ("taps"), a gather
 * of whole rows of channels each, with weights. Source of the formulas: onnx Operators.md, GridSample.
 */
import type { MilValue } from '../program.ts';
import { compare, expandDims, gather, plus, select, times } from './builders.ts';
import type { Lowering } from './lowering.ts';
import { staticDims } from './terms.ts';

/** What stands outside of the input. */
export type Outside = 'zeros' | 'border' | 'reflection';
export type Sampling = 'nearest' | 'linear' | 'cubic';

/** One axis of the places: [batch, places] coordinates in elements of the input, and its size. */
export interface Coordinates {
  readonly at: MilValue;
  readonly size: number;
  /** Where reflection turns round. */
  readonly low: number;
  readonly high: number;
}

/** The index of an element along one axis, as a float, and its weight; null for 1. */
interface Tap {
  readonly index: MilValue;
  readonly weight: MilValue | null;
}

/** x: [batch, channels, ...space]. Gives [batch, places, channels]. */
export function sampled(
  lowering: Lowering,
  x: MilValue,
  axes: readonly Coordinates[],
  sampling: Sampling,
  outside: Outside,
): MilValue {
  const [batch = 1, channels = 1, ...space] = staticDims(x.type.shape, 'what is sampled');
  const size = space.reduce((product, dim) => product * dim, 1);
  const perm = [0, ...space.map((_, axis) => axis + 2), 1];
  const rows = lowering.reshape(lowering.transpose(x, perm), [batch * size, channels]);
  const starts = lowering.reshapedInts(
    Array.from({ length: batch }, (_, at) => at * size),
    [batch, 1],
  );
  // ONNX Runtime brings a place inside first, but for the cubic at the border, whose taps are.
  const isKept = outside === 'zeros' || (sampling === 'cubic' && outside === 'border');
  const taps = axes.map((axis) => {
    const turned = isKept ? axis : { ...axis, at: inside(lowering, axis, sampling, outside) };
    return tapsOf(lowering, turned.at, sampling).map((tap) => kept(lowering, tap, axis, outside));
  });
  let sum: MilValue | null = null;
  for (const combination of combinations(taps)) {
    const value = tapped(lowering, rows, starts, combination, space);
    sum = sum === null ? value : lowering.binary('add', sum, value);
  }
  return sum ?? rows;
}

/** What is read for one axis: the element itself, two around, or four with Keys' kernel. */
function tapsOf(lowering: Lowering, at: MilValue, sampling: Sampling): Tap[] {
  if (sampling === 'nearest') return [{ index: lowering.unary('round', at), weight: null }];
  const below = lowering.unary('floor', at);
  const part = lowering.binary('sub', at, below);
  const rest = lowering.binary('sub', lowering.float(1), part);
  if (sampling === 'linear')
    return [
      { index: below, weight: rest },
      { index: plus(lowering, below, 1), weight: part },
    ];
  const weights = [
    outer(lowering, plus(lowering, part, 1)),
    inner(lowering, part),
    inner(lowering, rest),
    outer(lowering, plus(lowering, rest, 1)),
  ];
  return weights.map((weight, at_) => ({ index: plus(lowering, below, at_ - 1), weight }));
}

const CUBIC_A = -0.75;

/** Keys' cubic kernel at distances up to 1, and from 1 to 2. */
const inner = (lowering: Lowering, distance: MilValue): MilValue =>
  polynomial(lowering, distance, [CUBIC_A + 2, -(CUBIC_A + 3), 0, 1]);
const outer = (lowering: Lowering, distance: MilValue): MilValue =>
  polynomial(lowering, distance, [CUBIC_A, -5 * CUBIC_A, 8 * CUBIC_A, -4 * CUBIC_A]);

function polynomial(lowering: Lowering, x: MilValue, [first = 0, ...others]: readonly number[]): MilValue {
  let value = lowering.float(first);
  for (const coefficient of others) value = plus(lowering, lowering.binary('mul', x, value), coefficient);
  return value;
}

/** A place brought into the input before its taps are chosen. */
function inside(lowering: Lowering, axis: Coordinates, sampling: Sampling, outside: Outside): MilValue {
  const at = sampling === 'nearest' ? lowering.unary('round', axis.at) : axis.at;
  return outside === 'border' ? clamped(lowering, at, axis.size) : reflected(lowering, at, axis);
}

function clamped(lowering: Lowering, at: MilValue, size: number): MilValue {
  const low = lowering.binary('maximum', at, lowering.float(0));
  return lowering.binary('minimum', low, lowering.float(size - 1));
}

/** A triangle wave between the ends. */
function reflected(lowering: Lowering, at: MilValue, { low, high }: Coordinates): MilValue {
  const range = high - low;
  if (range === 0) return times(lowering, at, 0);
  const distance = lowering.unary('abs', plus(lowering, at, -low));
  const rest = lowering.binary('mod', distance, lowering.float(2 * range));
  const fromTurn = lowering.unary('abs', plus(lowering, rest, -range));
  return lowering.binary('sub', lowering.float(low + range), fromTurn);
}

/** The tap with its index inside the input; one outside counts nothing where there are zeros. */
function kept(lowering: Lowering, { index, weight }: Tap, axis: Coordinates, outside: Outside): Tap {
  const turned = outside === 'reflection' ? reflected(lowering, index, axis) : index;
  const at = clamped(lowering, turned, axis.size);
  if (outside !== 'zeros') return { index: at, weight };
  const isInside = compare(lowering, 'equal', at, index);
  const whole = weight ?? lowering.float(1);
  return { index: at, weight: select(lowering, isInside, whole, lowering.float(0)) };
}

function* combinations<Item>(lists: readonly (readonly Item[])[]): Iterable<Item[]> {
  const [first, ...rest] = lists;
  if (first === undefined) yield [];
  else for (const item of first) for (const others of combinations(rest)) yield [item, ...others];
}

function tapped(
  lowering: Lowering,
  rows: MilValue,
  starts: MilValue,
  taps: readonly Tap[],
  sizes: readonly number[],
): MilValue {
  let at: MilValue | null = null;
  let weight: MilValue | null = null;
  for (const [axis, tap] of taps.entries()) {
    const index = lowering.cast(tap.index, 'int32');
    at = at === null ? index : lowering.binary('add', times(lowering, at, sizes[axis] ?? 1), index);
    if (tap.weight !== null) weight = weight === null ? tap.weight : lowering.binary('mul', weight, tap.weight);
  }
  const values = gather(lowering, rows, at === null ? starts : lowering.binary('add', at, starts), 0);
  return weight === null ? values : lowering.binary('mul', values, expandDims(lowering, weight, [2]));
}
