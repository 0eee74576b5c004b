/**
 * Removes nodes that give back their input: Identity, Dropout at inference, casts to the same type, reshapes to the same shape,
 * transposes that change nothing, and so on; and merges runs of Reshape, and of Transpose, into one.
 *
 * Notes
 * - What a node does is decided from constants and types alone. Where a shape is symbolic the node stays: a Reshape is
 *   removed only when every dimension is known, so no assumption about the input can turn out wrong.
 * - Adding 0 and multiplying by 1 are left to the engine, which drops them at load; in a file they are rare, and proving that
 *   the constant does not broadcast the other side to a larger shape needs ranks that many models do not declare.
 * - The rules stand in a table by operator: a rule returns the input that stands for the output, or null.
 */
import { z } from 'zod';
import { intsAttribute } from '../graph/attribute.ts';
import { dtypeFromCode } from '../graph/dtype.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { toNumbers } from '../graph/tensor-values.ts';
import { staticShape, type ValueType } from '../graph/types.ts';
import type { Value } from '../graph/value.ts';
import { allGraphs, allOutputs, bypass, type ConstantOf, Counter, constantsOf } from './edit.ts';
import { definePass, type PassContext } from './pass.ts';

export type RemoveIdentityOptions = Record<string, never>;

export const REMOVE_IDENTITY_DEFAULTS: RemoveIdentityOptions = {};

const optionsSchema = z.strictObject({}) as z.ZodType<RemoveIdentityOptions>;

export const removeIdentity = definePass(
  {
    id: 'remove-identity',
    title: 'Remove nodes that do nothing',
    summary:
      'Removes identities, no-op casts, reshapes, transposes, pads and slices, and merges runs of reshapes and transposes.',
    family: 'clean',
    lossy: false,
    needs: [],
  },
  REMOVE_IDENTITY_DEFAULTS,
  optionsSchema,
  async (model, _options, context) => {
    const counts = new Counter();
    await removeIdentities(model, context, counts);
    if (counts.total === 0) return { status: 'unchanged', reason: 'Every node does something.' };
    return { status: 'changed', counts: counts.counts, notes: [] };
  },
);

interface Facts {
  readonly opset: number;
  readonly constantOf: ConstantOf;
  readonly types: ReadonlyMap<Value, ValueType>;
  /** Outputs of graphs: read although no node reads them. */
  readonly outputs: ReadonlySet<Value>;
}

/** Removes every node of the model, subgraphs included, that gives back its input. */
export async function removeIdentities(model: Model, context: PassContext, counts: Counter): Promise<void> {
  const constantOf = constantsOf(model);
  const types = await context.types(model);
  let outputs = allOutputs(model.graph);
  for (const graph of allGraphs(model.graph)) {
    const nodes = [...graph.nodes];
    for (const [index, node] of nodes.entries()) {
      if (index % 1000 === 0) await context.progress(index, nodes.length, 'looking for no-ops');
      if (node.domain !== '' || !(node.opType in RULES)) continue;
      const facts: Facts = { opset: model.opset, constantOf, types, outputs };
      mergeWithProducer(node, facts, counts);
      const output = node.outputs[0];
      const input = sameInput(node, facts);
      if (input === null || !bypass(node, input)) continue;
      counts.add(`${node.opType} removed`);
      if (output && outputs.has(output)) outputs = allOutputs(model.graph);
    }
  }
}

/** The input that the node's only read output always equals, or null. */
export function sameInput(node: Node, facts: Facts): Value | null {
  const others = node.outputs.slice(1);
  if (others.some((output) => output !== null && (output.consumers.size > 0 || facts.outputs.has(output)))) return null;
  return RULES[node.opType]?.(node, facts) ?? null;
}

type Rule = (node: Node, facts: Facts) => Value | null;

const first: Rule = (node) => node.inputs[0] ?? null;
const onlyInput: Rule = (node) => (node.inputs.length === 1 ? (node.inputs[0] ?? null) : null);

