/** Outputs of a run as plain numbers, whole or for one sample. */
import type { DType } from '../graph/dtype.ts';
import type { Feeds, HostTensor } from '../lib/engine.ts';
import { bfloat16ToFloat, halfToFloat } from '../lib/half.ts';

export type Numbers = Float32Array | Float64Array;

/** One sample's part of a tensor, without the batch axis. */
export interface Row {
  /** Of the tensor; the values are floats whatever it is. */
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly values: Numbers;
}

/** float32 and float64 as they are, all else as float64; null for strings. 64-bit integers beyond 2^53 are rounded. */
export function numbersOf({ dtype, data }: HostTensor): Numbers | null {
  if (data instanceof Float32Array || data instanceof Float64Array) return data;
  if (!ArrayBuffer.isView(data)) return null;
  if (dtype === 'float16') return Float32Array.from(data as Uint16Array, halfToFloat);
  if (dtype === 'bfloat16') return Float32Array.from(data as Uint16Array, bfloat16ToFloat);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Float64Array.from(data, Number);
  return Float64Array.from(data);
}

/** Outputs of a batch split into samples, each tensor converted once. Tensors that have no batch axis belong to a batch of one. */
export class BatchRows {
  readonly #tensors: ReadonlyMap<string, Row & { readonly batched: boolean }>;
  readonly count: number;

  /** `count`: samples of the batch as it was run, fill included. */
  constructor(tensors: Feeds, count: number) {
    this.count = count;
    this.#tensors = new Map(
      Object.entries(tensors).flatMap(([name, tensor]) => {
        const values = numbersOf(tensor);
        const batched = tensor.shape[0] === count;
        if (values === null || (!batched && count !== 1)) return [];
        return [[name, { dtype: tensor.dtype, shape: tensor.shape, values, batched }] as const];
      }),
    );
  }

  get names(): string[] {
    return [...this.#tensors.keys()];
  }

  row(name: string, index: number): Row | null {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) return null;
    const { dtype, shape, values, batched } = tensor;
    if (!batched) return { dtype, shape, values };
    const length = values.length / this.count;
    return { dtype, shape: shape.slice(1), values: values.subarray(index * length, (index + 1) * length) };
  }
}
