/**
 * ONNX Runtime's attention and rotary embedding as products, a softmax and sums, in the order in which exporters write them, so
 * that a format with an operator for attention finds it. Source: docs/ContribOperators.md of ONNX Runtime; masks are applied as
 * its CPU kernels do (contrib_ops/cpu/bert).
 */
import { intAttribute } from './attribute.ts';
import type { Expand, Expansion, FusedNode } from './fused-node.ts';
import { tensorFromInt64, toNumbers } from './tensor-values.ts';
import type { Value } from './value.ts';

interface Heads {
  /** [batch, heads, length, size]. */
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
  readonly scale: number;
  /** Added to the scores [batch, heads, queries, keys], or broadcast to them. */
  readonly bias: Value | null;
  /** Scores are kept between -softcap and softcap before the bias; 0 does not. */
  readonly softcap: number;
}

/** [batch, length, heads * width]. */
function attended(fused: FusedNode, { query, key, value, scale, bias, softcap }: Heads): Value {
  const { build } = fused;
  const products = build.add('MatMul', [query, build.transpose(key, [0, 1, 3, 2])], 'scores');
  let scores = fused.binary('Mul', products, fused.number(scale));
  if (softcap !== 0) {
    const capped = build.add('Tanh', [fused.binary('Div', scores, fused.number(softcap))], 'capped');
    scores = fused.binary('Mul', capped, fused.number(softcap));
  }
  const biased = bias === null ? scores : fused.binary('Add', scores, bias);
  const weights = build.add('Softmax', [biased], 'weights', { axis: intAttribute(-1) });
  return joinHeads(fused, build.add('MatMul', [weights, value], 'mixed'));
}

/** [batch, length, heads * size] as [batch, heads, length, size]. */
function splitHeads({ build }: FusedNode, x: Value, heads: number): Value {
  return build.transpose(build.reshape(x, [0, 0, heads, -1]), [0, 2, 1, 3]);
}

function joinHeads({ build }: FusedNode, x: Value): Value {
  return build.reshape(build.transpose(x, [0, 2, 1, 3]), [0, 0, -1]);
}

const counted = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

/** The least number: two masks at one place are brought back to it, since infinities would make NaN of a row. */
const lowest = (fused: FusedNode): number => (fused.dtype === 'float16' ? -65504 : -3.4028234663852886e38);

function addBias(fused: FusedNode, a: Value | null, b: Value | null): Value | null {
  if (a === null || b === null) return a ?? b;
  return fused.build.add('Max', [fused.binary('Add', a, b), fused.number(lowest(fused))], 'bias');
}

/** 0 where a flag is set, else `masked`. */
function flagBias(fused: FusedNode, flags: Value, masked: number): Value {
  return fused.build.add('Where', [flags, fused.number(0), fused.number(masked)], 'bias');
}

/** [queries, keys]: a query looks at keys up to its own place, which is `past` further on. */
function causalBias(fused: FusedNode, queries: number, keys: number, past: number): Value {
  const values = Array.from({ length: queries * keys }, (_, at) =>
    at % keys <= Math.floor(at / keys) + past ? 0 : lowest(fused),
  );
  return fused.constant(values, [queries, keys]);
}

/** The operand that says which keys are padding; undefined for a form that is not written out. */
function paddingBias(fused: FusedNode, index: number, keys: number | null): Value | null | undefined {
  const { build, node } = fused;
  const mask = fused.input(index);
  if (mask === null) return null;
  const masked = node.float('mask_filter_value', -10000);
  const rank = fused.rank(index);
  if (rank === 2) return flagBias(fused, build.unsqueeze(build.cast(mask, 'bool'), [1, 2]), masked);
  if (rank === 3) return flagBias(fused, build.unsqueeze(build.cast(mask, 'bool'), [1]), masked);
  const [count, batch] = [fused.size(index, 0), fused.size(0, 0)];
  if (rank !== 1 || keys === null || batch === null || (count !== batch && count !== 2 * batch)) return undefined;
  // Where the keys of each sequence end, and perhaps where they begin.
  const places = fused.constant(counted(keys), [keys], 'int32');
  const bound = (from: number): Value => build.unsqueeze(build.slice(mask, 0, from, from + batch), [1, 2, 3]);
  const isBefore = fused.binary('Less', places, bound(0));
  if (count === batch) return flagBias(fused, isBefore, masked);
  const isFrom = build.add('Not', [fused.binary('Less', places, bound(batch))], 'from');
  return flagBias(fused, fused.binary('And', isBefore, isFrom), masked);
}

