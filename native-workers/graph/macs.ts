/**
 * Multiply-accumulates of operators, from the shapes of their values. Counted is what multiplies matrices or kernels;
 * elementwise work, pooling and normalisation are left out, as in the usual figures of papers. Operator definitions:
 * onnx/docs/Operators.md, and microsoft/onnxruntime docs/ContribOperators.md for `com.microsoft`.
 */
import type { Graph } from './graph.ts';
import type { Node } from './node.ts';
import type { Value } from './value.ts';

type Shape = readonly number[];

/** The shape of a value as numbers; null when it is not known. */
export type ShapeOf = (value: Value) => Shape | null;

export interface MacCount {
  /** Multiply-accumulates of one run; null when a shape is missing. */
  readonly macs: number | null;
  /** The first node whose shapes are missing. */
  readonly unknown: Node | null;
  /** By node, those that do any, of this graph and of its subgraphs. */
  readonly byNode: ReadonlyMap<Node, number>;
  /** A loop whose length only a run can tell: its body is counted once. */
  readonly loop: Node | null;
}

/** Counts one run: the larger branch of an If, the body of a Scan as often as it runs, the body of a Loop once. */
export function countMacs(graph: Graph, shapeOf: ShapeOf): MacCount {
  const byNode = new Map<Node, number>();
  const found: { unknown: Node | null; loop: Node | null } = { unknown: null, loop: null };
  const count = (inner: Graph): number => {
    let total = 0;
    for (const node of inner.nodes) {
      const own = nodeMacs(node, shapeOf);
      if (own === null) found.unknown ??= node;
      else if (own > 0) byNode.set(node, own);
      const bodies = [...node.subgraphs()].map(count);
      const times = node.is('Scan') ? scanLength(node, shapeOf) : 1;
      const inside = times * Math.max(0, ...bodies);
      if (node.is('Loop') && inside > 0) found.loop ??= node;
      total += (own ?? 0) + inside;
    }
    return total;
  };
  const macs = count(graph);
  return { macs: found.unknown === null ? macs : null, byNode, ...found };
}

/** Multiply-accumulates of one node without its subgraphs: 0 for operators that do none, null when a shape is missing. */
export function nodeMacs(node: Node, shapeOf: ShapeOf): number | null {
  const rule = RULES[node.opType];
  if (rule === undefined) return 0;
  const input = (index: number): Shape | null => {
    const value = node.inputs[index];
    return value === null || value === undefined ? null : shapeOf(value);
  };
  const first = node.outputs[0];
  const output = first === null || first === undefined ? null : shapeOf(first);
  const macs = rule({ node, input, output });
  return macs === null || !Number.isFinite(macs) ? null : macs;
}

interface Shapes {
  readonly node: Node;
  input(index: number): Shape | null;
  /** Of the first output. */
  readonly output: Shape | null;
}
type Rule = (shapes: Shapes) => number | null;

const product = (shape: Shape): number => shape.reduce((all, dim) => all * dim, 1);

/** Each output element takes one kernel: weight [M, C/group, k...]. */
const convolution =
  (weight: number): Rule =>
  ({ input, output }) => {
    const kernel = input(weight);
    return kernel === null || output === null ? null : product(output) * product(kernel.slice(1));
  };

/** Each input element is spread by one kernel: weight [C, M/group, k...]. */
const transposedConvolution: Rule = ({ input }) => {
  const [data, kernel] = [input(0), input(1)];
  return kernel === null || data === null ? null : product(data) * product(kernel.slice(1));
};

/** Each output element is a sum over the columns of A, or its rows where A is transposed. */
const matrixProduct: Rule = ({ node, input, output }) => {
  const a = input(0);
  if (a === null || output === null) return null;
  const axis = node.int('transA', 0) === 1 && a.length > 1 ? -2 : -1;
  return product(output) * (a.at(axis) ?? 1);
};

/** Weights packed by blocks: the sizes are attributes. */
const packedMatrix: Rule = ({ node, input }) => {
  const a = input(0);
  return a === null ? null : product(a) * node.int('N', 0);
};

