/** QuantizeLinear and DequantizeLinear: weights become compressed constants, activations MIL's own operators (iOS 17). */
import type { Node } from '../../../graph/node.ts';
import { toNumbers } from '../../../graph/tensor-values.ts';
import { bytesOf, ComputedData, numbersConstant } from '../constants.ts';
import { constantOf, type MilConstant, MilValue } from '../program.ts';
import { type Lower, type Lowering, Refusal } from './lowering.ts';
import { affine } from './weights.ts';

type Small = 'int8' | 'uint8';

interface Scale {
  readonly scale: MilConstant;
  /** null when it is zero. */
  readonly zeroPoint: MilConstant | null;
  readonly axis: number;
}

function scaleOf(node: Node, lowering: Lowering, rank: number, dtype: Small): Scale {
  const scales = lowering.fixed(node, 1, 'the scale');
  if (node.int('block_size', 0) !== 0)
    throw new Refusal('Core ML quantizes activations by tensor or channel, not in blocks');
  const points = node.inputs[2] ? lowering.fixed(node, 2, 'the zero point') : [];
  const shape = scales.length === 1 ? [] : [scales.length];
  const axis = lowering.axis(node.int('axis', 1), Math.max(rank, 1));
  const zero = points.every((point) => point === 0);
  const zeros = points.length === 1 ? [] : [points.length];
  return {
    scale: numbersConstant('fp32', scales, shape),
    zeroPoint: zero ? null : numbersConstant(dtype, points, zeros),
    axis,
  };
}

function small(dtype: string): Small {
  if (dtype === 'int8' || dtype === 'uint8') return dtype;
  throw new Refusal(`Core ML quantizes to int8 and uint8, and this is ${dtype}`);
}

function quantize(node: Node, lowering: Lowering): void {
  lowering.require(17, 'quantized activations');
  const x = lowering.get(node, 0);
  const output = lowering.output(node);
  const dtype = small(lowering.type(output).dtype);
  const { scale, zeroPoint, axis } = scaleOf(node, lowering, x.type.shape.length, dtype);
  const made = new MilValue(lowering.names.unique(output.name), { dtype, shape: lowering.shape(output) });
  lowering.operation('quantize', parameters(lowering, { input: x }, scale, zeroPoint, axis, dtype), [made]);
  lowering.set(output, made);
}

function parameters(
  lowering: Lowering,
  inputs: { readonly input: MilValue },
  scale: MilConstant,
  zeroPoint: MilConstant | null,
  axis: number,
  outputDType: Small | null,
): Parameters<Lowering['operation']>[1] {
  return {
    ...inputs,
    scale: lowering.constant(scale, 'scale'),
    zero_point: zeroPoint === null ? null : lowering.constant(zeroPoint, 'zero_point'),
    axis: scale.type.shape.length === 0 ? null : lowering.int(axis, 'axis'),
    output_dtype: outputDType === null ? null : lowering.text(outputDType, 'output_dtype'),
  };
}

function dequantize(node: Node, lowering: Lowering): void {
  const value = lowering.input(node, 0);
  const output = lowering.output(node);
  const { tensor } = value;
  if (tensor === null) {
    lowering.require(17, 'quantized activations');
    const input = lowering.value(value);
    const dtype = small(input.type.dtype);
    const { scale, zeroPoint, axis } = scaleOf(node, lowering, input.type.shape.length, dtype);
    lowering.out(node, 'dequantize', parameters(lowering, { input }, scale, zeroPoint, axis, null));
    return;
  }
  if (tensor.dtype === 'int32') {
    // A bias: small, so it simply becomes float.
    const scales = lowering.fixed(node, 1, 'the scale');
    const axis = lowering.axis(node.int('axis', 1), Math.max(tensor.shape.length, 1));
    const inner = tensor.shape.slice(axis + 1).reduce((product, dim) => product * dim, 1);
    const data = new ComputedData(tensor.size * 4, () =>
      bytesOf(
        Float32Array.from(toNumbers(tensor), (code, index) => {
          const at = scales.length === 1 ? 0 : Math.floor(index / inner) % scales.length;
          return code * (scales[at] ?? 1);
        }),
      ),
    );
    lowering.set(output, lowering.constant(constantOf({ dtype: 'fp32', shape: tensor.shape }, data), output.name));
    return;
  }
  const dtype = small(tensor.dtype);
  const { scale, zeroPoint, axis } = scaleOf(node, lowering, tensor.shape.length, dtype);
  const data = constantOf({ dtype, shape: tensor.shape }, tensor.data);
  const zeros = zeroPoint ?? (dtype === 'uint8' ? numbersConstant('uint8', [0], []) : null);
  lowering.set(output, affine(lowering, output.name, data, scale, zeros, axis));
}

export const QUANTIZED: Readonly<Record<string, Lower>> = { QuantizeLinear: quantize, DequantizeLinear: dequantize };
