/**
 * Resizing of one dimension as a matrix: each row says of which elements one element of the result is made. Source: onnx
 * Operators.md, Resize, and its reference implementation (onnx/reference/ops/op_resize.py).
 */

export interface Interpolation {
  readonly mode: 'nearest' | 'linear' | 'cubic';
  readonly coordinates: string;
  readonly rounding: string;
  readonly cubicA: number;
  readonly excludeOutside: boolean;
  readonly antialias: boolean;
}

export interface ResizedAxis {
  readonly from: number;
  readonly to: number;
  readonly scale: number;
  /** Of `tf_crop_and_resize`: the part of the dimension that is taken. */
  readonly roi: readonly [number, number];
}

/** Where an element of the result lies among the elements that there were. */
function coordinateOf(at: number, { from, to, scale, roi }: ResizedAxis, kind: string): number {
  switch (kind) {
    case 'asymmetric':
      return at / scale;
    case 'align_corners':
      return to === 1 ? 0 : (at * (from - 1)) / (to - 1);
    case 'tf_crop_and_resize': {
      const [start, end] = roi;
      return to > 1
        ? start * (from - 1) + (at * (end - start) * (from - 1)) / (to - 1)
        : 0.5 * (start + end) * (from - 1);
    }
    case 'pytorch_half_pixel':
      return to > 1 ? (at + 0.5) / scale - 0.5 : 0;
    case 'half_pixel_symmetric':
      return (from / 2) * (1 - to / (scale * from)) + (at + 0.5) / scale - 0.5;
    default:
      return (at + 0.5) / scale - 0.5;
  }
}

const ROUNDINGS: Readonly<Record<string, (x: number) => number>> = {
  floor: Math.floor,
  ceil: Math.ceil,
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
};

const triangle = (x: number): number => Math.max(0, 1 - Math.abs(x));

/** Keys' cubic kernel. */
function cubic(x: number, a: number): number {
  const t = Math.abs(x);
  if (t <= 1) return (a + 2) * t ** 3 - (a + 3) * t ** 2 + 1;
  return t < 2 ? a * t ** 3 - 5 * a * t ** 2 + 8 * a * t - 4 * a : 0;
}

/** Weights by element for each element of the result; a row is empty where the element lies outside of what is sampled. */
export function rowsOf(axis: ResizedAxis, by: Interpolation): Map<number, number>[] {
  return Array.from({ length: axis.to }, (_, at) => {
    const x = coordinateOf(at, axis, by.coordinates);
    const row = new Map<number, number>();
    if (by.coordinates === 'tf_crop_and_resize' && (x < 0 || x > axis.from - 1)) return row;
    const last = axis.from - 1;
    const clamp = (place: number): number => Math.max(0, Math.min(last, place));
    if (by.mode === 'nearest') return row.set(clamp((ROUNDINGS[by.rounding] ?? Math.floor)(x)), 1);
    const kernel = by.mode === 'linear' ? triangle : (distance: number): number => cubic(distance, by.cubicA);
    const width = by.antialias ? Math.max(1, 1 / axis.scale) : 1;
    const support = (by.mode === 'linear' ? 1 : 2) * width;
    const drops = by.excludeOutside;
    const centre = by.mode === 'linear' && !drops && !by.antialias ? Math.max(0, Math.min(last, x)) : x;
    let sum = 0;
    for (let place = Math.floor(centre - support); place <= Math.ceil(centre + support); place++) {
      const weight = kernel((place - centre) / width);
      if (weight === 0 || (drops && place !== clamp(place))) continue;
      sum += weight;
      row.set(clamp(place), (row.get(clamp(place)) ?? 0) + weight);
    }
    if (drops || by.antialias) for (const [place, weight] of row) row.set(place, weight / sum);
    return row;
  });
}

/** The element that each row takes as it is; null when some row mixes elements. */
export function placesOf(rows: readonly ReadonlyMap<number, number>[]): number[] | null {
  const places: number[] = [];
  for (const row of rows) {
    const [first] = row;
    if (row.size !== 1 || first === undefined || first[1] !== 1) return null;
    places.push(first[0]);
  }
  return places;
}

/** [to, from] in row-major order. */
export function matrixOf(rows: readonly ReadonlyMap<number, number>[], from: number): Float32Array {
  const matrix = new Float32Array(rows.length * from);
  rows.forEach((row, at) => {
    for (const [place, weight] of row) matrix[at * from + place] = weight;
  });
  return matrix;
}
