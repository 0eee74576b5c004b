/** ONNX's Attention and RotaryEmbedding, those of ONNX Runtime, and the pattern that exporters write for attention. */
import type { Node } from '../../../graph/node.ts';
import { toNumbers } from '../../../graph/tensor-values.ts';
import type { Value } from '../../../graph/value.ts';
import { broadcast } from '../known-shapes.ts';
import type { MilValue } from '../program.ts';
import {
  addBias,
  attend,
  causalBias,
  fused,
  joinHeads,
  lengthBias,
  MASKED,
  maskBias,
  rotated,
  splitHeads,
} from './attend.ts';
import { concat, expandDims, gather, padConstant, sliceAxis } from './builders.ts';
import type { Lower, Lowering } from './lowering.ts';
import { Refusal, staticDims } from './terms.ts';

/** Source: onnx Operators.md, Attention. */
function attention(node: Node, lowering: Lowering): void {
  const given = [0, 1, 2].map((index) => lowering.get(node, index)) as [MilValue, MilValue, MilValue];
  const isFlat = given[0].type.shape.length === 3;
  const counts = [node.int('q_num_heads', 0), node.int('kv_num_heads', 0), node.int('kv_num_heads', 0)];
  const [query, newKey, newValue] = given.map((x, index) =>
    isFlat ? splitHeads(lowering, x, counts[index] ?? 1) : x,
  ) as [MilValue, MilValue, MilValue];
  const past = node.inputs[4] ? lowering.get(node, 4) : null;
  const key = past === null ? newKey : concat(lowering, [past, newKey], 2);
  const value = node.inputs[5] ? concat(lowering, [lowering.get(node, 5), newValue], 2) : newValue;
  const [queries = 1, keys = 1] = staticDims([query.type.shape[2] ?? null, key.type.shape[2] ?? null], 'attention');
  let bias: MilValue | null = null;
  if (node.inputs[3]) {
    bias = maskBias(lowering, lowering.get(node, 3));
    const rank = bias.type.shape.length;
    // A mask may be shorter than the cache: what it says nothing of is not looked at.
    const [own = keys] = staticDims(bias.type.shape.slice(-1), 'a mask');
    const missing = keys - own;
    if (missing > 0 && own > 1) {
      const pairs = Array<number>(rank * 2).fill(0);
      pairs[rank * 2 - 1] = missing;
      bias = padConstant(lowering, bias, pairs, MASKED);
    }
  }
  const before = past === null ? 0 : keys - (newKey.type.shape[2] ?? 0);
  if (node.int('is_causal', 0) !== 0) bias = addBias(lowering, bias, causalBias(lowering, queries, keys, before));
  if (node.inputs[6]) bias = addBias(lowering, bias, lengthBias(lowering, lowering.get(node, 6), keys));
  const [size = 1] = staticDims(query.type.shape.slice(-1), 'a head');
  const stage = node.int('qk_matmul_output_mode', 0);
  const wanted = node.outputs[3] ?? null;
  const result = attend(lowering, {
    query,
    key,
    value,
    bias,
    scale: node.float('scale', 1 / Math.sqrt(size)),
    softcap: node.float('softcap', 0),
    ...(wanted === null ? {} : { scores: (stages) => lowering.set(wanted, stages[stage] ?? stages[0]) }),
  });
  lowering.result(node, isFlat ? joinHeads(lowering, result) : result);
  if (node.outputs[1]) lowering.set(node.outputs[1], key);
  if (node.outputs[2]) lowering.set(node.outputs[2], value);
}

