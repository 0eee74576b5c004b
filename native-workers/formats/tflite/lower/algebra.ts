/** Algebra on small matrices and on signals: determinants, running products. */
import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
import type { Lowering } from './lowering.ts';
import type { Lower } from './registry.ts';
import { positive, Refusal } from './terms.ts';

export const ALGEBRA_LOWERINGS: Readonly<Record<string, Lower>> = {
  Det: determinant,
  CumProd: cumulativeProduct,
  // Those with constant lengths were written out before (graph/expand-fourier.ts).
  DFT: refuseFourier,
  STFT: refuseFourier,
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

function refuseFourier(): never {
  throw new Refusal('its length, axis or step is computed, or it is an inverse of one side; export it with constants');
}
