/** Algebra on small matrices and on signals: determinants, running products, discrete Fourier transforms. */
import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
import type { Lowering } from './lowering.ts';
import type { Lower } from './registry.ts';
import { positive, Refusal } from './terms.ts';

export const ALGEBRA_LOWERINGS: Readonly<Record<string, Lower>> = {
  Det: determinant,
  CumProd: cumulativeProduct,
  DFT: fourier,
  STFT: shortTimeFourier,
};

const size = (shape: readonly number[]): number => shape.reduce((all, dim) => all * dim, 1);

/** By the rule of Sarrus. */
function determinant(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const order = x.shape.at(-1) ?? 1;
  if (order > 3) throw new Refusal(`the determinant of a matrix of ${order} rows: at most 3 are written out`);
  const count = size(x.shape.slice(0, -2));
  const flat = lowering.reshape(x, [count, order * order]);
  const at = (row: number, column: number): TflTensor => lowering.slice(flat, [0, row * order + column], [count, 1]);
  const product = (columns: readonly number[]): TflTensor =>
    columns.map((column, row) => at(row, column)).reduce((left, right) => lowering.mul(left, right));
  const terms: readonly (readonly number[])[] =
    order === 1
      ? [[0]]
      : order === 2
        ? [[0, 1]]
        : [
            [0, 1, 2],
            [1, 2, 0],
            [2, 0, 1],
          ];
  const minus: readonly (readonly number[])[] =
    order === 1
      ? []
      : order === 2
        ? [[1, 0]]
        : [
            [2, 1, 0],
            [0, 2, 1],
            [1, 0, 2],
          ];
  const sum = terms.map(product).reduce((left, right) => lowering.add(left, right));
  const y = minus.map(product).reduce((left, right) => lowering.sub(left, right), sum);
  lowering.result(node, lowering.reshape(y, lowering.resultType(node).shape));
}

/** In as many steps as the axis has bits: each multiplies by what stands 1, 2, 4, ... places before. */
function cumulativeProduct(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const rank = x.shape.length;
  const axis = positive(lowering.fixed(lowering.input(node, 1), 'the axis')[0] ?? 0, rank);
  const length = x.shape[axis] ?? 1;
  const isReverse = node.int('reverse', 0) === 1;
  const moved = (value: TflTensor, by: number): TflTensor => {
    const along = (at: number): number[] => x.shape.map((_, each) => (each === axis ? at : 0));
    const kept = lowering.slice(
      value,
      along(isReverse ? by : 0),
      x.shape.map((dim, each) => (each === axis ? dim - by : dim)),
    );
    const ends = x.shape.flatMap((_, each) => (each !== axis ? [0, 0] : isReverse ? [0, by] : [by, 0]));
    const inputs = [kept, lowering.constant('int32', ends, [rank, 2]), lowering.scalar(1, x.dtype)];
    return lowering.emit('PADV2', inputs, { shape: x.shape, dtype: x.dtype });
  };
  let y = node.int('exclusive', 0) === 1 ? (length > 1 ? moved(x, 1) : lowering.add(lowering.mul(x, 0), 1)) : x;
  for (let by = 1; by < length; by *= 2) y = lowering.mul(y, moved(y, by));
  lowering.result(node, y === x ? lowering.reshape(x, x.shape) : y);
}

/** cos and sin of 2 pi k n / N, for `rows` n and `columns` k; the inverse turns the other way and divides by N. */
function fourierBasis(
  lowering: Lowering,
  rows: number,
  columns: number,
  length: number,
  isInverse: boolean,
): { cosines: TflTensor; sines: TflTensor } {
  const angles = Array.from({ length: rows * columns }, (_, at) => {
    const turns = (Math.floor(at / columns) * (at % columns)) % length;
    return (2 * Math.PI * turns) / length;
  });
  const factor = isInverse ? 1 / length : 1;
  const matrix = (of: (angle: number) => number): TflTensor =>
    lowering.constant(
      'float32',
      angles.map((angle) => of(angle) * factor),
      [rows, columns],
    );
  return { cosines: matrix(Math.cos), sines: matrix((angle) => (isInverse ? 1 : -1) * Math.sin(angle)) };
}

