/** Multi-head attention over the one axis between batch and features, without masks but for the causal one. */
import { intAttribute, intsAttribute } from '../../../graph/attribute.ts';
import type { Tensor } from '../../../graph/tensor.ts';
import type { Value } from '../../../graph/value.ts';
import type { GraphBuilder, KerasTensor, Size } from './builder.ts';
import { multiply } from './dense.ts';
import { type Inputs, isTensor, type Layer, plainOf, type Raise } from './layer.ts';

const ORDER = ['kernel', 'bias'];
/** A causal mask is written out; a longer sequence is taken for hostile. */
const MOST_STEPS = 4096;

/** Call arguments after query and value, in order (`MultiHeadAttention.call`). */
const PARAMETERS = [
  'query',
  'value',
  'key',
  'query_mask',
  'value_mask',
  'key_mask',
  'attention_mask',
  'return_attention_scores',
  'training',
  'use_causal_mask',
];

const attention: Raise = (layer, inputs, builder) => {
  const given = new Map(inputs.args.map((argument, index) => [PARAMETERS[index] ?? '', argument]));
  for (const [name, argument] of inputs.named) given.set(name, argument);
  const [query, value] = [given.get('query'), given.get('value')];
  if (!isTensor(query) || !isTensor(value)) throw builder.corrupt('is called without query and value.');
  const keyGiven = given.get('key');
  const key = isTensor(keyGiven) ? keyGiven : value;
  checkSupported(layer, given, [query, value, key]);
  const heads = layer.required('num_heads');
  const queries = projected(layer, ['query_dense', 'query'], query, heads, [0, 2, 1, 3]);
  const keys = projected(layer, ['key_dense', 'key'], key, heads, [0, 2, 3, 1]);
  const values = projected(layer, ['value_dense', 'value'], value, heads, [0, 2, 1, 3]);
  const scaled = builder.op('Mul', [queries.value, builder.float(1 / Math.sqrt(layer.required('key_dim')))]);
  let scores = builder.op('MatMul', [scaled, keys.value]);
  if (plainOf(given.get('use_causal_mask')) === true)
    scores = builder.op('Add', [scores, causalMask(query, key, builder)]);
  const shares = builder.op('Softmax', [scores], { axis: intAttribute(-1) });
  const mixed = builder.op('Transpose', [builder.op('MatMul', [shares, values.value])], {
    perm: intsAttribute([0, 2, 1, 3]),
  });
  const joined = builder.op('Reshape', [mixed, builder.int64s([0, 0, heads * values.depth])]);
  const part = layer.part('output_dense', 'attention_output');
  const kernel = part.weight('kernel', ORDER, 3);
  const width = kernel.shape[2] ?? 1;
  const bias = layer.flag('use_bias', true) ? part.weight('bias', ORDER, 1) : null;
  const output = multiply(layer, joined, 3, kernel.reshaped([heads * values.depth, width]), bias, 'output/');
  return builder.result(output, [...query.shape.slice(0, -1), width]);
};

function checkSupported(layer: Layer, given: Inputs['named'], tensors: readonly KerasTensor[]): void {
  const { builder } = layer;
  if (tensors.some(({ shape }) => shape.length !== 3)) throw builder.unsupported('attends over more than one axis.');
  for (const name of ['query_mask', 'value_mask', 'key_mask', 'attention_mask']) {
    if (isTensor(given.get(name))) throw builder.unsupported(`is called with ${name}.`);
  }
  if (plainOf(given.get('return_attention_scores')) === true) throw builder.unsupported('returns its scores.');
  if (layer.flag('use_gate', false)) throw builder.unsupported('has a gate (use_gate).');
  if (typeof layer.option('sliding_window') === 'number') throw builder.unsupported('attends within a sliding window.');
}

/** A projection to heads: [batch, steps, features] to [batch, steps, heads, depth] in the order `perm`. */
function projected(
  layer: Layer,
  [folder, name]: readonly [string, string],
  input: KerasTensor,
  heads: number,
  perm: readonly number[],
): { value: Value; depth: number } {
  const { builder } = layer;
  const part = layer.part(folder, name);
  const kernel: Tensor = part.weight('kernel', ORDER, 3);
  const [features = 1, own = 1, depth = 1] = kernel.shape;
  if (own !== heads) throw builder.corrupt(`has ${heads} heads and weights for ${own}.`);
  const bias = layer.flag('use_bias', true) ? part.weight('bias', ORDER, 2).reshaped([heads * depth]) : null;
  const flat = multiply(
    layer,
    builder.value(input, 'keras'),
    3,
    kernel.reshaped([features, heads * depth]),
    bias,
    `${name}/`,
  );
  const split = builder.op('Reshape', [flat, builder.int64s([0, 0, heads, depth])]);
  return { value: builder.op('Transpose', [split], { perm: intsAttribute(perm) }), depth };
}

/** 0 where a step may look, and a number that vanishes in the softmax after it. */
function causalMask(query: KerasTensor, key: KerasTensor, builder: GraphBuilder): Value {
  const [rows, columns] = [query.shape[1], key.shape[1]] as [Size, Size];
  if (rows === null || columns === null) throw builder.unsupported('has a causal mask over a free number of steps.');
  if (rows > MOST_STEPS || columns > MOST_STEPS)
    throw builder.unsupported(`has a causal mask over more than ${MOST_STEPS} steps.`);
  const mask = builder.filled(0, rows * columns);
  for (let row = 0; row < rows; row++) mask.fill(-1e9, row * columns + row + 1, (row + 1) * columns);
  return builder.floats(mask, [rows, columns]);
}

export const ATTENTION: Readonly<Record<string, Raise>> = { MultiHeadAttention: attention };
