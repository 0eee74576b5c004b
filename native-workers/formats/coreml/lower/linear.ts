/** Matrix products. */
import type { Node } from '../../../graph/node.ts';
import type { MilValue } from '../program.ts';
import { attentionPattern } from './attention.ts';
import { expandDims, matmul, sliceAxis, squeeze } from './builders.ts';
import type { Lower, Lowering } from './lowering.ts';
import { Refusal, staticDims } from './terms.ts';
import { weightOf } from './weights.ts';

function matmulNode(node: Node, lowering: Lowering): void {
  if (attentionPattern(node, lowering)) return;
  const value = lowering.input(node, 1);
  const rank = lowering.rank(value);
  const x = lowering.get(node, 0);
  const y = rank === 2 ? weightOf(lowering, value, 1, 0) : lowering.value(value);
  if (x.type.shape.length > 1 && y.type.shape.length > 1) {
    lowering.result(node, matmul(lowering, x, y));
    return;
  }
  // MIL multiplies matrices: a vector is a row or a column that is taken off again.
  const row = x.type.shape.length === 1;
  const column = y.type.shape.length === 1;
  const product = matmul(lowering, row ? expandDims(lowering, x, [0]) : x, column ? expandDims(lowering, y, [1]) : y);
  const last = product.type.shape.length - 1;
  const axes = [...(row ? [last - 1] : []), ...(column ? [last] : [])];
  lowering.result(node, squeeze(lowering, product, axes));
}

/** alpha * A * B + beta * C; `linear` when it is a layer with fixed weights [out, in]. */
function gemm(node: Node, lowering: Lowering): void {
  const weight = lowering.input(node, 1);
  const bias = node.inputs[2] ?? null;
  const [alpha, beta] = [node.float('alpha', 1), node.float('beta', 1)];
  const transB = node.int('transB', 0) !== 0;
  const transA = node.int('transA', 0) !== 0;
  const w = weightOf(lowering, weight, transB ? 0 : 1, transB ? 1 : 0);
  const fixedWeight = weight.tensor !== null;
  const plainBias =
    bias === null ||
    (bias.tensor !== null && bias.tensor.shape.length === 1 && bias.tensor.shape[0] === w.type.shape[0]);
  if (transB && !transA && fixedWeight && plainBias && alpha === 1 && beta === 1) {
    lowering.out(node, 'linear', {
      x: lowering.get(node, 0),
      weight: w,
      bias: bias === null ? null : lowering.value(bias),
    });
    return;
  }
  const [rows, columns] = lowering.shape(lowering.output(node));
  let product: MilValue = lowering.op(
    'matmul',
    { x: lowering.get(node, 0), y: w, transpose_x: lowering.bool(transA), transpose_y: lowering.bool(transB) },
    { dtype: w.type.dtype, shape: [rows ?? null, columns ?? null] },
  );
  if (alpha !== 1) product = lowering.binary('mul', product, lowering.float(alpha));
  if (bias === null) {
    lowering.out(node, 'identity', { x: product });
    return;
  }
  const added = beta === 1 ? lowering.value(bias) : lowering.binary('mul', lowering.value(bias), lowering.float(beta));
  lowering.out(node, 'add', { x: product, y: added });
}

/** More rows would be too many minors. */
const MOST_ROWS = 4;

/** By expansion along the first row; minors of the same columns are made once. */
function determinant(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const [order = 1] = staticDims(x.type.shape.slice(-1), 'the matrix');
  if (order > MOST_ROWS)
    throw new Refusal(`the determinant of ${order} rows is not written out, at most that of ${MOST_ROWS}`);
  const rank = x.type.shape.length;
  const element = (row: number, column: number): MilValue =>
    squeeze(
      lowering,
      sliceAxis(lowering, sliceAxis(lowering, x, rank - 2, row, row + 1), rank - 1, column, column + 1),
      [rank - 2, rank - 1],
    );
  const minors = new Map<string, MilValue>();
  const minor = (columns: readonly number[]): MilValue => {
    const known = minors.get(columns.join());
    if (known !== undefined) return known;
    const row = order - columns.length;
    const terms = columns.map((column) => {
      const others = columns.filter((each) => each !== column);
      const own = element(row, column);
      return others.length === 0 ? own : lowering.binary('mul', own, minor(others));
    });
    const sum = terms.reduce((all, term, index) => lowering.binary(index % 2 === 1 ? 'sub' : 'add', all, term));
    minors.set(columns.join(), sum);
    return sum;
  };
  lowering.result(node, minor(Array.from({ length: order }, (_, column) => column)));
}

export const LINEAR: Readonly<Record<string, Lower>> = { MatMul: matmulNode, Gemm: gemm, Det: determinant };