/** Source: onnxruntime, ContribOperators.md, com.microsoft.MultiHeadAttention. */
function multiHeadAttention(node: Node, lowering: Lowering): void {
  const heads = node.int('num_heads', 1);
  if (!node.inputs[1] || !node.inputs[2]) throw new Refusal('queries, keys and values packed in one tensor');
  if (node.inputs[8] || node.inputs[9]) throw new Refusal('a cache inside the operator; export the model without one');
  const bias = node.inputs[3] ? lowering.get(node, 3) : null;
  const [query, newKey, newValue] = [0, 1, 2].map((index) => {
    const x = lowering.get(node, index);
    if (x.type.shape.length === 4) return x;
    if (x.type.shape.length !== 3) throw new Refusal('queries, keys and values packed in one tensor');
    const [width = 1] = staticDims(x.type.shape.slice(-1), 'the heads');
    // The bias of all three lies in one vector, in their order; values may have another width.
    const from = index === 2 && bias !== null ? (bias.type.shape[0] ?? 0) - width : index * width;
    const moved = bias === null ? x : lowering.binary('add', x, sliceAxis(lowering, bias, 0, from, from + width));
    return splitHeads(lowering, moved, heads);
  }) as [MilValue, MilValue, MilValue];
  const past = node.inputs[6] ? lowering.get(node, 6) : null;
  const key = past === null ? newKey : concat(lowering, [past, newKey], 2);
  const value = node.inputs[7] ? concat(lowering, [lowering.get(node, 7), newValue], 2) : newValue;
  const [queries = 1, keys = 1] = staticDims([query.type.shape[2] ?? null, key.type.shape[2] ?? null], 'attention');
  let mask: MilValue | null = node.inputs[5] ? lowering.get(node, 5) : null;
  if (node.inputs[4]) {
    const padding = lowering.get(node, 4);
    const { shape } = padding.type;
    if (shape.length === 1 && shape[0] === query.type.shape[0])
      mask = addBias(lowering, mask, lengthBias(lowering, padding, keys));
    else if (shape.length === 2)
      mask = addBias(lowering, mask, maskBias(lowering, expandDims(lowering, lowering.cast(padding, 'bool'), [1, 2])));
    else throw new Refusal('a mask of the keys by starts and ends');
  }
  if (node.int('unidirectional', 0) !== 0)
    mask = addBias(lowering, mask, causalBias(lowering, queries, keys, keys - queries));
  const [size = 1] = staticDims(query.type.shape.slice(-1), 'a head');
  const scale = node.float('scale', 0);
  const parts = { query, key, value, bias: mask, scale: scale === 0 ? 1 / Math.sqrt(size) : scale, softcap: 0 };
  lowering.result(node, joinHeads(lowering, attend(lowering, parts)));
  if (node.outputs[1]) lowering.set(node.outputs[1], key);
  if (node.outputs[2]) lowering.set(node.outputs[2], value);
}

/**
 * Source: onnxruntime, ContribOperators.md, com.microsoft.GroupQueryAttention. Only whole prompts: how long the past is stands
 * in a tensor, and the place of the new keys in the cache with it.
 */
function groupQueryAttention(node: Node, lowering: Lowering): void {
  if (!node.inputs[1] || !node.inputs[2]) throw new Refusal('queries, keys and values packed in one tensor');
  const past = node.inputs[3];
  if (past && !lowering.isEmpty(past)) throw new Refusal('a cache inside the operator; export the model without one');
  if (node.int('local_window_size', -1) > 0 || node.int('smooth_softmax', 0) !== 0)
    throw new Refusal('a sliding window or a smooth softmax');
  const [heads, shared] = [node.int('num_heads', 1), node.int('kv_num_heads', 1)];
  let query = splitHeads(lowering, lowering.get(node, 0), heads);
  let key = splitHeads(lowering, lowering.get(node, 1), shared);
  const value = splitHeads(lowering, lowering.get(node, 2), shared);
  const [length = 1] = staticDims(query.type.shape.slice(2, 3), 'attention');
  const [size = 1] = staticDims(query.type.shape.slice(-1), 'a head');
  if (node.int('do_rotary', 0) !== 0) {
    const [cos, sin] = [7, 8].map((index) => sliceAxis(lowering, lowering.get(node, index), 0, 0, length)) as [
      MilValue,
      MilValue,
    ];
    const width = 2 * (cos.type.shape[1] ?? 0);
    const turn = (x: MilValue): MilValue =>
      rotated(lowering, x, cos, sin, node.int('rotary_interleaved', 0) !== 0, width);
    query = turn(query);
    key = turn(key);
  }
  // The lengths are given as the place of the last key.
  const lengths = lowering.binary('add', lowering.reshape(lowering.get(node, 5), [-1]), lowering.int(1));
  const bias = addBias(lowering, causalBias(lowering, length, length, 0), lengthBias(lowering, lengths, length));
  const scale = node.float('scale', 0);
  const parts = { query, key, value, bias, scale: scale === 0 ? 1 / Math.sqrt(size) : scale };
  const result = attend(lowering, { ...parts, softcap: node.float('softcap', 0) });
  lowering.result(node, joinHeads(lowering, result));
  if (node.outputs[1]) lowering.set(node.outputs[1], key);
  if (node.outputs[2]) lowering.set(node.outputs[2], value);
}