/** Products with constant bases. x: [..., signal, 1 or 2]; the last dimension is the real and the imaginary part. */
function fourier(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const rank = x.shape.length;
  const given = lowering.opset < 20 ? null : lowering.optional(node, 2);
  const chosen =
    given === null ? node.int('axis', lowering.opset < 20 ? 1 : -2) : (lowering.fixed(given, 'the axis')[0] ?? -2);
  const axis = positive(chosen, rank);
  const { shape } = lowering.resultType(node);
  const isInverse = node.int('inverse', 0) === 1;
  const asked = lowering.optional(node, 1);
  const length = asked === null ? (x.shape[axis] ?? 1) : (lowering.fixed(asked, 'the length')[0] ?? 1);
  const isOneSided = node.int('onesided', 0) === 1;
  if (isInverse && isOneSided) throw new Refusal('an inverse transform of one side');
  // The signal last: [..., signal].
  const perm = [...x.shape.map((_, each) => each).filter((each) => each !== axis && each !== rank - 1), axis];
  const used = Math.min(length, x.shape[axis] ?? 1);
  const part = (index: number): TflTensor => {
    const begin = x.shape.map((_, each) => (each === rank - 1 ? index : 0));
    const cut = lowering.slice(
      x,
      begin,
      x.shape.map((dim, each) => (each === rank - 1 ? 1 : each === axis ? used : dim)),
    );
    const flat = lowering.reshape(
      lowering.transpose(cut, [...perm, rank - 1]),
      [-1, used].map((dim) => (dim < 0 ? size(cut.shape) / used : dim)),
    );
    return flat;
  };
  const bins = isOneSided ? Math.floor(length / 2) + 1 : length;
  const basis = fourierBasis(lowering, used, bins, length, isInverse);
  const real = part(0);
  const imaginary = (x.shape.at(-1) ?? 1) > 1 ? part(1) : null;
  const [a, b] = complexProduct(lowering, real, imaginary, basis);
  const outer = perm.slice(0, -1).map((each) => x.shape[each] ?? 1);
  const pair = lowering.concat(
    [a, b].map((each) => lowering.reshape(each, [...outer, bins, 1])),
    rank - 1,
  );
  const back = x.shape.map((_, each) => (each === rank - 1 ? rank - 1 : perm.indexOf(each)));
  lowering.result(node, lowering.reshape(lowering.transpose(pair, back), shape));
}

function complexProduct(
  lowering: Lowering,
  real: TflTensor,
  imaginary: TflTensor | null,
  { cosines, sines }: { cosines: TflTensor; sines: TflTensor },
): [TflTensor, TflTensor] {
  const [a, b] = [lowering.matmul(real, cosines), lowering.matmul(real, sines)];
  if (imaginary === null) return [a, b];
  const [c, d] = [lowering.matmul(imaginary, sines), lowering.matmul(imaginary, cosines)];
  return [lowering.sub(a, c), lowering.add(b, d)];
}

/** The transform of frames, each through a window. */
function shortTimeFourier(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const step = lowering.fixed(lowering.input(node, 1), 'the step')[0] ?? 1;
  const window = lowering.optional(node, 2) === null ? null : lowering.read(node, 2);
  const asked = lowering.optional(node, 3);
  const length = asked === null ? (window?.shape[0] ?? 1) : (lowering.fixed(asked, 'the length of a frame')[0] ?? 1);
  const isOneSided = node.int('onesided', 1) === 1;
  const [batch = 1, samples = 1, parts = 1] = x.shape;
  const frames = Math.floor((samples - length) / step) + 1;
  const bins = isOneSided ? Math.floor(length / 2) + 1 : length;
  const places = Array.from({ length: frames * length }, (_, at) => Math.floor(at / length) * step + (at % length));
  const framed = lowering.reshape(lowering.gather(x, lowering.int32(places), 1), [batch * frames, length, parts]);
  const part = (index: number): TflTensor => {
    const flat = lowering.reshape(lowering.slice(framed, [0, 0, index], [batch * frames, length, 1]), [
      batch * frames,
      length,
    ]);
    return window === null ? flat : lowering.mul(flat, window);
  };
  const basis = fourierBasis(lowering, length, bins, length, false);
  const pair = complexProduct(lowering, part(0), parts > 1 ? part(1) : null, basis);
  const joined = lowering.concat(
    pair.map((each) => lowering.reshape(each, [batch, frames, bins, 1])),
    3,
  );
  lowering.result(node, joined);
}
