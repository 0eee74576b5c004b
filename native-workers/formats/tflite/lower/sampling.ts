/**
 * Sampling of space at places that are computed: GridSample, AffineGrid, RoiAlign's and DeformConv's reading. Each tap is a
 * GATHER of whole rows of channels. Source of the formulas: ONNX's GridSample.
 */
import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
import type { Lowering } from './lowering.ts';
import type { Lower } from './registry.ts';
import { Refusal } from './terms.ts';
import { channelsFirst, channelsLast } from './window.ts';

export const SAMPLING_LOWERINGS: Readonly<Record<string, Lower>> = { GridSample: gridSample, AffineGrid: affineGrid };

/** What stands outside of the input. */
type Outside = 'zeros' | 'border' | 'reflection';

/** One axis of the places: [N, P] coordinates in elements of the input, and its size. */
export interface Coordinates {
  readonly at: TflTensor;
  readonly size: number;
  /** Where reflection turns round. */
  readonly low: number;
  readonly high: number;
}

/** One tap along one axis: the index of the element, and its weight; null for 1. */
interface Tap {
  readonly index: TflTensor;
  readonly weight: TflTensor | null;
}

type Mode = (lowering: Lowering, at: TflTensor) => { index: TflTensor; weight: TflTensor | null }[];

const MODES: Readonly<Record<string, Mode>> = {
  nearest: (lowering, at) => [{ index: lowering.unary('ROUND', at), weight: null }],
  linear: (lowering, at) => {
    const below = lowering.unary('FLOOR', at);
    const part = lowering.sub(at, below);
    return [
      { index: below, weight: lowering.sub(lowering.scalar(1), part) },
      { index: lowering.add(below, 1), weight: part },
    ];
  },
  cubic: (lowering, at) => {
    const below = lowering.unary('FLOOR', at);
    const part = lowering.sub(at, below);
    return [-1, 0, 1, 2].map((offset) => ({
      index: lowering.add(below, offset),
      weight: cubicWeight(lowering, part, offset),
    }));
  },
};

/** The cubic of Keys with a = -0.75: distances below 1, and from 1 to 2. */
function cubicWeight(lowering: Lowering, part: TflTensor, offset: number): TflTensor {
  const a = -0.75;
  const distance = offset <= 0 ? lowering.add(part, -offset) : lowering.sub(lowering.scalar(offset), part);
  const coefficients = Math.abs(offset - 0.5) < 1 ? [a + 2, -(a + 3), 0, 1] : [a, -5 * a, 8 * a, -4 * a];
  return coefficients
    .slice(1)
    .reduce<TflTensor>(
      (value, coefficient, index) =>
        lowering.add(
          index === 0 ? lowering.mul(distance, coefficients[0] ?? 0) : lowering.mul(value, distance),
          coefficient,
        ),
      distance,
    );
}

function gridSample(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const grid = lowering.read(node, 1);
  const rank = x.shape.length - 2;
  const name = node.string('mode', 'linear').replace(/^bi/, '');
  const mode = MODES[name];
  if (mode === undefined) throw new Refusal(`the mode ${name}`);
  const outside = node.string('padding_mode', 'zeros') as Outside;
  const isAligned = node.int('align_corners', 0) === 1;
  const batch = x.shape[0] ?? 1;
  const places = grid.shape.slice(1, -1);
  const count = places.reduce((all, dim) => all * dim, 1);
  const flat = lowering.reshape(grid, [batch, count, rank]);
  const coordinates = x.shape.slice(2).map((size, axis): Coordinates => {
    // The last number of a place is for the first spatial axis.
    const part = lowering.reshape(lowering.slice(flat, [0, 0, rank - 1 - axis], [batch, count, 1]), [batch, count]);
    const [factor, shift] = isAligned ? [(size - 1) / 2, (size - 1) / 2] : [size / 2, (size - 1) / 2];
    const at = lowering.add(lowering.mul(part, factor), shift);
    return { at, size, low: isAligned ? 0 : -0.5, high: isAligned ? size - 1 : size - 0.5 };
  });
  // ONNX Runtime brings a place inside first, but for the cubic at the border, whose taps are.
  const isKept = outside === 'zeros' || (name === 'cubic' && outside === 'border');
  const turned = isKept ? coordinates : coordinates.map((each) => inside(lowering, each, outside, name));
  const rows = rowsOf(lowering, x);
  const sampled = sample(lowering, rows, turned, mode, outside);
  const image = lowering.reshape(sampled, [batch, ...places, x.shape[1] ?? 1]);
  lowering.result(node, lowering.transpose(image, channelsFirst(rank + 2)));
}

/** Places brought into the input before the taps are chosen. */
function inside(lowering: Lowering, axis: Coordinates, outside: Outside, name: string): Coordinates {
  const at = name === 'nearest' ? lowering.unary('ROUND', axis.at) : axis.at;
  if (outside === 'border') return { ...axis, at: lowering.clamp(at, 0, axis.size - 1) };
  return { ...axis, at: reflected(lowering, at, axis) };
}

