/** ONNX's Attention and RotaryEmbedding, and the pattern that exporters write for attention. */
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
import { concat, expandDims, gather, padConstant } from './builders.ts';
import type { Lower, Lowering } from './lowering.ts';
import { staticDims } from './terms.ts';

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

/** Source: onnx Operators.md, RotaryEmbedding. */
function rotaryEmbedding(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const isFlat = x.type.shape.length === 3;
  const heads = node.int('num_heads', 0);
  const [hidden = 1] = staticDims(x.type.shape.slice(-1), 'the heads');
  const width = node.int('rotary_embedding_dim', 0);
  const cache = lowering.get(node, 1);
  const [half = 1] = staticDims(cache.type.shape.slice(-1), 'the cosines');
  const count = heads > 0 ? heads : isFlat ? hidden / (2 * half) : 1;
  const split = isFlat ? splitHeads(lowering, x, count) : x;
  const [cos, sin] = [1, 2].map((index) => {
    const table = lowering.get(node, index);
    const at = node.inputs[3] ? lowering.get(node, 3) : null;
    return expandDims(lowering, at === null ? table : gather(lowering, table, at, 0), [1]);
  }) as [MilValue, MilValue];
  const turned = rotated(lowering, split, cos, sin, node.int('interleaved', 0) !== 0, width > 0 ? width : 2 * half);
  lowering.result(node, isFlat ? joinHeads(lowering, turned) : turned);
}

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

export const ATTENTION: Readonly<Record<string, Lower>> = { Attention: attention, RotaryEmbedding: rotaryEmbedding };