/** Queries, keys and values are projected from one tensor. */
function attention(fused: FusedNode): Expansion {
  const { build, node } = fused;
  const width = fused.size(1, 1);
  const heads = node.int('num_heads', 1);
  if (width === null || fused.has(6) || node.int('do_rotary', 0) !== 0 || fused.gives(2)) return null;
  const [q = 0, k = 0, v = 0] = node.ints('qkv_hidden_sizes') ?? [width / 3, width / 3, width / 3];
  const past = fused.input(4);
  const [queries, before] = [fused.size(0, 1), past === null ? 0 : fused.size(4, 3)];
  const keys = queries === null || before === null ? null : queries + before;
  const padding = paddingBias(fused, 3, keys);
  const isCausal = node.int('unidirectional', 0) !== 0;
  if (padding === undefined || (isCausal && (queries === null || keys === null))) return null;
  const projected = fused.plus(build.add('MatMul', [fused.operand(0), fused.operand(1)], 'projected'), 2);
  const [query, newKey, newValue] = [
    [0, q],
    [q, q + k],
    [q + k, q + k + v],
  ].map(([from = 0, to = 0]) => splitHeads(fused, build.slice(projected, 2, from, to), heads)) as [Value, Value, Value];
  const [key, value] = [newKey, newValue].map((x, index) =>
    past === null ? x : build.concat([build.gather(past, tensorFromInt64([index], []), 0, 'past'), x], 2),
  ) as [Value, Value];
  let bias = padding;
  if (isCausal) bias = addBias(fused, bias, causalBias(fused, queries ?? 0, keys ?? 0, before ?? 0));
  bias = addBias(fused, bias, fused.input(5));
  const scale = node.float('scale', 0) || 1 / Math.sqrt(q / heads);
  const made = attended(fused, { query, key, value, scale, bias, softcap: 0 });
  const present = [key, value].map((x) => build.unsqueeze(x, [0]));
  return [made, fused.gives(1) ? build.concat(present, 0) : null];
}

/** Queries, keys and values each in a tensor; those that come as heads already are of a cross attention. */
function multiHeadAttention(fused: FusedNode): Expansion {
  const { build, node } = fused;
  const heads = node.int('num_heads', 1);
  const ranks = [0, 1, 2].map((index) => fused.rank(index));
  const widths = [0, 1, 2].map((index) => fused.size(index, -1));
  const isPacked = ranks[0] !== 3 || ranks.some((rank) => rank !== 3 && rank !== 4);
  const [width] = widths;
  if (isPacked || width == null || fused.has(8, 9) || fused.gives(3)) return null;
  const bias = fused.input(3);
  if (bias !== null && (ranks.some((rank) => rank !== 3) || widths.includes(null))) return null;
  const pastSize = fused.has(6) ? fused.size(6, 2) : 0;
  const [queries, added] = [fused.size(0, 1), fused.size(1, ranks[1] === 3 ? 1 : 2)];
  const keys = added === null || pastSize === null ? null : added + pastSize;
  const padding = paddingBias(fused, 4, keys);
  const isCausal = node.int('unidirectional', 0) !== 0;
  if (padding === undefined || (isCausal && (queries === null || keys === null))) return null;
  // The bias of all three lies in one vector; values may have another width.
  let from = 0;
  const [query, newKey, newValue] = [0, 1, 2].map((index) => {
    const x = fused.operand(index);
    if (ranks[index] === 4) return x;
    const to = from + (widths[index] ?? 0);
    const moved = bias === null ? x : fused.binary('Add', x, build.slice(bias, 0, from, to));
    from = to;
    return splitHeads(fused, moved, heads);
  }) as [Value, Value, Value];
  const [key, value] = [newKey, newValue].map((x, index) => {
    const past = fused.input(6 + index);
    return past === null ? x : build.concat([past, x], 2);
  }) as [Value, Value];
  let mask = padding;
  if (isCausal) mask = addBias(fused, mask, causalBias(fused, queries ?? 0, keys ?? 0, (keys ?? 0) - (queries ?? 0)));
  mask = addBias(fused, mask, fused.input(5));
  const scale = node.float('scale', 0) || 1 / Math.sqrt(width / heads);
  return [attended(fused, { query, key, value, scale, bias: mask, softcap: 0 }), key, value];
}