/** A triangle wave between the ends. */
function reflected(lowering: Lowering, at: TflTensor, { low, high }: Coordinates): TflTensor {
  const range = high - low;
  if (range === 0) return lowering.mul(at, 0);
  const distance = lowering.unary('ABS', lowering.sub(at, low));
  const rest = lowering.binary('FLOOR_MOD', distance, 2 * range);
  const fromTurn = lowering.unary('ABS', lowering.sub(rest, range));
  return lowering.sub(lowering.scalar(low + range), fromTurn);
}

/** [N, C, ...space] as rows of channels: [N, elements, C]. */
export function rowsOf(lowering: Lowering, x: TflTensor): TflTensor {
  const [batch = 1, channels = 1, ...space] = x.shape;
  const last = lowering.transpose(x, channelsLast(x.shape.length));
  return lowering.reshape(last, [batch, space.reduce((all, dim) => all * dim, 1), channels]);
}

/** The values of `rows` [N, elements, C] at the places, [N, P, C]. */
function sample(
  lowering: Lowering,
  rows: TflTensor,
  coordinates: readonly Coordinates[],
  mode: Mode,
  outside: Outside,
): TflTensor {
  const taps = coordinates.map((axis) => mode(lowering, axis.at).map((tap) => kept(lowering, tap, axis, outside)));
  const sizes = coordinates.map(({ size }) => size);
  let sum: TflTensor | null = null;
  for (const combination of combinations(taps)) {
    const value = tapped(lowering, rows, combination, sizes);
    sum = sum === null ? value : lowering.add(sum, value);
  }
  return sum ?? rows;
}

/** Between elements, with zeros outside. */
export function sampleLinear(lowering: Lowering, rows: TflTensor, coordinates: readonly Coordinates[]): TflTensor {
  return sample(lowering, rows, coordinates, MODES['linear'] as Mode, 'zeros');
}

/** The tap with its index inside the input; one outside counts nothing where there are zeros. */
function kept(lowering: Lowering, { index, weight }: Tap, axis: Coordinates, outside: Outside): Tap {
  const turned = outside === 'reflection' ? reflected(lowering, index, axis) : index;
  const clamped = lowering.clamp(turned, 0, axis.size - 1);
  if (outside !== 'zeros') return { index: clamped, weight };
  const isInside = lowering.cast(lowering.binary('EQUAL', clamped, index, 'bool'), 'float32');
  return { index: clamped, weight: weight === null ? isInside : lowering.mul(weight, isInside) };
}

function* combinations<Item>(lists: readonly (readonly Item[])[]): Iterable<Item[]> {
  const [first, ...rest] = lists;
  if (first === undefined) yield [];
  else for (const item of first) for (const others of combinations(rest)) yield [item, ...others];
}

function tapped(lowering: Lowering, rows: TflTensor, taps: readonly Tap[], sizes: readonly number[]): TflTensor {
  const [batch = 1, , channels = 1] = rows.shape;
  let at: TflTensor | null = null;
  let weight: TflTensor | null = null;
  for (const [axis, tap] of taps.entries()) {
    const index = lowering.cast(tap.index, 'int32');
    at = at === null ? index : lowering.add(lowering.mul(at, sizes[axis] ?? 1), index);
    if (tap.weight !== null) weight = weight === null ? tap.weight : lowering.mul(weight, tap.weight);
  }
  const places = at as TflTensor;
  const count = places.shape[1] ?? 1;
  const output = { shape: [batch, count, channels], dtype: rows.dtype };
  const values = lowering.emit('GATHER', [rows, places], output, { axis: 1, batch_dims: 1 });
  return weight === null ? values : lowering.mul(values, lowering.reshape(weight, [batch, count, 1]));
}

/** The places of the output's elements, in [-1, 1] each, through a matrix for each sample. */
function affineGrid(node: Node, lowering: Lowering): void {
  const theta = lowering.read(node, 0);
  const size = lowering.fixed(lowering.input(node, 1), 'the size').slice(2);
  const isAligned = node.int('align_corners', 0) === 1;
  const lines = size.map((count) =>
    Array.from({ length: count }, (_, at) =>
      isAligned ? -1 + (count === 1 ? 0 : (2 * at) / (count - 1)) : -1 + (2 * at + 1) / count,
    ),
  );
  const places = [...combinations(lines)].flatMap((place) => [...place.toReversed(), 1]);
  const count = size.reduce((all, dim) => all * dim, 1);
  const base = lowering.constant('float32', places, [1, count, size.length + 1]);
  const y = lowering.matmul(base, theta, { adjY: true });
  lowering.result(node, lowering.reshape(y, lowering.resultType(node).shape));
}
