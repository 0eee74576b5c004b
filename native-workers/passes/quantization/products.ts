/**
 * Matrix products with a constant weight, MatMul and Gemm alike: which of them can be quantized, their weight in int8, and
 * where their bias is. Used by the passes that quantize products.
 */
import type { Graph } from '../../graph/graph.ts';
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { toFloat32 } from '../../graph/tensor-values.ts';
import type { Value } from '../../graph/value.ts';
import { addConstant, allGraphs, type ConstantOf, constantsOf } from '../edit.ts';
import type { PassNote } from '../pass.ts';
import { channelView, quantizeWeight, relativeError, type WeightOptions } from './weights.ts';

export interface ProductOptions {
  /** Weights with fewer elements stay float. */
  readonly minimumWeights: number;
  /** Names of nodes, or operator types, that stay float. */
  readonly exclude: readonly string[];
}

/** A product that will run on integers. */
export interface ProductPlan {
  readonly node: Node;
  readonly graph: Graph;
  readonly input: Value;
  readonly weight: Tensor;
  /** Whether the weight stands as [columns, rows] in the file, as Gemm's transB allows. */
  readonly transposed: boolean;
  /** Factor of the whole product: Gemm's alpha. */
  readonly alpha: number;
  /** What is added, as the second input of an Add, and the node that added it before. */
  readonly bias: Value | null;
  /** The factor of the bias: Gemm's beta. */
  readonly beta: number;
  readonly output: Value;
}

/** The products to quantize; every one that is left float is noted with its reason, those of two activations by number. */
export function planProducts(model: Model, options: ProductOptions, notes: PassNote[]): ProductPlan[] {
  const constantOf = constantsOf(model);
  const exclude = new Set(options.exclude);
  const plans: ProductPlan[] = [];
  let activations = 0;
  for (const graph of allGraphs(model.graph)) {
    for (const node of graph.nodes) {
      if (!node.is('MatMul', 'Gemm')) continue;
      if (constantOf(node.inputs[0]) === null && constantOf(node.inputs[1]) === null) {
        activations++;
        continue;
      }
      const plan = planProduct(graph, node, constantOf, options, exclude);
      if (typeof plan === 'string') notes.push({ message: `Stays float: ${plan}.`, node: node.label });
      else plans.push(plan);
    }
  }
  if (activations > 0) notes.push({ message: `${activations} products of two activations stay float.` });
  return plans;
}

/** The plan for one MatMul or Gemm, or why it stays float. */
export function planProduct(
  graph: Graph,
  node: Node,
  constantOf: ConstantOf,
  options: ProductOptions,
  exclude: ReadonlySet<string>,
): ProductPlan | string {
  if (exclude.has(node.name) || exclude.has(node.opType)) return 'it is excluded';
  const input = node.inputs[0];
  const output = node.outputs[0];
  const weight = constantOf(node.inputs[1]);
  if (!input || !output || weight === null) return 'its constant is the left side';
  if (constantOf(input) !== null) return 'both sides are constant';
  if (weight.dtype !== 'float32') return `its weight is ${weight.dtype}`;
  if (weight.shape.length !== 2) return `its weight has the shape [${weight.shape.join(', ')}]`;
  if (weight.size < options.minimumWeights) return `its weight has only ${weight.size} elements`;
  if (node.int('transA', 0) !== 0) return 'it transposes its input';
  const gemm = node.is('Gemm');
  const beta = gemm ? node.float('beta', 1) : 1;
  const bias = gemm ? (node.inputs[2] ?? null) : null;
  if (bias !== null && beta !== 1 && constantOf(bias)?.dtype !== 'float32')
    return 'its bias is no constant and has a factor';
  return {
    node,
    graph,
    input,
    weight,
    transposed: gemm && node.int('transB', 0) !== 0,
    alpha: gemm ? node.float('alpha', 1) : 1,
    bias,
    beta,
    output,
  };
}

export interface IntegerWeight {
  /** In the layout [rows, columns]. */
  readonly codes: Int8Array;
  readonly scales: Float32Array;
  readonly shape: readonly number[];
  /** ||W - Q(W)|| / ||W||. */
  readonly error: number;
}

/** The weight in int8 with a scale a column, which takes in the factor of the product. */
export function integerWeight({ weight, transposed, alpha }: ProductPlan, options: WeightOptions): IntegerWeight {
  const [first = 1, second = 1] = weight.shape;
  const source = toFloat32(weight);
  const view = channelView(weight.shape, transposed ? 0 : 1, true);
  const quantized = quantizeWeight(source, view, options);
  return {
    codes: transposed ? transpose(quantized.codes, first, second) : quantized.codes,
    scales: alpha === 1 ? quantized.scales : quantized.scales.map((scale) => scale * alpha),
    shape: transposed ? [second, first] : weight.shape,
    error: relativeError(source, quantized, view),
  };
}

function transpose(codes: Int8Array, rows: number, columns: number): Int8Array {
  const result = new Int8Array(codes.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = codes[row * columns + column] as number;
  }
  return result;
}

/** The bias times Gemm's beta. */
export function scaledBias(graph: Graph, { bias, beta }: ProductPlan): Value | null {
  if (bias?.tensor == null || beta === 1) return bias;
  const values = toFloat32(bias.tensor).map((value) => value * beta);
  return addConstant(graph, `${bias.name}_scaled`, 'float32', bias.tensor.shape, values);
}

/** Exporters write Add(bias, product) as often as the other way round; the engine fuses only the latter. */
export function putBiasSecond(product: Value): void {
  const [reader] = product.consumers;
  if (product.consumers.size !== 1 || !reader?.is('Add')) return;
  const [left, right] = reader.inputs;
  if (right !== product || left?.tensor == null) return;
  reader.setInput(1, left);
  reader.setInput(0, product);
}

/** The output of the Add that the engine takes into the product's kernel, when there is one (its `CheckBiasShape`). */
export function biasAfter(product: Value): Value | null {
  const [reader] = product.consumers;
  if (product.consumers.size !== 1 || !reader?.is('Add') || reader.inputs[0] !== product) return null;
  const shape = reader.inputs[1]?.tensor?.shape;
  if (shape === undefined || (shape.at(-1) ?? 1) <= 1 || shape.slice(0, -1).some((dim) => dim !== 1)) return null;
  return reader.outputs[0] ?? null;
}
