/**
 * Attention over queries, keys and values of heads: MIL's own operator from iOS 18 on, matrix products and a softmax before.
 * Source: coremltools, ops/defs/iOS18/transformers.py: the operator divides by the root of the head's size itself, and has
 * neither a scale nor a causal mask of its own.
 */
import type { MilValue } from '../program.ts';
import { compare, concat, expandDims, matmul, select, softmax, take, times } from './builders.ts';
import type { Lowering } from './lowering.ts';
import { Refusal, staticDims } from './terms.ts';

/** What a masked score becomes; float16 makes it its own least, and a row of nothing else stays finite. */
export const MASKED = -3.4e38;

export interface Heads {
  /** [batch, heads, length, size]; keys and values may have fewer heads, each of which then serves several queries. */
  readonly query: MilValue;
  readonly key: MilValue;
  readonly value: MilValue;
  readonly scale: number;
  /** Added to the scores [batch, heads, queries, keys], or broadcast to them. */
  readonly bias: MilValue | null;
  /** Scores are kept between -softcap and softcap; 0 does not. */
  readonly softcap: number;
  /** Gets the scores as products, with the bias, capped, and as probabilities; they are then not fused. */
  readonly scores?: (stages: readonly [MilValue, MilValue, MilValue, MilValue]) => void;
}

export function attend(lowering: Lowering, heads: Heads): MilValue {
  const { query, bias, scale, softcap } = heads;
  const [, count = 1] = staticDims(
    query.type.shape.slice(0, 2).map((dim, axis) => (axis === 0 ? 1 : dim)),
    'heads',
  );
  const key = repeatedHeads(lowering, heads.key, count);
  const value = repeatedHeads(lowering, heads.value, count);
  const [size = 1] = staticDims(query.type.shape.slice(-1), 'a head');
  if (lowering.target >= 18 && softcap === 0 && heads.scores === undefined)
    return fused(lowering, { query, key, value, mask: bias, factor: scale * Math.sqrt(size) });
  const products = matmul(lowering, times(lowering, query, scale), key, false, true);
  const biased = bias === null ? products : lowering.binary('add', products, bias);
  const capped =
    softcap === 0 ? biased : times(lowering, lowering.unary('tanh', times(lowering, biased, 1 / softcap)), softcap);
  const probabilities = softmax(lowering, capped, capped.type.shape.length - 1);
  heads.scores?.([products, biased, capped, probabilities]);
  return matmul(lowering, probabilities, value);
}

/** The operator itself; `factor` is on the query. */
export function fused(
  lowering: Lowering,
  parts: {
    readonly query: MilValue;
    readonly key: MilValue;
    readonly value: MilValue;
    readonly mask: MilValue | null;
    readonly factor: number;
  },
): MilValue {
  const { query, key, value, mask, factor } = parts;
  const isOne = Math.abs(factor - 1) < 1e-6;
  return lowering.op(
    'scaled_dot_product_attention',
    { query: isOne ? query : times(lowering, query, factor), key, value, attn_mask: mask },
    { dtype: 'fp32', shape: [...query.type.shape.slice(0, -1), value.type.shape.at(-1) ?? null] },
  );
}

function repeatedHeads(lowering: Lowering, x: MilValue, count: number): MilValue {
  const [own = 1] = staticDims(x.type.shape.slice(1, 2), 'heads');
  if (own === count) return x;
  const places = Array.from({ length: count }, (_, head) => Math.floor((head * own) / count));
  return take(lowering, x, places, 1);
}

/** [batch, length, heads * size] as [batch, heads, length, size]. */
export function splitHeads(lowering: Lowering, x: MilValue, heads: number): MilValue {
  const [batch, length, width] = x.type.shape;
  if (typeof width !== 'number') throw new Refusal('the width of the heads is not known');
  const open = [batch, length].filter((dim) => typeof dim !== 'number').length;
  if (open > 1) throw new Refusal('both batch and length of the heads are open');
  return lowering.transpose(lowering.reshape(x, [batch ?? -1, length ?? -1, heads, width / heads]), [0, 2, 1, 3]);
}

export function joinHeads(lowering: Lowering, x: MilValue): MilValue {
  const [batch, heads, length, size] = x.type.shape;
  if (typeof heads !== 'number' || typeof size !== 'number') throw new Refusal('the width of the heads is not known');
  return lowering.reshape(lowering.transpose(x, [0, 2, 1, 3]), [batch ?? -1, length ?? -1, heads * size]);
}

/** 0 where a query may look at a key: at those up to its own place, `past` further on. */
export function causalBias(lowering: Lowering, queries: number, keys: number, past: number): MilValue {
  const values = Array.from({ length: queries * keys }, (_, at) =>
    at % keys <= Math.floor(at / keys) + past ? 0 : MASKED,
  );
  return lowering.floats(values, [queries, keys], 'causal');
}

/** A mask of any kind as a bias: flags say what may be looked at. */
export function maskBias(lowering: Lowering, mask: MilValue): MilValue {
  if (mask.type.dtype !== 'bool') return lowering.cast(mask, 'fp32');
  return select(lowering, mask, lowering.float(0), lowering.float(MASKED));
}

/** Keys at and behind the length of each sequence are masked; `lengths` is [batch]. */
export function lengthBias(lowering: Lowering, lengths: MilValue, keys: number): MilValue {
  const places = lowering.ints(
    Array.from({ length: keys }, (_, index) => index),
    'places',
  );
  return maskBias(lowering, compare(lowering, 'less', places, expandDims(lowering, lengths, [1, 2, 3])));
}

export function addBias(lowering: Lowering, a: MilValue | null, b: MilValue | null): MilValue | null {
  if (a === null || b === null) return a ?? b;
  // Two masks at one place must not become minus infinity.
  return lowering.binary('maximum', lowering.binary('add', a, b), lowering.float(MASKED));
}

/** Rotates pairs of the first `width` elements of each head by angles whose cosines and sines are given. */
export function rotated(
  lowering: Lowering,
  x: MilValue,
  cos: MilValue,
  sin: MilValue,
  interleaved: boolean,
  width: number,
): MilValue {
  const { shape } = x.type;
  const axis = shape.length - 1;
  const [size = 1] = staticDims(shape.slice(-1), 'a head');
  const half = width / 2;
  const every = (first: number, step: number): number[] => Array.from({ length: half }, (_, at) => first + at * step);
  const one = take(lowering, x, interleaved ? every(0, 2) : every(0, 1), axis);
  const two = take(lowering, x, interleaved ? every(1, 2) : every(half, 1), axis);
  const product = (a: MilValue, b: MilValue): MilValue => lowering.binary('mul', a, b);
  const first = lowering.binary('sub', product(one, cos), product(two, sin));
  const second = lowering.binary('add', product(two, cos), product(one, sin));
  const rest =
    width === size
      ? []
      : [
          take(
            lowering,
            x,
            Array.from({ length: size - width }, (_, at) => width + at),
            axis,
          ),
        ];
  const joined = concat(lowering, [first, second, ...rest], axis);
  if (!interleaved) return joined;
  const order = Array.from({ length: size }, (_, at) => (at >= width ? at : (at % 2) * half + Math.floor(at / 2)));
  return take(lowering, joined, order, axis);
}
