/** What a data set must know of a model: its inputs and outputs, and how large the ids may be that it looks up in tables. */
import type { DType } from '../graph/dtype.ts';
import type { Model } from '../graph/model.ts';
import type { Dim, ValueType } from '../graph/types.ts';
import type { Value } from '../graph/value.ts';
import type { HostTensor, ValueInfo } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';

export interface ModelSignature {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** By input: the ids that it looks up in a table must be below this. */
  readonly idLimits?: Readonly<Record<string, number>>;
}

/** An input as a tensor of known dtype and rank. */
export interface InputTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}

/**
 * Inputs that the caller must feed (initializers are defaults), with the table sizes found in the graph. Throws
 * `graph-invalid` for a model without outputs: there is nothing to compute, and runtimes fail on it in words of their own.
 */
export function signatureOf(model: Model): ModelSignature {
  if (model.graph.outputs.length === 0) {
    throw new HoneError('graph-invalid', 'The model has no outputs, so it computes nothing.', {
      where: { graph: model.graph.name },
    });
  }
  const info = (value: Value): ValueInfo => ({ name: value.name, type: value.type ?? UNKNOWN });
  const inputs = model.graph.inputs.filter((input) => !input.isConstant);
  const idLimits: Record<string, number> = {};
  for (const input of inputs) {
    const limit = idLimit(input);
    if (limit !== null) idLimits[input.name] = limit;
  }
  return { inputs: inputs.map(info), outputs: model.graph.outputs.map(info), idLimits };
}

const UNKNOWN: ValueType = { kind: 'tensor', dtype: null, shape: null };

/** Operators that pass ids on unchanged on the way from an input to the table. */
const ID_PRESERVING = ['Cast', 'Reshape', 'Unsqueeze', 'Squeeze', 'Flatten', 'Identity', 'Transpose'];

/** The smallest table that `value` indexes; null when it indexes none of known size. */
function idLimit(value: Value, depth = 0): number | null {
  let limit: number | null = null;
  for (const node of value.consumers) {
    if (node.is('Gather') && node.inputs[1] === value) {
      const shape = tableShape(node.inputs[0] ?? null);
      const size = shape?.[node.int('axis', 0)];
      if (typeof size === 'number') limit = Math.min(limit ?? size, size);
    } else if (depth < 8 && node.is(...ID_PRESERVING) && node.inputs[0] === value && node.outputs[0]) {
      const further = idLimit(node.outputs[0], depth + 1);
      if (further !== null) limit = Math.min(limit ?? further, further);
    }
  }
  return limit;
}

/** The shape of a weight, through the dequantization or cast of a quantized or half-precision table. */
function tableShape(value: Value | null): readonly number[] | null {
  if (value === null) return null;
  if (value.tensor !== null) return value.tensor.shape;
  const maker = value.producer;
  return maker?.is('DequantizeLinear', 'Cast', 'Identity') ? tableShape(maker.inputs[0] ?? null) : null;
}

/** Throws `data-mismatch` for an input that is no tensor of a known dtype and rank: no data can be made for it. */
export function inputTensor(input: ValueInfo): InputTensor {
  const { name, type } = input;
  if (type.kind !== 'tensor' || type.dtype === null || type.shape === null) {
    throw new HoneError(
      'data-mismatch',
      `The input '${name}' is no tensor of a known type and rank, so it cannot be fed.`,
      {
        where: { tensor: name },
      },
    );
  }
  return { name, dtype: type.dtype, shape: type.shape };
}

/** How many samples one run takes: any number, or exactly so many. */
export type BatchRule = { readonly kind: 'any' } | { readonly kind: 'exactly'; readonly size: number };

/** From the first dimension of the inputs: one fixed size there fixes the batch. Inputs of rank 0 do not count. */
export function batchRuleOf(signature: ModelSignature): BatchRule {
  for (const { type } of signature.inputs) {
    if (type.kind !== 'tensor' || type.shape === null) continue;
    const first = type.shape[0];
    if (typeof first === 'number') return { kind: 'exactly', size: first };
  }
  return { kind: 'any' };
}

/** Whether an input is a scalar: samples that bring one of their own can only be run one at a time. */
export function takesScalar({ inputs }: Pick<ModelSignature, 'inputs'>): boolean {
  return inputs.some(({ type }) => type.kind === 'tensor' && type.shape?.length === 0);
}

/** The sample of an input that has a batch axis, as a batch of its own. */
export function batchOfOne(sample: HostTensor): HostTensor {
  return { ...sample, shape: [1, ...sample.shape] };
}

/** Classes that the model tells apart: the last dimension of its first two-dimensional float output; null when unknown. */
export function classCountOf(signature: ModelSignature): number | null {
  for (const { type } of signature.outputs) {
    if (type.kind !== 'tensor' || type.shape === null || type.dtype === null) continue;
    const trailing = type.shape.slice(2).every((dim) => dim === 1);
    const count = type.shape[1];
    if (type.shape.length >= 2 && trailing && typeof count === 'number' && type.dtype.includes('float')) return count;
  }
  return null;
}