/** ONNX's has the caches before the places, ONNX Runtime's after them. */
const rotaryEmbedding =
  (caches: number, places: number): Lower =>
  (node, lowering) => {
    const x = lowering.get(node, 0);
    const isFlat = x.type.shape.length === 3;
    const heads = node.int('num_heads', 0);
    const [hidden = 1] = staticDims(x.type.shape.slice(-1), 'the heads');
    const width = node.int('rotary_embedding_dim', 0);
    const cache = lowering.get(node, caches);
    const [half = 1] = staticDims(cache.type.shape.slice(-1), 'the cosines');
    const count = heads > 0 ? heads : isFlat ? hidden / (2 * half) : 1;
    const split = isFlat ? splitHeads(lowering, x, count) : x;
    const length = split.type.shape[2] ?? null;
    const [cos, sin] = [caches, caches + 1].map((index) => {
      const table = lowering.get(node, index);
      const at = node.inputs[places] ? lowering.get(node, places) : null;
      if (at === null) return expandDims(lowering, table, [1]);
      // One number is where all sequences start; otherwise every element has its place.
      const isStart = at.type.shape.length === 1;
      if (isStart && lowering.numbers(node, places)?.[0] !== 0)
        throw new Refusal('places that start at a number that is computed');
      if (isStart) return sliceAxis(lowering, table, 0, 0, staticDims([length], 'the places')[0] ?? 1);
      return expandDims(lowering, gather(lowering, table, at, 0), [1]);
    }) as [MilValue, MilValue];
    const turned = rotated(lowering, split, cos, sin, node.int('interleaved', 0) !== 0, width > 0 ? width : 2 * half);
    lowering.result(node, isFlat ? joinHeads(lowering, turned) : turned);
  };

/** What is known of a product of matrices that is the end of the attention that exporters write. */
interface Pattern {
  readonly query: Value;
  /** Transposed. */
  readonly key: Value;
  readonly scale: number;
  readonly mask: Value | null;
}

/**
 * MatMul(Softmax(MatMul(q, kT) * scale + mask), v), of which this is the last node. True when it was written as one operator;
 * the operations of its parts are then read by nothing and fall away.
 */
export function attentionPattern(node: Node, lowering: Lowering): boolean {
  if (lowering.target < 18) return false;
  const pattern = patternOf(node, lowering);
  if (pattern === null) return false;
  const [query, keyT, value] = [
    lowering.value(pattern.query),
    lowering.value(pattern.key),
    lowering.get(node, 1),
  ] as const;
  const rank = query.type.shape.length;
  const batch = query.type.shape.slice(0, -2);
  const size = query.type.shape.at(-1);
  const isSame = [keyT, value].every(
    ({ type }) =>
      type.shape.length === rank &&
      type.dtype === 'fp32' &&
      type.shape.slice(0, -2).every((dim, axis) => dim !== null && dim === batch[axis]),
  );
  if (rank < 3 || !isSame || typeof size !== 'number') return false;
  const mask = pattern.mask === null ? null : lowering.value(pattern.mask);
  if (mask !== null) {
    const scores = [...batch, query.type.shape.at(-2) ?? null, keyT.type.shape.at(-1) ?? null];
    const fits =
      broadcast(scores, mask.type.shape).join() === scores.join() && mask.type.shape.at(-1) === scores.at(-1);
    if (!fits || mask.type.dtype !== 'fp32') return false;
  }
  const key = untransposed(pattern.key, lowering, keyT);
  const made = fused(lowering, { query, key, value, mask, factor: pattern.scale * Math.sqrt(size) });
  lowering.result(node, made);
  return true;
}

