/**
 * Weights of convolutions and matrix products, compressed when asked: constants are quantized to int8 per output channel
 * (iOS 16), to int4 in blocks (iOS 18), or replaced by indices into a palette (iOS 16 and 18).
 */

import { LateData } from '../../../graph/late-tensor.ts';
import type { Tensor } from '../../../graph/tensor.ts';
import { ConvertedData } from '../../../graph/tensor-data.ts';
import { float32Chunks, toFloat32 } from '../../../graph/tensor-values.ts';
import type { Value } from '../../../graph/value.ts';
import { float32View } from '../../../lib/half.ts';
import { bytesConstant, constantFromTensor, numbersConstant } from '../constants.ts';
import { palette } from '../palette.ts';
import { constantOf, type MilConstant, type MilValue } from '../program.ts';
import { packBits } from '../weight-file.ts';
import type { Lowering } from './lowering.ts';

/** Smaller weights stay as they are: little is saved, and first layers are sensitive. Source: coremltools' weight_threshold. */
const SMALLEST = 2048;
const BLOCK = 32;
const CHUNK = 1 << 20;

/** The weight as a MIL value. `channel`: the axis of output channels; `reduced`: the axis that is summed over, which int4 blocks lie on. */
export function weightOf(lowering: Lowering, value: Value, channel: number, reduced: number): MilValue {
  const { tensor } = value;
  const { weights } = lowering.options;
  if (tensor === null || weights === 'none' || tensor.size < SMALLEST || lowering.isLowered(value))
    return lowering.value(value);
  const made =
    weights === 'int8'
      ? int8(lowering, value.name, tensor, channel)
      : weights === 'int4'
        ? int4(lowering, value.name, tensor, channel, reduced)
        : paletted(lowering, value.name, tensor, Number(weights.slice('palette'.length)));
  lowering.set(value, made);
  return made;
}

/** Steps between entries of one channel after another along `axis`. */
function stepsOf(shape: readonly number[], axis: number): { channels: number; inner: number } {
  return { channels: shape[axis] ?? 1, inner: shape.slice(axis + 1).reduce((product, dim) => product * dim, 1) };
}

function largestOf(tensor: Tensor, groups: number, groupOf: (index: number) => number): Float32Array {
  const largest = new Float32Array(groups);
  let index = 0;
  for (const chunk of float32Chunks(tensor, CHUNK)) {
    for (const value of chunk) {
      const group = groupOf(index++);
      const size = Math.abs(value);
      if (size > (largest[group] ?? 0)) largest[group] = size;
    }
  }
  return largest;
}

/** Symmetric: scale = largest / 127 in each output channel, no zero point. */
function int8(lowering: Lowering, name: string, tensor: Tensor, axis: number): MilValue {
  const { channels, inner } = stepsOf(tensor.shape, axis);
  const channelOf = (index: number): number => Math.floor(index / inner) % channels;
  const scales = largestOf(tensor, channels, channelOf).map((largest) => (largest === 0 ? 1 : largest / 127));
  const quantized = new ConvertedData(constantFromTensor(tensor).data, 4, 1, (piece, offset) => {
    const floats = float32View(piece);
    const first = offset / 4;
    const codes = Int8Array.from(floats, (value, index) => {
      const code = Math.round(value / (scales[channelOf(first + index)] ?? 1));
      return Math.max(-127, Math.min(127, code));
    });
    return new Uint8Array(codes.buffer);
  });
  const data = constantOf({ dtype: 'int8', shape: tensor.shape }, quantized);
  return affine(lowering, name, data, numbersConstant('fp32', scales, [channels]), null, axis);
}

/**
 * scale * (data - zero point), both along `axis` or rank 0. iOS 18 has it in blocks, of which a block of a whole row is one.
 */
