/** Forms of ONNX Runtime's own operators that are written out, for the tests of that and of each writer. */
import { floatAttribute, floatsAttribute, stringAttribute } from '../../native-workers/graph/attribute.ts';
import { type FusedCase, ints, type Operand, w, x } from './fused.ts';

const text = stringAttribute;

export const FUSED: readonly (readonly [string, FusedCase])[] = [
  ['BiasGelu', { type: 'BiasGelu', operands: [x(2, 3, 4), w(4)] }],
  ['FastGelu with a bias', { type: 'FastGelu', operands: [x(2, 3, 4), w(4)] }],
  [
    'SkipLayerNormalization',
    {
      type: 'SkipLayerNormalization',
      operands: [x(2, 3, 8), x(2, 3, 8), w(8), w(8), w(8)],
      outputs: [0, 3],
      attributes: { epsilon: floatAttribute(1e-5) },
    },
  ],
  ['SkipLayerNormalization, little', { type: 'SkipLayerNormalization', operands: [x(2, 3, 8), x(3, 8), w(8)] }],
  [
    'SkipSimplifiedLayerNormalization',
    { type: 'SkipSimplifiedLayerNormalization', operands: [x(2, 3, 8), x(2, 3, 8), w(8), w(8)], outputs: [0, 3] },
  ],
  [
    'EmbedLayerNormalization',
    {
      type: 'EmbedLayerNormalization',
      operands: [ints([2, 3], 0, 4, 2, 3, 1, 0), ints([2, 3], 0, 0, 1, 0, 1, 1), w(5, 8), w(6, 8), w(2, 8), w(8), w(8)],
      outputs: [0, 2],
    },
  ],
  [
    'EmbedLayerNormalization at places',
    {
      type: 'EmbedLayerNormalization',
      operands: [ints([1, 3], 0, 4, 2), null, w(5, 8), w(6, 8), null, w(8), w(8), null, ints([1, 3], 5, 1, 0)],
      outputs: [0, 2],
    },
  ],
  [
    'FusedMatMul',
    {
      type: 'FusedMatMul',
      operands: [x(2, 4, 3), x(2, 5, 4)],
      attributes: { transA: 1, transB: 1, alpha: floatAttribute(0.25) },
    },
  ],
  [
    'FusedConv with a sum',
    {
      type: 'FusedConv',
      operands: [x(1, 2, 5, 5), w(3, 2, 3, 3), w(3), x(1, 3, 3, 3)],
      attributes: { activation: text('Relu') },
    },
  ],
  [
    'FusedConv that clips',
    {
      type: 'FusedConv',
      operands: [x(1, 2, 5, 5), w(3, 2, 3, 3)],
      attributes: { pads: [1, 1, 1, 1], activation: text('Clip'), activation_params: floatsAttribute([-0.5, 1]) },
    },
  ],
  [
    'FusedGemm',
    {
      type: 'FusedGemm',
      operands: [x(2, 4), w(3, 4), w(3)],
      attributes: { transB: 1, activation: text('LeakyRelu'), activation_alpha: floatAttribute(0.2) },
    },
  ],
];

const qkv = (batch: number, length: number, width: number): Operand[] =>
  Array.from({ length: 3 }, () => x(batch, length, width));