/**
 * Keys and values that several heads of queries share, with a cache. The lengths of the sequences stand in an operand, less one.
 * New keys stand behind the cache, or in it where the cache is as long as what comes out.
 */
function groupQueryAttention(fused: FusedNode): Expansion {
  const { build, node } = fused;
  const [heads, shared] = [node.int('num_heads', 1), node.int('kv_num_heads', 1)];
  const [batch, length, width] = [fused.size(0, 0), fused.size(0, 1), fused.size(0, 2)];
  if (batch === null || length === null || width === null) return null;
  if (fused.has(11) || node.int('smooth_softmax', 0) === 1 || fused.gives(3)) return null;
  const isPacked = !fused.has(1);
  const size = isPacked ? width / (heads + 2 * shared) : width / heads;
  const cacheSize = fused.has(3) ? fused.size(3, 2) : 0;
  const keys = cacheSize === null ? null : keysAfter(fused, cacheSize, length);
  if (cacheSize === null || keys === null) return null;
  const isInCache = cacheSize > 0 && keys === cacheSize;
  // Sequences of different lengths leave gaps before what is put behind the cache.
  if (cacheSize > 0 && !isInCache && batch > 1) return null;

  const parts = isPacked
    ? [0, heads, heads + shared].map((from, index) =>
        build.slice(fused.operand(0), 2, from * size, (from + (index === 0 ? heads : shared)) * size),
      )
    : [0, 1, 2].map((index) => fused.operand(index));
  let [query, key, value] = parts.map((x, index) => splitHeads(fused, x, index === 0 ? heads : shared)) as [
    Value,
    Value,
    Value,
  ];
  const lengths = build.reshape(build.cast(fused.operand(5), 'int32'), [batch, 1]);
  // Of a prompt each sequence begins at 0, and what is behind its end is padding.
  const begin = isInCache
    ? fused.binary('Sub', lengths, fused.constant([length - 1], [1], 'int32'))
    : fused.constant(Array<number>(batch).fill(cacheSize), [batch, 1], 'int32');
  const places = fused.binary('Add', begin, fused.constant(counted(length), [1, length], 'int32'));
  if (node.int('do_rotary', 0) !== 0) {
    const at = fused.input(9) ?? places;
    const half = fused.size(7, 1);
    if (half === null) return null;
    const turn = { width: 2 * half, size, isInterleaved: node.int('rotary_interleaved', 0) !== 0 };
    const [cos, sin] = [7, 8].map((index) =>
      build.unsqueeze(build.add('Gather', [fused.operand(index), at], 'turns'), [1]),
    ) as [Value, Value];
    query = rotated(fused, query, cos, sin, turn);
    key = rotated(fused, key, cos, sin, turn);
  }
  if (isInCache) {
    [key, value] = [key, value].map((x, index) => inCache(fused, fused.operand(3 + index), x, places, keys)) as [
      Value,
      Value,
    ];
  } else if (cacheSize > 0) {
    [key, value] = [key, value].map((x, index) => build.concat([fused.operand(3 + index), x], 2)) as [Value, Value];
  }
  const all = fused.constant(counted(keys), [1, 1, keys], 'int32');
  const own = build.unsqueeze(places, [2]);
  let isMasked = fused.binary('Greater', all, own);
  const window = node.int('local_window_size', -1);
  if (window > 0) {
    const first = fused.binary('Sub', own, fused.constant([window - 1], [1], 'int32'));
    isMasked = fused.binary('Or', isMasked, fused.binary('Less', all, first));
  }
  if (cacheSize === 0 && batch > 1)
    isMasked = fused.binary('Or', isMasked, fused.binary('Greater', all, build.unsqueeze(lengths, [2])));
  const visible = build.unsqueeze(build.add('Not', [isMasked], 'visible'), [1]);
  const bias = addBias(fused, flagBias(fused, visible, lowest(fused)), fused.input(10));
  const owners = counted(heads).map((head) => Math.floor((head * shared) / heads));
  const repeated = (x: Value): Value =>
    shared === heads ? x : build.gather(x, tensorFromInt64(owners, [heads]), 1, 'repeated');
  const made = attended(fused, {
    query,
    key: repeated(key),
    value: repeated(value),
    scale: node.float('scale', 0) || 1 / Math.sqrt(size),
    bias,
    softcap: node.float('softcap', 0),
  });
  return [made, key, value];
}

