/** Attention as matrix products and a softmax. Source: the function body of ONNX's Attention, opset 23. */
import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
import type { Lowering } from './lowering.ts';
import type { Lower } from './registry.ts';
import { Refusal } from './terms.ts';

export const ATTENTION_LOWERINGS: Readonly<Record<string, Lower>> = {
  Attention: attention,
  RotaryEmbedding: rotaryEmbedding,
};

/** Far below any score; the infinity of a mask made by subtraction would give NaN in rows without any key. */
const MASKED = -1e30;

function attention(node: Node, lowering: Lowering): void {
  const isFlat = lowering.read(node, 0).shape.length === 3;
  const queryHeads = node.int('q_num_heads', 0);
  const keyHeads = node.int('kv_num_heads', queryHeads);
  const heads = (index: number, count: number): TflTensor => {
    const x = lowering.read(node, index);
    if (!isFlat) return x;
    const [batch = 1, length = 1, width = 1] = x.shape;
    return lowering.transpose(lowering.reshape(x, [batch, length, count, width / count]), [0, 2, 1, 3]);
  };
  const query = heads(0, queryHeads);
  let key = heads(1, keyHeads);
  let value = heads(2, keyHeads);
  if (lowering.optional(node, 6) !== null) throw new Refusal('lengths of the keys as an input');
  const hasPast = lowering.optional(node, 4) !== null;
  if (hasPast) {
    key = lowering.concat([lowering.read(node, 4), key], 2);
    value = lowering.concat([lowering.read(node, 5), value], 2);
  }
  if (node.outputs[1]) lowering.define(node.outputs[1], key);
  if (node.outputs[2]) lowering.define(node.outputs[2], value);
  const [, count = 1, rows = 1, width = 1] = query.shape;
  const repeated = (x: TflTensor): TflTensor => repeatHeads(lowering, x, count);
  const scale = node.float('scale', 1 / Math.sqrt(width));
  const scores = lowering.mul(lowering.matmul(query, repeated(key), { adjY: true }), scale);
  const columns = scores.shape[3] ?? 1;
  let masked = scores;
  if (lowering.optional(node, 3) !== null) masked = addMask(lowering, masked, lowering.read(node, 3));
  if (node.int('is_causal', 0) === 1) {
    if (hasPast) throw new Refusal('a causal mask with a past');
    const mask = Array.from({ length: rows * columns }, (_, at) =>
      at % columns > Math.floor(at / columns) ? MASKED : 0,
    );
    masked = lowering.add(masked, lowering.constant('float32', mask, [rows, columns]));
  }
  const cap = node.float('softcap', 0);
  const capped = cap === 0 ? masked : lowering.mul(lowering.unary('TANH', lowering.mul(masked, 1 / cap)), cap);
  const weights = lowering.unary('SOFTMAX', capped, { beta: 1 });
  if (node.outputs[3]) {
    const stages = [scores, masked, capped, weights];
    const mode = node.int('qk_matmul_output_mode', 0);
    if (mode === 1 && masked !== scores) throw new Refusal('masked scores as an output');
    lowering.define(node.outputs[3], stages[mode] ?? scores);
  }
  const mixed = lowering.matmul(weights, repeated(value));
  if (!isFlat) {
    lowering.result(node, mixed);
    return;
  }
  const [batch = 1, , , depth = 1] = mixed.shape;
  lowering.result(node, lowering.reshape(lowering.transpose(mixed, [0, 2, 1, 3]), [batch, rows, count * depth]));
}

/** Each head of keys serves several heads of queries. */
function repeatHeads(lowering: Lowering, x: TflTensor, count: number): TflTensor {
  const [batch = 1, heads = 1, length = 1, width = 1] = x.shape;
  if (heads === count) return x;
  const apart = lowering.reshape(x, [batch, heads, 1, length * width]);
  const wide = lowering.broadcastTo(apart, [batch, heads, count / heads, length * width]);
  return lowering.reshape(wide, [batch, count, length, width]);
}

function addMask(lowering: Lowering, scores: TflTensor, mask: TflTensor): TflTensor {
  const columns = scores.shape[3] ?? 1;
  if ((mask.shape.at(-1) ?? 1) !== columns && (mask.shape.at(-1) ?? 1) !== 1)
    throw new Refusal('a mask shorter than the keys');
  if (mask.dtype !== 'bool') return lowering.add(scores, mask);
  const hidden = lowering.mul(lowering.sub(lowering.scalar(1), lowering.cast(mask, 'float32')), MASKED);
  return lowering.add(scores, hidden);
}

/** Rotates pairs of each head: halves against each other, or neighbours where they are interleaved. */
function rotaryEmbedding(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const isFlat = x.shape.length === 3;
  const heads = node.int('num_heads', 0);
  const [batch = 1] = x.shape;
  const [length, count, width] = isFlat
    ? [x.shape[1] ?? 1, heads, (x.shape[2] ?? 1) / heads]
    : [x.shape[2] ?? 1, x.shape[1] ?? 1, x.shape[3] ?? 1];
  // [batch, length, heads, width]
  const y = isFlat ? lowering.reshape(x, [batch, length, count, width]) : lowering.transpose(x, [0, 2, 1, 3]);
  const rotated = node.int('rotary_embedding_dim', 0) || width;
  const half = rotated / 2;
  const table = (index: number): TflTensor => {
    const cache = lowering.read(node, index);
    const positions = lowering.optional(node, 3);
    const rows = positions === null ? cache : lowering.gather(cache, lowering.tensor(positions), 0);
    return lowering.reshape(rows, [rows.shape[0] ?? 1, rows.shape[1] ?? 1, 1, half]);
  };
  const [cosines, sines] = [table(1), table(2)];
  const isInterleaved = node.int('interleaved', 0) === 1;
  const part = (which: number): TflTensor => {
    if (!isInterleaved) return lowering.slice(y, [0, 0, 0, which * half], [batch, length, count, half]);
    const indices = Array.from({ length: half }, (_, at) => 2 * at + which);
    return lowering.gather(y, lowering.int32(indices), 3);
  };
  const [first, second] = [part(0), part(1)];
  const real = lowering.sub(lowering.mul(cosines, first), lowering.mul(sines, second));
  const imaginary = lowering.add(lowering.mul(sines, first), lowering.mul(cosines, second));
  const pairs = isInterleaved
    ? lowering.reshape(
        lowering.concat(
          [real, imaginary].map((each) => lowering.reshape(each, [batch, length, count, half, 1])),
          4,
        ),
        [batch, length, count, rotated],
      )
    : lowering.concat([real, imaginary], 3);
  const rest = width - rotated;
  const whole =
    rest === 0
      ? pairs
      : lowering.concat([pairs, lowering.slice(y, [0, 0, 0, rotated], [batch, length, count, rest])], 3);
  lowering.result(node, isFlat ? lowering.reshape(whole, x.shape) : lowering.transpose(whole, [0, 2, 1, 3]));
}
