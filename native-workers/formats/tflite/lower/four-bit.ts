/**
 * ONNX Runtime's MatMulNBits: weights of 4 bits in blocks with a scale each. With dynamic weights they stay so, as INT4 with
 * float16 scales for blocks of 32 and its multiples; the runtime then quantizes the activations. Otherwise, or with zero points
 * that TFLite has no place for, the weights are written as the real values that they stand for.
 */
import { elementCount } from '../../../graph/dtype.ts';
import { lateTensor } from '../../../graph/late-tensor.ts';
import type { Node } from '../../../graph/node.ts';
import type { Tensor } from '../../../graph/tensor.ts';
import { tensorFromNumbers, toNumbers } from '../../../graph/tensor-values.ts';
import type { TflTensor } from '../ir.ts';
import type { Lowering } from './lowering.ts';
import type { Lower } from './registry.ts';
import { Refusal } from './terms.ts';

export const FOUR_BIT_LOWERINGS: Readonly<Record<string, Lower>> = { 'com.microsoft:MatMulNBits': matmulNBits };

interface Blocks {
  readonly codes: Tensor;
  readonly scales: Tensor;
  readonly zeros: Tensor | null;
  readonly rows: number;
  readonly columns: number;
  readonly size: number;
}

function matmulNBits(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const [columns, rows, size] = [node.int('K', 0), node.int('N', 0), node.int('block_size', 32)];
  const [codes, scales] = [lowering.input(node, 1).tensor, lowering.input(node, 2).tensor];
  const zeros = lowering.optional(node, 3);
  if (node.int('bits', 4) !== 4) throw new Refusal('weights of other than 4 bits');
  if (codes === null || scales === null || (zeros !== null && zeros.tensor?.dtype !== 'uint8'))
    throw new Refusal('weights that are computed, or zero points that are no integers');
  if (lowering.optional(node, 4) !== null) throw new Refusal('columns in another order');
  if (columns % size !== 0) throw new Refusal('a last block that is not full');
  const blocks: Blocks = { codes, scales, zeros: zeros?.tensor ?? null, rows, columns, size };
  const fits = lowering.precision.startsWith('dynamic') && size % 32 === 0 && blocks.zeros === null;
  const weights = fits ? blockwise(blocks) : real(blocks);
  weights.name = lowering.input(node, 1).name;
  const biasValue = lowering.optional(node, 5);
  const bias =
    biasValue === null ? lowering.constant('float32', new Float32Array(rows), [rows]) : lowering.tensor(biasValue);
  const output = lowering.resultType(node);
  const options = { fused_activation_function: 0, weights_format: 0, keep_num_dims: output.shape.length > 2 };
  lowering.result(node, lowering.emit('FULLY_CONNECTED', [x, weights, bias], output, options));
}

function blockwise({ codes, scales, rows, columns, size }: Blocks): TflTensor {
  const shape = [rows, columns];
  // Codes are from 0 with 8 in the middle there, and signed here: the top bit of each turned over.
  const constant = lateTensor('int4', shape, elementCount(shape) / 2, () =>
    Uint8Array.from(codes.data.read(), (byte) => byte ^ 0x88),
  );
  const steps = [rows, columns / size];
  const halves = tensorFromNumbers('float16', toNumbers(scales), steps);
  const table: TflTensor = {
    name: 'scales',
    shape: steps,
    dtype: 'float16',
    constant: halves,
    quantization: null,
    signature: null,
  };
  const quantization = { scales: [], zeroPoints: [], axis: 0, blocks: { scales: table, size } };
  return { name: '', shape, dtype: 'int4', constant, quantization, signature: null };
}

function real({ codes, scales, zeros, rows, columns, size }: Blocks): TflTensor {
  const shape = [rows, columns];
  const count = elementCount(shape);
  const perRow = columns / size;
  const constant = lateTensor('float32', shape, count * 4, () => {
    const bytes = codes.data.read();
    const steps = toNumbers(scales);
    const offsets = zeros?.data.read() ?? null;
    const values = new Float32Array(count);
    for (let at = 0; at < count; at++) {
      const code = ((bytes[at >> 1] ?? 0) >> (4 * (at & 1))) & 15;
      const row = Math.floor(at / columns);
      const block = Math.floor((at % columns) / size);
      // Zero points are packed by row, two to a byte.
      const packed = offsets?.[row * Math.ceil(perRow / 2) + (block >> 1)];
      const zero = packed === undefined ? 8 : (packed >> (4 * (block & 1))) & 15;
      values[at] = (code - zero) * (steps[row * perRow + block] ?? 0);
    }
    return new Uint8Array(values.buffer);
  });
  return { name: '', shape, dtype: 'float32', constant, quantization: null, signature: null };
}
