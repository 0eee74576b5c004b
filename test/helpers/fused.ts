/** Models of one operator of ONNX Runtime's own domain, run as they are and with it written out. */
import { expect } from 'vitest';
import { onnxBytes } from '../../native-workers/formats/onnx/write.ts';
import type { Attribute } from '../../native-workers/graph/attribute.ts';
import { cloneModel } from '../../native-workers/graph/clone.ts';
import { expandFused } from '../../native-workers/graph/expand-fused.ts';
import { Model } from '../../native-workers/graph/model.ts';
import { tensorFromNumbers } from '../../native-workers/graph/tensor-values.ts';
import { type Dim, tensorType } from '../../native-workers/graph/types.ts';
import { validate } from '../../native-workers/graph/validate.ts';
import type { Value } from '../../native-workers/graph/value.ts';
import type { Engine, Feeds, HostTensor } from '../../native-workers/lib/engine.ts';
import { ModelBuilder } from './models.ts';

const CONTRIB = 'com.microsoft';

/** A feed of waves, or the integers that are given. */
export type Operand =
  | {
      readonly shape: readonly number[];
      readonly declared?: readonly Dim[];
      readonly ints?: readonly number[];
      readonly dtype?: 'int32' | 'int64';
    }
  | { readonly weight: readonly number[]; readonly ints?: readonly number[]; readonly dtype?: 'int32' }
  | null;

const sizeOf = (shape: readonly number[]): number => shape.reduce((all, dim) => all * dim, 1);
const waves = (count: number, frequency: number): Float32Array =>
  Float32Array.from({ length: count }, (_, at) => Math.sin(frequency * (at + 1)));

export interface FusedCase {
  readonly type: string;
  readonly operands: readonly Operand[];
  readonly attributes?: Readonly<Record<string, number | readonly number[] | Attribute>>;
  /** Indices of the outputs that are read; the first unless others are given. */
  readonly outputs?: readonly number[];
  readonly opset?: number;
  /** The last output dimension types, where the model declares them. */
  readonly present?: readonly number[];
}

export function fusedModel({ type, operands, attributes = {}, outputs = [0], opset = 17, present }: FusedCase): {
  model: Model;
  feeds: Feeds;
} {
  const builder = new ModelBuilder();
  const feeds: Feeds = {};
  const inputs = operands.map((operand, index): Value | null => {
    if (operand === null) return null;
    const name = `i${index}`;
    if ('weight' in operand) {
      const { weight, ints, dtype = 'int32' } = operand;
      if (ints === undefined)
        return builder.graph.addInitializer(
          name,
          tensorFromNumbers('float32', waves(sizeOf(weight), index + 0.3), weight),
        );
      return builder.graph.addInitializer(name, tensorFromNumbers(dtype, ints, weight));
    }
    const { shape, declared = shape, ints, dtype = 'int32' } = operand;
    feeds[name] =
      ints === undefined
        ? { dtype: 'float32', shape, data: waves(sizeOf(shape), index + 0.7) }
        : dtype === 'int64'
          ? { dtype, shape, data: BigInt64Array.from(ints, BigInt) }
          : { dtype, shape, data: Int32Array.from(ints) };
    return builder.input(name, declared, ints === undefined ? 'float32' : dtype);
  });
  const first = builder.op(type, inputs, 'o0', attributes, CONTRIB);
  const last = Math.max(...outputs);
  for (let index = 1; index <= last; index++) {
    const value = outputs.includes(index) ? builder.graph.createValue(`o${index}`) : null;
    if (value !== null && present !== undefined) value.type = tensorType('float32', present);
    first.producer?.setOutput(index, value);
  }
  builder.graph.outputs.push(...outputs.map((index) => first.producer?.outputs[index] as Value));
  const model = new Model(builder.graph, opset, 8);
  model.opsets.set(CONTRIB, 1);
  return { model, feeds };
}

async function run(engine: Engine, model: Model, feeds: Feeds): Promise<Feeds> {
  const session = await engine.open(onnxBytes(cloneModel(model).model), { threads: 1, optimization: 'disabled' });
  const results = await session.run(feeds);
  await session.release();
  return results;
}

/** The largest difference from the engine's own operator, of all outputs. */
export async function fusedDifference(engine: Engine, each: FusedCase): Promise<number> {
  const { model, feeds } = fusedModel(each);
  const before = await run(engine, model, feeds);
  expect(expandFused(model, new Map())).toBe(1);
  validate(model);
  expect(
    [...model.graph.nodes].filter(
      (node) => node.domain === CONTRIB && node.opType === each.type && node.inputs.length > 1,
    ),
  ).toEqual([]);
  const after = await run(engine, model, feeds);
  return Math.max(
    ...model.graph.outputs.map(({ name }) => {
      const [wanted, found] = [before[name], after[name]] as [HostTensor, HostTensor];
      expect(found.shape).toEqual(wanted.shape);
      const values = found.data as Float32Array;
      return Math.max(
        ...Array.from(wanted.data as Float32Array, (value, at) => Math.abs(value - (values[at] ?? Number.NaN))),
      );
    }),
  );
}

/** A fed tensor of waves. */
export const x = (...shape: number[]): Operand => ({ shape });
/** A constant of waves. */
export const w = (...weight: number[]): Operand => ({ weight });
/** A fed tensor of int32. */
export const ints = (shape: readonly number[], ...values: number[]): Operand => ({ shape, ints: values });
