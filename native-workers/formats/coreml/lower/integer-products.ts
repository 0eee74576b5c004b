/**
 * Products of quantized tensors: ML Programs multiply floats only, so that integers are multiplied as float32, which holds sums
 * up to 2^24 exactly. Weights stay one byte each in the file.
 */
import type { Node } from '../../../graph/node.ts';
import { numbersConstant } from '../constants.ts';
import type { MilType, MilValue } from '../program.ts';
import { constantOf } from '../program.ts';
import { expandDims, matmul } from './builders.ts';
import { interleaved, windowOf } from './convolution.ts';
import type { Lower, Lowering } from './lowering.ts';
import { clipped, RANGES } from './quantized.ts';
import { Refusal, staticDims } from './terms.ts';
import { affine } from './weights.ts';

/** Smaller constants are not worth a form of their own. */
const SMALLEST = 256;

/** Codes less their zero point, as floats. `axis` is where the zero points of a vector lie. */
function centred(node: Node, lowering: Lowering, index: number, zeroPoint: number, axis: number): MilValue {
  const tensor = lowering.tensor(node, index);
  const zeros = node.inputs[zeroPoint] ? lowering.numbers(node, zeroPoint) : [0];
  const dtype = tensor?.dtype;
  if (
    tensor &&
    zeros?.length === 1 &&
    (dtype === 'int8' || dtype === 'uint8') &&
    tensor.size >= SMALLEST &&
    lowering.target >= 16
  ) {
    const data = constantOf({ dtype, shape: tensor.shape }, tensor.data);
    const scale = numbersConstant('fp32', [1], []);
    return affine(lowering, lowering.input(node, index).name, data, scale, numbersConstant(dtype, zeros, []), axis);
  }
  const x = lowering.cast(lowering.get(node, index), 'fp32');
  if (!node.inputs[zeroPoint] || zeros?.every((zero) => zero === 0)) return x;
  const points = lowering.cast(lowering.get(node, zeroPoint), 'fp32');
  return lowering.binary('sub', x, along(lowering, points, axis, x.type.shape.length));
}

/** A vector as it is broadcast along one axis of `rank`. */
function along(lowering: Lowering, vector: MilValue, axis: number, rank: number): MilValue {
  if (vector.type.shape.length !== 1 || vector.type.shape[0] === 1) return vector;
  return expandDims(
    lowering,
    vector,
    Array.from({ length: rank - 1 - axis }, (_, at) => at + 1),
  );
}

function matmulInteger(node: Node, lowering: Lowering): void {
  lowering.precise();
  const rank = (index: number): number => lowering.rank(lowering.input(node, index));
  if (rank(0) < 2 || rank(1) < 2) throw new Refusal('a product with a vector of integers');
  // Zero points are by row of the first and by column of the second matrix.
  const x = centred(node, lowering, 0, 2, rank(0) - 2);
  const y = centred(node, lowering, 1, 3, rank(1) - 1);
  lowering.result(node, lowering.cast(lowering.unary('round', matmul(lowering, x, y)), 'int32'));
}

function convolved(node: Node, lowering: Lowering, x: MilValue, weight: MilValue, output: MilType): MilValue {
  const kernel = staticDims(weight.type.shape.slice(2), 'the kernel');
  const { strides, dilations, pads } = windowOf(node, x.type.shape.slice(2), kernel);
  return lowering.op(
    'conv',
    {
      x,
      weight,
      strides: lowering.ints(strides, 'strides'),
      pad_type: lowering.text('custom', 'pad_type'),
      pad: lowering.ints(interleaved(pads), 'pad'),
      dilations: lowering.ints(dilations, 'dilations'),
      groups: lowering.int(node.int('group', 1), 'groups'),
    },
    output,
  );
}

function convInteger(node: Node, lowering: Lowering): void {
  lowering.precise();
  const [x, w] = [centred(node, lowering, 0, 2, 1), centred(node, lowering, 1, 3, 0)];
  const output = { dtype: 'fp32', shape: lowering.shape(lowering.output(node)) } as const;
  const product = convolved(node, lowering, x, w, output);
  lowering.result(node, lowering.cast(lowering.unary('round', product), 'int32'));
}

/** Sums of products times both scales, in steps of the result. */
function requantized(node: Node, lowering: Lowering, sums: MilValue, first: number, axis: number): MilValue {
  const { dtype } = lowering.type(lowering.output(node));
  const range = RANGES[dtype];
  if (range === undefined) throw new Refusal(`Core ML has no integers of the type ${dtype}`);
  const [xScale, wScale, yScale] = [1, first + 1, first + 3].map((index) => lowering.get(node, index)) as [
    MilValue,
    MilValue,
    MilValue,
  ];
  const rank = sums.type.shape.length;
  const scale = lowering.binary('mul', xScale, along(lowering, wScale, axis, rank));
  const real = lowering.binary('mul', sums, lowering.binary('real_div', scale, yScale));
  const point = lowering.cast(lowering.get(node, first + 4), 'fp32');
  return clipped(lowering, lowering.binary('add', lowering.unary('round', real), point), range);
}

function qLinearMatMul(node: Node, lowering: Lowering): void {
  lowering.precise();
  const rank = (index: number): number => lowering.rank(lowering.input(node, index));
  const x = centred(node, lowering, 0, 2, rank(0) - 2);
  const y = centred(node, lowering, 3, 5, rank(3) - 1);
  const sums = matmul(lowering, x, y);
  lowering.result(node, requantized(node, lowering, sums, 3, sums.type.shape.length - 1));
}

function qLinearConv(node: Node, lowering: Lowering): void {
  lowering.precise();
  const [x, w] = [centred(node, lowering, 0, 2, 1), centred(node, lowering, 3, 5, 0)];
  const output = { dtype: 'fp32', shape: lowering.shape(lowering.output(node)) } as const;
  let sums = convolved(node, lowering, x, w, output);
  if (node.inputs[8]) {
    const bias = lowering.cast(lowering.get(node, 8), 'fp32');
    sums = lowering.binary('add', sums, along(lowering, bias, 1, output.shape.length));
  }
  lowering.result(node, requantized(node, lowering, sums, 3, 1));
}

/** ONNX Runtime's: the product in integers times both scales, with a bias. Source: ContribOperators.md. */
function matmulIntegerToFloat(node: Node, lowering: Lowering): void {
  lowering.precise();
  const rank = (index: number): number => lowering.rank(lowering.input(node, index));
  const x = centred(node, lowering, 0, 4, rank(0) - 2);
  const y = centred(node, lowering, 1, 5, rank(1) - 1);
  const scale = lowering.binary('mul', lowering.get(node, 2), lowering.get(node, 3));
  const product = lowering.binary('mul', matmul(lowering, x, y), scale);
  lowering.result(node, node.inputs[6] ? lowering.binary('add', product, lowering.get(node, 6)) : product);
}

export const INTEGER_PRODUCTS: Readonly<Record<string, Lower>> = {
  MatMulInteger: matmulInteger,
  ConvInteger: convInteger,
  QLinearMatMul: qLinearMatMul,
  QLinearConv: qLinearConv,
  'com.microsoft:MatMulIntegerToFloat': matmulIntegerToFloat,
};