function patternOf(node: Node, lowering: Lowering): Pattern | null {
  const only = (value: Value | null | undefined, ...types: string[]): Node | null => {
    const maker = value?.producer ?? null;
    const isInner =
      value != null && value.consumers.size === 1 && value.producer?.graph?.outputs.includes(value) !== true;
    return maker !== null && isInner && maker.is(...types) ? maker : null;
  };
  const softmaxNode = only(node.inputs[0], 'Softmax');
  if (softmaxNode === null) return null;
  const scores = softmaxNode.inputs[0];
  if (!scores) return null;
  const rank = lowering.rank(scores);
  if (lowering.axis(softmaxNode.int('axis', lowering.opset < 13 ? 1 : -1), rank) !== rank - 1) return null;
  let at: Value | null = scores;
  let mask: Value | null = null;
  const sum = only(at, 'Add');
  if (sum !== null) {
    const side = isScores(sum.inputs[0]) ? 0 : 1;
    at = sum.inputs[side] ?? null;
    mask = sum.inputs[1 - side] ?? null;
  }
  let scale = 1;
  const scaled = only(at, 'Mul', 'Div');
  if (scaled !== null) {
    const side = scaled.is('Mul') && scaled.inputs[0]?.tensor ? 0 : 1;
    const factor = scaled.inputs[side]?.tensor;
    if (factor?.size !== 1) return null;
    const number = toNumbers(factor)[0] ?? 1;
    scale = scaled.is('Mul') ? number : 1 / number;
    at = scaled.inputs[1 - side] ?? null;
  }
  const product = only(at, 'MatMul');
  const [query, key] = product?.inputs ?? [];
  return query && key ? { query, key, scale, mask } : null;
}

/** Whether a value comes out of a product of matrices, perhaps scaled. */
function isScores(value: Value | null | undefined): boolean {
  const maker = value?.producer;
  if (maker?.is('MatMul')) return true;
  return maker?.is('Mul', 'Div') === true && maker.inputs.some((input) => input?.producer?.is('MatMul') === true);
}

/** The keys before they were transposed for the product, so that no transposition of a transposition is left. */
function untransposed(value: Value, lowering: Lowering, made: MilValue): MilValue {
  const rank = made.type.shape.length;
  const swap = Array.from({ length: rank }, (_, axis) => axis);
  [swap[rank - 2], swap[rank - 1]] = [rank - 1, rank - 2];
  const maker = value.producer;
  const source = maker?.is('Transpose') ? maker.inputs[0] : null;
  if (!maker || !source) return lowering.transpose(made, swap);
  const perm = maker.ints('perm') ?? swap.map((_, axis) => rank - 1 - axis);
  const composed = swap.map((axis) => perm[axis] ?? axis);
  const x = lowering.value(source);
  return composed.every((axis, index) => axis === index) ? x : lowering.transpose(x, composed);
}

export const ATTENTION: Readonly<Record<string, Lower>> = {
  Attention: attention,
  RotaryEmbedding: rotaryEmbedding(1, 3),
  'com.microsoft:RotaryEmbedding': rotaryEmbedding(2, 1),
  'com.microsoft:MultiHeadAttention': multiHeadAttention,
  'com.microsoft:GroupQueryAttention': groupQueryAttention,
};
