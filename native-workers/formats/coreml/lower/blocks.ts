/**
 * Weights in blocks with a scale and perhaps a zero point each: ONNX Runtime's MatMulNBits and DequantizeLinear with a block
 * size. iOS 18 has them as `constexpr_blockwise_shift_scale`, with zero points in `offset`. For earlier systems they are
 * written as the floats that they stand for, which a note says.
 */
import { elementCount } from '../../../graph/dtype.ts';
import { LateData } from '../../../graph/late-tensor.ts';
import type { Node } from '../../../graph/node.ts';
import type { Tensor, TensorData } from '../../../graph/tensor.ts';
import { ConvertedData, MemoryData } from '../../../graph/tensor-data.ts';
import { toNumbers } from '../../../graph/tensor-values.ts';
import { bytesOf, numbersConstant, numbersOf } from '../constants.ts';
import { constantOf, type MilConstant, type MilValue } from '../program.ts';
import { MIL_DTYPES } from '../schema.ts';
import { packBits, unpackBits } from '../weight-file.ts';
import type { Lower, Lowering } from './lowering.ts';
import { Refusal } from './terms.ts';

export interface Blocks {
  /** Codes of the type int4, uint4, int8 or uint8, in the shape of the weight. */
  readonly data: MilConstant;
  /** Of the same rank; an element of it stands for a block of data along each dimension. */
  readonly scale: MilConstant;
  /** Elements of a block along each dimension; a last block may be shorter. */
  readonly sizes: readonly number[];
  /** Of the shape of the scale; null is zero. */
  readonly offset: MilConstant | null;
}

/** scale * (data - offset) as a float constant, small where the target has a form for it. */
export function blockwise(lowering: Lowering, name: string, blocks: Blocks): MilValue {
  const { data, scale, offset, sizes } = blocks;
  const shape = data.type.shape as number[];
  const isWhole = shape.every((dim, axis) => {
    const count = scale.type.shape[axis] ?? 1;
    return count === 1 || count * (sizes[axis] ?? 1) === dim;
  });
  if (lowering.target >= 18 && isWhole) {
    return lowering.op('constexpr_blockwise_shift_scale', { data, scale, offset }, { dtype: 'fp32', shape });
  }
  if (isWhole) lowering.smallerFrom = 18;
  lowering.note(
    `Weights in blocks are written as floats, since ${isWhole ? 'they need iOS 18' : 'a last block is not full'}.`,
  );
  const computed = new LateData(elementCount(shape) * 4, () => bytesOf(expanded(blocks, shape)));
  return lowering.constant(constantOf({ dtype: 'fp32', shape }, computed), name);
}

function expanded({ data, scale, offset, sizes }: Blocks, shape: readonly number[]): Float32Array {
  const codes = codesOf(data);
  const scales = numbersOf(scale);
  const offsets = offset === null ? null : codesOf(offset);
  const counts = shape.map((_, axis) => scale.type.shape[axis] ?? 1);
  return Float32Array.from(codes, (code, index) => {
    let rest = index;
    let at = 0;
    let step = 1;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const dim = shape[axis] ?? 1;
      at += Math.floor((rest % dim) / (sizes[axis] ?? 1)) * step;
      step *= counts[axis] ?? 1;
      rest = Math.floor(rest / dim);
    }
    return (scales[at] ?? 0) * (code - (offsets?.[at] ?? 0));
  });
}

function codesOf(constant: MilConstant): ArrayLike<number> {
  const { dtype, shape } = constant.type;
  const { bits } = MIL_DTYPES[dtype];
  if (bits >= 8) return numbersOf(constant);
  const codes = unpackBits(constant.data.read(), bits, elementCount(shape as number[]));
  return dtype === 'int4' ? Int8Array.from(codes, (code) => (code ^ 8) - 8) : codes;
}

const CODE_TYPES = { int4: 'int4', uint4: 'uint4', int8: 'int8', uint8: 'uint8' } as const;

export function codeType(tensor: Tensor): (typeof CODE_TYPES)[keyof typeof CODE_TYPES] | null {
  return CODE_TYPES[tensor.dtype as keyof typeof CODE_TYPES] ?? null;
}

