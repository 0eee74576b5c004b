/** Products with a weight: Dense, and the rows that Embedding picks. */

import { intAttribute } from '../../../graph/attribute.ts';
import { DTYPES } from '../../../graph/dtype.ts';
import type { Value } from '../../../graph/value.ts';
import { activate } from './activation.ts';
import { type Layer, onlyInput, type Raise } from './layer.ts';

const ORDER = ['kernel', 'bias'];

const dense: Raise = (layer, inputs, builder) => {
  const input = onlyInput(inputs, builder);
  const rank = input.shape.length;
  const kernel = layer.weight('kernel', ORDER, 2);
  const bias = layer.flag('use_bias', true) ? layer.weight('bias', ORDER, 1) : null;
  const product = multiply(layer, builder.value(input, 'keras'), rank, kernel, bias);
  const shape = [...input.shape.slice(0, -1), kernel.shape[1] ?? null];
  return builder.result(activate(product, layer.activation, rank, 'keras', layer), shape);
};

type Weight = ReturnType<Layer['weight']>;

/** x times `kernel` over the last axis, plus `bias`: Gemm for tables, MatMul and Add otherwise. */
export function multiply(
  layer: Layer,
  x: Value,
  rank: number,
  kernel: Weight,
  bias: Weight | null,
  prefix = '',
): Value {
  const { builder } = layer;
  const weight = builder.weight(`${prefix}kernel`, kernel);
  if (rank === 2) {
    return builder.op('Gemm', bias === null ? [x, weight] : [x, weight, builder.weight(`${prefix}bias`, bias)]);
  }
  const product = builder.op('MatMul', [x, weight]);
  return bias === null ? product : builder.op('Add', [product, builder.weight(`${prefix}bias`, bias)]);
}

const embedding: Raise = (layer, inputs, builder) => {
  const input = onlyInput(inputs, builder);
  const table = layer.weight('embeddings', ['embeddings'], 2);
  const rows = builder.value(input, 'keras');
  const isIndex = input.dtype === 'int32' || input.dtype === 'int64';
  const indices = isIndex ? rows : builder.op('Cast', [rows], { to: intAttribute(DTYPES.int32.code) });
  const value = builder.op('Gather', [builder.weight('embeddings', table), indices], { axis: intAttribute(0) });
  return builder.result(value, [...input.shape, table.shape[1] ?? null]);
};

export const PRODUCTS: Readonly<Record<string, Raise>> = { Dense: dense, Embedding: embedding };