/** Input [B, S, D] times weight [D, E], then scores and their product with V, for every pair of positions. */
const fusedAttention: Rule = ({ input, output }) => {
  const [data, weight] = [input(0), input(1)];
  if (data === null || weight === null || output === null) return null;
  const [batch = 1, length = 1] = data;
  return product(data) * (weight.at(-1) ?? 1) + 2 * batch * length * length * (output.at(-1) ?? 1);
};

/** Query, key, value, with the cache of earlier keys at `past`. Query [B, S, H·d], or [B, H, S, d]. */
const attention =
  (past: number): Rule =>
  ({ input, output }) => {
    const [query, key, earlier] = [input(0), input(1), input(past)];
    if (query === null || output === null) return null;
    const cached = earlier?.at(-2) ?? 0;
    // A packed query holds key and value too; then the key has the query's length.
    const keys = (key?.at(key.length === 4 ? -2 : 1) ?? query.at(1) ?? 1) + cached;
    return (product(output) + product(key === null ? output : query)) * keys;
  };

/** Each step multiplies the input with W and the state with R, for each sequence of the batch. */
const recurrent: Rule = ({ input }) => {
  const [data, weight, recurrence] = [input(0), input(1), input(2)];
  if (data === null || weight === null || recurrence === null) return null;
  return product(data.slice(0, 2)) * (product(weight) + product(recurrence));
};

/** All operands at once: the product of the sizes of all labels, as einsum's plain definition computes it. */
const einsum: Rule = ({ node, input }) => {
  const [terms = ''] = node.string('equation', '').replaceAll(' ', '').split('->');
  const operands = terms.split(',');
  if (operands.length < 2) return 0;
  const sizes = new Map<string, number>();
  for (const [index, term] of operands.entries()) {
    const shape = input(index);
    if (shape === null) return null;
    const [before = '', after = ''] = term.split('...');
    const labels = term.includes('...')
      ? [
          ...before,
          ...shape.slice(0, shape.length - before.length - after.length).map((_, axis) => `...${axis}`),
          ...after,
        ]
      : [...term];
    labels.forEach((label, axis) => {
      sizes.set(label, Math.max(sizes.get(label) ?? 1, shape[axis] ?? 1));
    });
  }
  return product([...sizes.values()]);
};

/** By operator type, whatever the domain: the names do not clash, but for the two Attentions. */
const RULES: Readonly<Record<string, Rule>> = {
  Conv: convolution(1),
  FusedConv: convolution(1),
  NhwcFusedConv: convolution(1),
  ConvInteger: convolution(1),
  DeformConv: convolution(1),
  QLinearConv: convolution(3),
  ConvTranspose: transposedConvolution,
  ConvTransposeWithDynamicPads: transposedConvolution,
  Gemm: matrixProduct,
  FusedGemm: matrixProduct,
  QGemm: matrixProduct,
  GemmFastGelu: matrixProduct,
  GemmFloat8: matrixProduct,
  MatMul: matrixProduct,
  FusedMatMul: matrixProduct,
  TransposeMatMul: matrixProduct,
  MatMulInteger: matrixProduct,
  MatMulIntegerToFloat: matrixProduct,
  DynamicQuantizeMatMul: matrixProduct,
  QLinearMatMul: matrixProduct,
  MatMulNBits: packedMatrix,
  MatMulBnb4: packedMatrix,
  MatMulFpQ4: packedMatrix,
  Attention: (shapes) => (shapes.node.domain === 'com.microsoft' ? fusedAttention(shapes) : attention(4)(shapes)),
  QAttention: fusedAttention,
  MultiHeadAttention: attention(6),
  GroupQueryAttention: attention(3),
  LSTM: recurrent,
  GRU: recurrent,
  RNN: recurrent,
  DynamicQuantizeLSTM: recurrent,
  Einsum: einsum,
};

/** How often the body of a Scan runs: the length of its first scanned input along its axis. */
function scanLength(node: Node, shapeOf: ShapeOf): number {
  const scanned = node.int('num_scan_inputs', 1);
  const value = node.inputs[node.inputs.length - scanned];
  const shape = value === null || value === undefined ? null : shapeOf(value);
  return shape?.at(node.ints('scan_input_axes')?.[0] ?? 0) ?? 1;
}