const RULES: Readonly<Record<string, Rule>> = {
  Identity: first,
  Dropout: (node, facts) => (isInference(node, facts) ? first(node, facts) : null),
  Concat: onlyInput,
  Sum: onlyInput,
  Max: onlyInput,
  Min: onlyInput,
  Mean: onlyInput,
  Cast: (node, facts) => {
    const type = typeOf(node.inputs[0], facts);
    return type?.kind === 'tensor' && type.dtype !== null && type.dtype === dtypeFromCode(node.int('to', 0))
      ? first(node, facts)
      : null;
  },
  Reshape: keepsShape,
  Flatten: keepsShape,
  Expand: keepsShape,
  Tile: keepsShape,
  Transpose: (node, facts) => {
    const perm = node.ints('perm');
    return perm?.every((axis, index) => axis === index) ? first(node, facts) : null;
  },
  Pad: (node, facts) => {
    const pads = node.ints(facts.opset < 2 ? 'paddings' : 'pads') ?? constantInts(node.inputs[1], facts);
    return pads?.every((pad) => pad === 0) ? first(node, facts) : null;
  },
  Slice: (node, facts) => (slicesNothing(node, facts) ? first(node, facts) : null),
};

function isInference(node: Node, facts: Facts): boolean {
  if (facts.opset < 7) return node.int('is_test', 0) !== 0;
  const mode = node.inputs[2];
  if (mode === null || mode === undefined) return true;
  const tensor = facts.constantOf(mode);
  return tensor !== null && tensor.data.read()[0] === 0;
}

/** For operators that change nothing but the shape: whether both shapes are known and equal. */
function keepsShape(node: Node, facts: Facts): Value | null {
  const input = node.inputs[0] ?? null;
  const before = staticShape(typeOf(input, facts));
  const after = staticShape(typeOf(node.outputs[0], facts));
  if (before === null || after === null || before.length !== after.length) return null;
  return before.every((dim, index) => dim === after[index]) ? input : null;
}

/** True for a Slice whose every axis starts at 0, steps by 1 and ends past any size, or at the known size. */
function slicesNothing(node: Node, facts: Facts): boolean {
  const inAttributes = facts.opset < 10;
  const list = (name: string, index: number): number[] | null =>
    inAttributes ? node.ints(name) : constantInts(node.inputs[index], facts);
  const starts = list('starts', 1);
  const ends = list('ends', 2);
  if (starts === null || ends === null || starts.some((start) => start !== 0)) return false;
  const stepsInput = inAttributes ? null : node.inputs[4];
  if (
    stepsInput !== null &&
    stepsInput !== undefined &&
    !constantInts(stepsInput, facts)?.every((step) => step === 1)
  ) {
    return false;
  }
  // Exporters write INT32_MAX or INT64_MAX for "to the end".
  if (ends.every((end) => end >= 0x7fffffff)) return true;
  const shape = staticShape(typeOf(node.inputs[0], facts));
  const axes = list('axes', 3) ?? (inAttributes || !node.inputs[3] ? starts.map((_, index) => index) : null);
  if (shape === null || axes === null) return false;
  return axes.every((axis, index) => (ends[index] ?? -1) >= (shape[axis < 0 ? axis + shape.length : axis] ?? Infinity));
}

/** Lets a Reshape or Transpose that reads another of its kind read that one's input, doing both steps at once. */
function mergeWithProducer(node: Node, facts: Facts, counts: Counter): void {
  const producer = node.inputs[0]?.producer;
  const source = producer?.inputs[0];
  if (!producer || !source || producer.domain !== '' || producer.opType !== node.opType) return;
  if (node.opType === 'Reshape') {
    // 0 copies a dimension of the input, so the second shape must not hold one (opset 14: unless allowzero makes it a size).
    const shape = node.ints('shape') ?? constantInts(node.inputs[1], facts);
    if (shape === null || shape.includes(0)) return;
    node.setInput(0, source);
    counts.add('Reshape merged');
  } else if (node.opType === 'Transpose') {
    const inner = producer.ints('perm');
    const outer = node.ints('perm');
    if (inner === null || outer === null || inner.length !== outer.length) return;
    node.attributes.set('perm', intsAttribute(outer.map((axis) => inner[axis] ?? axis)));
    node.setInput(0, source);
    counts.add('Transpose merged');
  }
}

function typeOf(value: Value | null | undefined, facts: Facts): ValueType | null {
  return value ? (facts.types.get(value) ?? value.type) : null;
}

function constantInts(value: Value | null | undefined, facts: Facts): number[] | null {
  const tensor = facts.constantOf(value);
  return tensor === null ? null : toNumbers(tensor);
}