/** DequantizeLinear of a constant with blocks along an axis; null when the codes are of another type. */
export function blockedConstant(lowering: Lowering, node: Node, tensor: Tensor): MilValue | null {
  const dtype = codeType(tensor);
  if (dtype === null) return null;
  const scales = lowering.tensor(node, 1);
  const zeros = lowering.tensor(node, 2);
  if (scales === null || (node.inputs[2] && zeros === null)) throw new Refusal('scales of a weight that are computed');
  const axis = lowering.axis(node.int('axis', 1), tensor.shape.length);
  const isZero = zeros === null || toNumbers(zeros).every((value) => value === 0);
  return blockwise(lowering, lowering.output(node).name, {
    data: constantOf({ dtype, shape: tensor.shape }, tensor.data),
    scale: numbersConstant('fp32', toNumbers(scales), scales.shape),
    sizes: tensor.shape.map((_, index) => (index === axis ? node.int('block_size', 1) : 1)),
    offset: isZero ? null : constantOf({ dtype, shape: scales.shape }, zeros.data),
  });
}

/** Source: onnxruntime, ContribOperators.md, com.microsoft.MatMulNBits. */
function matmulNBits(node: Node, lowering: Lowering): void {
  const bits = node.int('bits', 4);
  if (bits !== 4 && bits !== 8) throw new Refusal(`Core ML has blocks of 4 and 8 bits, and these are of ${bits}`);
  const [columns, rows, size] = [node.int('K', 0), node.int('N', 0), node.int('block_size', 32)];
  const [codes, scales, zeros] = [lowering.tensor(node, 1), lowering.tensor(node, 2), lowering.tensor(node, 3)];
  if (codes === null || scales === null || (node.inputs[3] && zeros === null))
    throw new Refusal('weights that are computed');
  if (node.inputs[4]) throw new Refusal('columns in another order (g_idx)');
  const perRow = Math.ceil(columns / size);
  // With the middle as the zero point the codes are signed numbers, whose top bit is the other one.
  const isSymmetric = zeros === null;
  const turned = bits === 4 ? 0x88 : 0x80;
  const turn = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ turned);
  const whole = wholeRows(codes.data, bits, rows, columns, perRow * size);
  const data = isSymmetric ? new ConvertedData(whole, 1, 1, turn) : whole;
  const dtype = `${isSymmetric ? 'int' : 'uint'}${bits}` as const;
  const offset =
    zeros === null
      ? null
      : zeros.dtype === 'uint8'
        ? zeroPoints(zeros, bits, rows, perRow)
        : numbersConstant('fp32', toNumbers(zeros), [rows, perRow]);
  const name = lowering.input(node, 1).name;
  const weight = blockwise(lowering, name, {
    data: constantOf({ dtype, shape: [rows, columns] }, data),
    scale: numbersConstant('fp32', toNumbers(scales), [rows, perRow]),
    sizes: [1, size],
    offset,
  });
  const bias = node.inputs[5] ? lowering.fixedValue(node.inputs[5], 'the bias') : null;
  lowering.out(node, 'linear', { x: lowering.get(node, 0), weight, bias });
}

/** Rows without the codes that fill up a last block. */
function wholeRows(data: TensorData, bits: number, rows: number, columns: number, padded: number): TensorData {
  if (padded === columns) return data;
  return new LateData(Math.ceil((rows * columns * bits) / 8), () => {
    const codes = unpackBits(data.read(), bits, rows * padded);
    const kept = Uint8Array.from({ length: rows * columns }, (_, at) => {
      const row = Math.floor(at / columns);
      return codes[row * padded + (at % columns)] ?? 0;
    });
    return packBits(kept, bits);
  });
}

/** Each row of zero points begins with a byte of its own there, and is a stream of bits here. */
function zeroPoints(zeros: Tensor, bits: 4 | 8, rows: number, perRow: number): MilConstant {
  const rowBytes = Math.ceil((perRow * bits) / 8);
  const codes = unpackBits(zeros.data.read(), bits, (rows * rowBytes * 8) / bits);
  const inRow = (rowBytes * 8) / bits;
  const kept = Uint8Array.from({ length: rows * perRow }, (_, at) => {
    const row = Math.floor(at / perRow);
    return codes[row * inRow + (at % perRow)] ?? 0;
  });
  return constantOf(
    { dtype: bits === 4 ? 'uint4' : 'uint8', shape: [rows, perRow] },
    new MemoryData(packBits(kept, bits)),
  );
}

export const BLOCKS: Readonly<Record<string, Lower>> = { 'com.microsoft:MatMulNBits': matmulNBits };