const table = w(16, 4);
export const ATTENTION: readonly (readonly [string, FusedCase])[] = [
  ['projected', { type: 'Attention', operands: [x(2, 3, 8), w(8, 24), w(24)], attributes: { num_heads: 2 } }],
  [
    'projected, causal, with a cache',
    {
      type: 'Attention',
      operands: [x(2, 3, 8), w(8, 24), w(24), null, x(2, 2, 2, 5, 4)],
      attributes: { num_heads: 2, unidirectional: 1 },
      outputs: [0, 1],
    },
  ],
  [
    'projected to other widths, with lengths',
    {
      type: 'Attention',
      operands: [x(2, 3, 8), w(8, 28), w(28), ints([2], 2, 3)],
      attributes: { num_heads: 2, qkv_hidden_sizes: [8, 8, 12] },
    },
  ],
  [
    'with ends and starts',
    {
      type: 'Attention',
      operands: [x(2, 4, 8), w(8, 24), w(24), ints([4], 4, 3, 1, 0)],
      attributes: { num_heads: 2 },
    },
  ],
  [
    'with a mask of keys and a bias',
    {
      type: 'Attention',
      operands: [x(2, 3, 8), w(8, 24), w(24), ints([2, 3], 1, 1, 0, 1, 1, 1), null, x(2, 2, 3, 3)],
      attributes: { num_heads: 2, scale: floatAttribute(0.3) },
    },
  ],
  [
    'with a mask of queries and keys',
    {
      type: 'Attention',
      operands: [x(1, 2, 8), w(8, 24), w(24), ints([1, 2, 2], 1, 0, 1, 1)],
      attributes: { num_heads: 2 },
    },
  ],
  [
    'of several heads',
    {
      type: 'MultiHeadAttention',
      operands: [...qkv(2, 4, 8), w(24), ints([2], 4, 2), w(1, 2, 4, 4)],
      attributes: { num_heads: 2 },
    },
  ],
  [
    'of several heads with a cache',
    {
      type: 'MultiHeadAttention',
      operands: [...qkv(2, 3, 8), null, null, null, x(2, 2, 5, 4), x(2, 2, 5, 4)],
      attributes: { num_heads: 2, unidirectional: 1 },
      outputs: [0, 1, 2],
    },
  ],
  [
    'across, keys as heads',
    {
      type: 'MultiHeadAttention',
      operands: [x(2, 3, 8), x(2, 2, 6, 4), x(2, 2, 6, 4)],
      attributes: { num_heads: 2 },
    },
  ],
  [
    'with a mask of keys, where none is left',
    {
      type: 'MultiHeadAttention',
      operands: [...qkv(2, 3, 8), null, ints([2, 3], 1, 1, 0, 0, 0, 0)],
      attributes: { num_heads: 2 },
    },
  ],
  [
    'rotary',
    {
      type: 'RotaryEmbedding',
      operands: [x(2, 3, 24), { shape: [2, 3], ints: [0, 1, 2, 5, 6, 7], dtype: 'int64' }, table, table],
    },
  ],
  [
    'rotary from a start, interleaved',
    {
      type: 'RotaryEmbedding',
      operands: [x(2, 2, 3, 8), { shape: [1], ints: [4], dtype: 'int64' }, table, table],
      attributes: { interleaved: 1 },
    },
  ],
  [
    'rotary of a part of a head',
    {
      type: 'RotaryEmbedding',
      operands: [x(1, 3, 24), { shape: [1], ints: [0], dtype: 'int64' }, table, table],
      attributes: { num_heads: 2, rotary_embedding_dim: 8 },
    },
  ],
];

const turns = w(16, 8);
const grouped = { num_heads: 4, kv_num_heads: 2 };
const prompt = [x(1, 6, 64), x(1, 6, 32), x(1, 6, 32)];
export const GROUPED: readonly (readonly [string, FusedCase])[] = [
  [
    'a prompt',
    {
      type: 'GroupQueryAttention',
      operands: [...prompt, null, null, ints([1, 1], 5), ints([], 6)],
      attributes: grouped,
    },
  ],
  [
    'a prompt, turned, its cache',
    {
      type: 'GroupQueryAttention',
      operands: [...prompt, null, null, ints([1, 1], 5), ints([], 6), turns, turns],
      attributes: { ...grouped, do_rotary: 1 },
      outputs: [0, 1, 2],
    },
  ],
  [
    'a packed prompt, interleaved',
    {
      type: 'GroupQueryAttention',
      operands: [x(1, 5, 128), null, null, null, null, ints([1, 1], 4), ints([], 5), turns, turns],
      attributes: { ...grouped, do_rotary: 1, rotary_interleaved: 1 },
      outputs: [0, 1, 2],
    },
  ],
  [
    'a window and a cap',
    {
      type: 'GroupQueryAttention',
      operands: [...prompt, null, null, ints([1, 1], 5), ints([], 6)],
      attributes: { ...grouped, local_window_size: 2, softcap: floatAttribute(0.7) },
    },
  ],
  [
    'a cache that grows',
    {
      type: 'GroupQueryAttention',
      operands: [
        x(1, 1, 64),
        x(1, 1, 32),
        x(1, 1, 32),
        x(1, 2, 5, 16),
        x(1, 2, 5, 16),
        ints([1, 1], 5),
        { weight: [], ints: [6] },
        turns,
        turns,
      ],
      attributes: { ...grouped, do_rotary: 1 },
      outputs: [0, 1, 2],
    },
  ],
  [
    'a cache of fixed length',
    {
      type: 'GroupQueryAttention',
      operands: [
        x(1, 1, 64),
        x(1, 1, 32),
        x(1, 1, 32),
        x(1, 2, 9, 16),
        x(1, 2, 9, 16),
        ints([1, 1], 5),
        ints([], 6),
        turns,
        turns,
      ],
      attributes: { ...grouped, do_rotary: 1 },
      outputs: [0, 1, 2],
      present: [1, 2, 9, 16],
    },
  ],
  [
    'a cache of fixed length for two sequences',
    {
      type: 'GroupQueryAttention',
      operands: [
        x(2, 1, 64),
        x(2, 1, 32),
        x(2, 1, 32),
        x(2, 2, 9, 16),
        x(2, 2, 9, 16),
        ints([2, 1], 5, 3),
        { weight: [], ints: [6] },
        turns,
        turns,
      ],
      attributes: { ...grouped, do_rotary: 1 },
      outputs: [0, 1, 2],
    },
  ],
];
