/** Words that lowerings share: types of values, refusals, broadcasting, axes. */
import { type DType, isFloat } from '../../../graph/dtype.ts';

/**
 * How constant weights are stored; those that the source has in integers stay so. The dynamic ones are integers whose activations
 * the runtime quantizes: of 8 bits; of 4 bits with a scale for each output; of 4 bits with a scale for each block of 32.
 */
export const WEIGHT_PRECISIONS = ['float32', 'float16', 'dynamic', 'dynamic-int4', 'dynamic-int4-blocks'] as const;
export type WeightPrecision = (typeof WEIGHT_PRECISIONS)[number];

/** Why a node cannot be expressed, in words for the coverage report. */
export class Refusal extends Error {}

/** Ends the reasons that follow from another refusal. */
export const NOT_CONVERTED = 'is made by an operator that is not converted';

/** What is known of a value: its dtype and its shape in numbers. */
export interface StaticType {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** The type that a value of an ONNX type has in the TFLite graph. */
export function internalType(dtype: DType): DType {
  if (isFloat(dtype)) return 'float32';
  switch (dtype) {
    case 'bool':
    case 'int32':
    case 'int64':
      return dtype;
    case 'int8':
    case 'uint8':
    case 'int16':
    case 'uint16':
    case 'int4':
    case 'uint4':
    case 'int2':
    case 'uint2':
      return 'int32';
    case 'uint32':
    case 'uint64':
      return 'int64';
    default:
      throw new Refusal(`TFLite has no operators on ${dtype} values`);
  }
}

/** The shape of two shapes broadcast together as in ONNX and NumPy. */
export function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, index) => {
    const left = a[a.length - rank + index] ?? 1;
    const right = b[b.length - rank + index] ?? 1;
    if (left !== right && left !== 1 && right !== 1)
      throw new Refusal(`the shapes [${a.join(', ')}] and [${b.join(', ')}] do not broadcast`);
    return left === 1 ? right : left;
  });
}

/** An axis counted from the front. */
export function positive(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}