export function affine(
  lowering: Lowering,
  name: string,
  data: MilConstant,
  scale: MilConstant,
  zeroPoint: MilConstant | null,
  axis: number,
): MilValue {
  const { shape } = data.type;
  const output = { dtype: 'fp32', shape } as const;
  if (lowering.target >= 18) {
    const blocks = (of: MilConstant): MilConstant =>
      constantOf(
        { ...of.type, shape: shape.map((_, index) => (index === axis ? (of.type.shape[0] ?? 1) : 1)) },
        of.data,
      );
    return lowering.op(
      'constexpr_blockwise_shift_scale',
      { data, scale: blocks(scale), offset: zeroPoint === null ? null : blocks(zeroPoint) },
      output,
    );
  }
  lowering.require(16, `quantized weights such as '${name}'`);
  const zeros = zeroPoint ?? numbersConstant('int8', [0], []);
  return lowering.op(
    'constexpr_affine_dequantize',
    { quantized_data: data, zero_point: zeros, scale, axis: numbersConstant('int32', [axis], []) },
    output,
  );
}

/** Symmetric int4, -8 to 7, in blocks of 32 along the summed axis, or whole rows where they are no multiple of it. */
function int4(lowering: Lowering, name: string, tensor: Tensor, channel: number, reduced: number): MilValue {
  lowering.require(18, `int4 weights such as '${name}'`);
  const { shape } = tensor;
  const length = shape[reduced] ?? 1;
  const block = length % BLOCK === 0 ? BLOCK : length;
  const blocks = length / block;
  const scaleShape = shape.map((dim, axis) => (axis === channel ? dim : axis === reduced ? blocks : 1));
  const of = stepsOf(shape, channel);
  const along = stepsOf(shape, reduced);
  const channelFirst = channel < reduced;
  const groupOf = (index: number): number => {
    const row = Math.floor(index / of.inner) % of.channels;
    const part = Math.floor((Math.floor(index / along.inner) % along.channels) / block);
    return channelFirst ? row * blocks + part : part * of.channels + row;
  };
  const scales = largestOf(tensor, of.channels * blocks, groupOf).map((largest) => (largest === 0 ? 1 : largest / 7));
  const bytes = Math.ceil(tensor.size / 2);
  const data = new LateData(bytes, () => {
    const floats = toFloat32(tensor);
    const codes = Int8Array.from(floats, (value, index) =>
      Math.max(-8, Math.min(7, Math.round(value / (scales[groupOf(index)] ?? 1)))),
    );
    return packBits(codes, 4);
  });
  return lowering.op(
    'constexpr_blockwise_shift_scale',
    { data: constantOf({ dtype: 'int4', shape }, data), scale: numbersConstant('fp32', scales, scaleShape) },
    { dtype: 'fp32', shape },
  );
}

const INDEX_TYPES = { 4: 'uint4', 6: 'uint6', 8: 'uint8' } as const;

/** Each weight becomes the nearest of 2^bits values, which k-means chooses. */
function paletted(lowering: Lowering, name: string, tensor: Tensor, bits: number): MilValue {
  lowering.require(16, `palettes such as that of '${name}'`);
  const { shape, size } = tensor;
  const { centers, codes } = palette(toFloat32(tensor), 2 ** bits);
  const packed = packBits(codes, bits);
  const output = { dtype: 'fp32', shape } as const;
  if (lowering.target >= 18) {
    const indices = bytesConstant(INDEX_TYPES[bits as keyof typeof INDEX_TYPES], packed, shape);
    const lut = numbersConstant('fp32', centers, [...shape.map(() => 1), centers.length, 1]);
    return lowering.op('constexpr_lut_to_dense', { indices, lut }, output);
  }
  // Before iOS 18 the indices are a stream of bits in bytes.
  const indices = bytesConstant('uint8', packed, [Math.ceil((size * bits) / 8)]);
  return lowering.op(
    'constexpr_lut_to_dense',
    {
      indices,
      lut: numbersConstant('fp32', centers, [centers.length]),
      shape: numbersConstant('uint32', shape, [shape.length]),
    },
    output,
  );
}
