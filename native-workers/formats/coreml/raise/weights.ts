/** Compressed constants, put back into plain ones: what `constexpr_*` operations mean, computed from their definition. */
/// <reference lib="esnext.float16" />
import { LateData } from '../../../graph/late-tensor.ts';
import { Tensor } from '../../../graph/tensor.ts';
import type { Value } from '../../../graph/value.ts';
import { HoneError } from '../../../protocol/errors.ts';
import { bytesOf, numbersOf } from '../constants.ts';
import type { MilConstant } from '../program.ts';
import { MIL_DTYPES } from '../schema.ts';
import { unpackBits } from '../weight-file.ts';
import { type Call, onnxDType, type Raise, sizes } from './raising.ts';

function constant(call: Call, name: string): MilConstant {
  const found = call.constant(name);
  if (found === null)
    throw new HoneError('format-unsupported', `The ${name} of ${call.operation.type} is not a constant.`);
  return found;
}

/** Elements of any type, those below a byte unpacked, negative ones where the type is signed. */
function elements(of: MilConstant): ArrayLike<number> {
  const { bits } = MIL_DTYPES[of.type.dtype];
  if (bits >= 8) return numbersOf(of);
  const count = sizes(of.type).reduce((product, dim) => product * dim, 1);
  const codes = unpackBits(of.data.read(), bits, count);
  return of.type.dtype === 'int4' ? Int8Array.from(codes, (code) => (code ^ 8) - 8) : codes;
}

/** A tensor of the declared type whose elements `make` computes. */
function made(call: Call, make: () => ArrayLike<number>): Value {
  const { dtype } = call.output();
  const shape = sizes(call.output());
  const count = shape.reduce((product, dim) => product * dim, 1);
  const half = dtype === 'fp16';
  const data = new LateData(count * (half ? 2 : 4), () => {
    const values = make();
    return bytesOf(half ? Float16Array.from(values) : Float32Array.from(values));
  });
  return call.raising.tensor(new Tensor({ dtype: onnxDType(dtype), shape, data }));
}

/** scale * (data - zero point), both scalars or vectors along the axis. */
const affine: Raise = (call) =>
  made(call, () => {
    const data = elements(constant(call, 'quantized_data'));
    const scales = elements(constant(call, 'scale'));
    const zeros = elements(constant(call, 'zero_point'));
    const shape = sizes(call.output());
    const axis = call.number('axis');
    const inner = shape.slice(axis + 1).reduce((product, dim) => product * dim, 1);
    return Float32Array.from(data, (code, index) => {
      const channel = Math.floor(index / inner) % (shape[axis] ?? 1);
      return (scales[scales.length === 1 ? 0 : channel] ?? 0) * (code - (zeros[zeros.length === 1 ? 0 : channel] ?? 0));
    });
  });

/** scale * (data - offset), where an element of scale and offset stands for a block of data along every dimension. */
const blockwise: Raise = (call) =>
  made(call, () => {
    const source = constant(call, 'data');
    const data = elements(source);
    const scale = constant(call, 'scale');
    const scales = elements(scale);
    const offsets = call.has('offset') ? elements(constant(call, 'offset')) : null;
    const shape = sizes(source.type);
    const blocks = sizes(scale.type);
    if (blocks.length !== shape.length) throw new HoneError('file-corrupt', 'A scale has another rank than its data.');
    return Float32Array.from(data, (code, index) => {
      let rest = index;
      let at = 0;
      let step = 1;
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        const size = shape[axis] ?? 1;
        const count = blocks[axis] ?? 1;
        at += Math.floor((rest % size) / (size / count)) * step;
        step *= count;
        rest = Math.floor(rest / size);
      }
      return (scales[at] ?? 0) * (code - (offsets?.[at] ?? 0));
    });
  });

/** Each element is looked up. Before iOS 18 the indices are a stream of bits, as wide as the table asks for. */
const lookUp: Raise = (call) =>
  made(call, () => {
    const table = elements(constant(call, 'lut'));
    const indices = constant(call, 'indices');
    const count = sizes(call.output()).reduce((product, dim) => product * dim, 1);
    const codes = call.has('shape')
      ? unpackBits(indices.data.read(), Math.log2(table.length), count)
      : elements(indices);
    return Float32Array.from(codes, (code) => table[code] ?? 0);
  });

export const WEIGHTS: Readonly<Record<string, Raise>> = {
  constexpr_affine_dequantize: affine,
  constexpr_blockwise_shift_scale: blockwise,
  constexpr_lut_to_dense: lookUp,
};