/** How many keys there are with the cache; null where that is computed, or the cache is filled in part. */
function keysAfter(fused: FusedNode, cache: number, added: number): number | null {
  if (cache === 0) return added;
  const total = fused.operand(6).tensor;
  const declared = fused.shape(fused.node.outputs[1])?.[2];
  const keys = total !== null ? Math.max(toNumbers(total)[0] ?? 0, cache) : declared;
  return keys === cache || keys === cache + added ? keys : null;
}

/** New rows at their places in a cache. `places` is [batch, rows]. */
function inCache(fused: FusedNode, cache: Value, x: Value, places: Value, length: number): Value {
  const { build } = fused;
  const all = fused.constant(counted(length), [1, 1, length, 1], 'int32');
  const isPlace = fused.binary('Equal', all, build.unsqueeze(places, [1, 2]));
  const placed = build.add('MatMul', [build.cast(isPlace, fused.dtype), x], 'placed');
  // What is behind the new rows comes out as zeros, as from the engine; nothing reads it.
  const first = build.unsqueeze(build.slice(places, 1, 0, 1), [1, 2]);
  return build.add('Where', [fused.binary('Less', all, first), cache, placed], 'cache');
}

/** Turned pairs: neighbours where interleaved, else one of each half; what is behind `width` stays. Tables are broadcast to heads. */
function rotated(
  fused: FusedNode,
  x: Value,
  cos: Value,
  sin: Value,
  { width, size, isInterleaved }: { readonly width: number; readonly size: number; readonly isInterleaved: boolean },
): Value {
  const { build } = fused;
  const half = width / 2;
  const [one, two] = isInterleaved
    ? [build.slice(x, 3, 0, width, 2), build.slice(x, 3, 1, width, 2)]
    : [build.slice(x, 3, 0, half), build.slice(x, 3, half, width)];
  const first = fused.binary('Sub', fused.binary('Mul', one, cos), fused.binary('Mul', two, sin));
  const second = fused.binary('Add', fused.binary('Mul', two, cos), fused.binary('Mul', one, sin));
  const rest = width === size ? [] : [build.slice(x, 3, width, null)];
  const turned = build.concat([first, second, ...rest], 3);
  if (!isInterleaved) return turned;
  const order = counted(size).map((at) => (at >= width ? at : (at % 2) * half + Math.floor(at / 2)));
  return build.gather(turned, tensorFromInt64(order, [size]), 3, 'interleaved');
}

function rotaryEmbedding(fused: FusedNode): Expansion {
  const { build, node } = fused;
  const [rank, hidden, half] = [fused.rank(0), fused.size(0, -1), fused.size(2, 1)];
  if (hidden === null || half === null || (rank !== 3 && rank !== 4)) return null;
  if (node.int('is_packed_batching', 0) !== 0 || node.float('scale', 1) !== 1) return null;
  const heads = node.int('num_heads', 0) || (rank === 3 ? hidden / (2 * half) : 1);
  const size = rank === 3 ? hidden / heads : hidden;
  const x = rank === 3 ? splitHeads(fused, fused.operand(0), heads) : fused.operand(0);
  const length = fused.size(0, rank === 3 ? 1 : 2);
  // One number is where all sequences start; otherwise every element has its place.
  const isStart = fused.rank(1) === 1;
  if (isStart && length === null) return null;
  const given = fused.operand(1);
  const at = isStart ? fused.binary('Add', given, fused.constant(counted(length ?? 0), [length ?? 0], 'int64')) : given;
  const [cos, sin] = [2, 3].map((index) => {
    const rows = build.add('Gather', [fused.operand(index), at], 'turns');
    return isStart ? rows : build.unsqueeze(rows, [1]);
  }) as [Value, Value];
  const isInterleaved = node.int('interleaved', 0) !== 0;
  const turned = rotated(fused, x, cos, sin, { width: 2 * half, size, isInterleaved });
  return [rank === 3 ? joinHeads(fused, turned) : turned];
}

export const ATTENTION: Readonly<Record<string, Expand>> = {
  Attention: attention,
  MultiHeadAttention: multiHeadAttention,
  GroupQueryAttention: groupQueryAttention,
  RotaryEmbedding: rotaryEmbedding,
};
