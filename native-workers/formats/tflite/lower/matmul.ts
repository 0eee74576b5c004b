/** Matrix products: FULLY_CONNECTED where the second operand is a constant matrix, BATCH_MATMUL otherwise. */
import { isSymmetric } from '../../../graph/join-dynamic-products.ts';
import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
import { biasTensor, scaledConstant, Weights, weightsOf } from '../weights.ts';
import type { Lowering } from './lowering.ts';
import type { Lower } from './registry.ts';
import { Refusal } from './terms.ts';

export const MATMUL_LOWERINGS: Readonly<Record<string, Lower>> = {
  Gemm: gemm,
  MatMul: matmul,
  'com.microsoft:DynamicQuantizeMatMul': dynamicProduct,
};

/** x [N, in], weights [out, in]. */
export function fullyConnected(
  lowering: Lowering,
  x: TflTensor,
  weights: TflTensor,
  bias: TflTensor,
  output: ReturnType<Lowering['resultType']>,
): TflTensor {
  return lowering.emit('FULLY_CONNECTED', [x, weights, bias], output, {
    fused_activation_function: 0,
    weights_format: 0,
    keep_num_dims: output.shape.length > 2,
  });
}

function gemm(node: Node, lowering: Lowering): void {
  let a = lowering.read(node, 0);
  const alpha = node.float('alpha', 1);
  const beta = node.float('beta', 1);
  const isTransposed = node.int('transB', 0) === 1;
  if (a.dtype !== 'float32' && a.quantization === null) throw new Refusal('a product of integers');
  if (node.int('transA', 0) === 1) a = lowering.transpose(a, [1, 0]);
  const weights = weightsOf(node, 1, lowering);
  const output = lowering.resultType(node);
  const columns = output.shape[1] ?? 1;
  const b = isTransposed ? weights.tensor : weights.permuted([1, 0]);
  if (a.quantization !== null) {
    if (alpha !== 1 || beta !== 1) throw new Refusal('a quantized product with a factor');
    lowering.result(
      node,
      fullyConnected(lowering, a, b, biasTensor(lowering.optional(node, 2), columns, a, weights, lowering), output),
    );
    return;
  }
  const scaled = scaledConstant(b, alpha);
  const product = scaled ?? b;
  const c = lowering.optional(node, 2) === null ? null : lowering.read(node, 2);
  const isRow =
    c === null ||
    (c.constant !== null &&
      [columns].join() === c.shape.filter((dim, axis) => dim !== 1 || axis === c.shape.length - 1).join());
  const scaledBias = c === null ? null : scaledConstant(c, beta);
  const zero = lowering.constant('float32', new Float32Array(columns), [columns]);
  const fused = isRow && (c === null || scaledBias !== null) && (scaled !== null || alpha === 1);
  const bias = fused && scaledBias !== null ? lowering.reshape(scaledBias, [columns]) : zero;
  let y = fullyConnected(lowering, a, product, bias, output);
  if (fused) {
    lowering.result(node, y);
    return;
  }
  if (scaled === null && alpha !== 1) y = lowering.mul(y, alpha);
  if (c !== null) y = lowering.add(y, beta === 1 ? c : lowering.mul(c, beta));
  lowering.result(node, y);
}

function matmul(node: Node, lowering: Lowering): void {
  const a = lowering.read(node, 0);
  const weights = weightsOf(node, 1, lowering);
  const b = weights.tensor;
  const output = lowering.resultType(node);
  if (a.dtype !== 'float32' && a.quantization === null) {
    integerMatmul(node, lowering, a, b);
    return;
  }
  if (b.constant !== null && b.shape.length === 2 && a.shape.length >= 2) {
    const columns = b.shape[1] ?? 1;
    const bias = biasTensor(lowering.optional(node, 2), columns, a, weights, lowering);
    lowering.result(node, fullyConnected(lowering, a, weights.permuted([1, 0]), bias, output));
    return;
  }
  if (b.quantization !== null && b.quantization.scales.length > 1)
    throw new Refusal('a stack of matrices with scales per channel');
  const left = a.shape.length === 1 ? lowering.reshape(a, [1, a.shape[0] ?? 1]) : a;
  const right = b.shape.length === 1 ? lowering.reshape(b, [b.shape[0] ?? 1, 1]) : b;
  const y = lowering.matmul(left, right);
  if (output.quantization !== undefined) y.quantization = output.quantization;
  lowering.result(node, lowering.reshape(y, output.shape));
}

/** BATCH_MATMUL has no plain integers: float32 is exact for sums below 2^24, which is what these are in practice. */
function integerMatmul(node: Node, lowering: Lowering, a: TflTensor, b: TflTensor): void {
  const y = lowering.matmul(lowering.cast(a, 'float32'), lowering.cast(b, 'float32'));
  lowering.result(node, lowering.cast(lowering.reshape(y, lowering.resultType(node).shape), a.dtype));
}

/**
 * Floats times weights of 8 bits: the kernel quantizes each row of the input as it comes, where ONNX Runtime has one scale for all
 * of it, so that results differ by what a step of that is.
 */
function dynamicProduct(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const { tensor: constant, name } = lowering.input(node, 1);
  const [rows = 1, columns = 1] = constant?.shape ?? [];
  const given = lowering.fixed(lowering.input(node, 2), 'the scale of the weights');
  if (!isSymmetric(lowering.input(node, 1), lowering.optional(node, 3)) || x.shape.length < 2)
    throw new Refusal('a product of weights that are computed or not around zero');
  const scales = given.length === 1 ? new Array<number>(columns).fill(given[0] ?? 1) : given;
  const quantization = { scales, zeroPoints: scales.map(() => 0), axis: 1 };
  const stored = { name, shape: [rows, columns], dtype: 'int8' as const, constant, quantization, signature: null };
  const weights = new Weights(stored, lowering).permuted([1, 0]);
  const bias = biasTensor(lowering.optional(node, 4), columns, x, new Weights(stored, lowering), lowering);
  const zero = (): TflTensor => lowering.constant('float32', new Float32Array(columns), [columns]);
  const isFixed = bias.constant !== null;
  const y = fullyConnected(lowering, x, weights, isFixed ? bias : zero(), lowering.resultType(node));
  lowering.result(node, isFixed ? y : lowering.add(y, bias));
}
