/**
 * INT8 weights: weights are stored as int8 with one scale a channel and the model computes in float. A quarter of the size; no
 * range of an activation is needed.
 *
 * Each operator gets the form that ONNX Runtime's CPU provider handles best (1.30, one thread, measured for these notes):
 *
 * - MatMul and Gemm: DequantizeLinear on the weight. The engine fuses it to MatMulNBits with 8 bits, in all opsets from 13 on,
 *   so the weight stays int8 in memory. 1024 x 1024, 1 / 16 / 128 rows: 0.024 / 0.13 / 1.15 ms, float 0.064 / 0.17 / 1.19 ms.
 *   A transposed Gemm does not fuse, so its weight is turned round. Below opset 13 products get the form of convolutions.
 *   The kernel rounds activations to 8 bits by blocks of 32
 *   (`session.qdq_matmulnbits_accuracy_level` is 4 unless set): relative error 0.0053 against 0.0038 of the weights alone.
 *   MatMulNBits written out with blocks of 128 takes 0.024 / 0.11 / 0.79 ms, but is an operator of ONNX Runtime only.
 * - Conv and ConvTranspose: Cast and Mul, which the engine folds to float weights when it loads the model. 128 channels, 3 x 3,
 *   28 x 28: 0.99 ms, float 0.98; with DequantizeLinear 1.21, because a weight that is no constant keeps the blocked layout away.
 * - Gather (embeddings): the rows are gathered as int8 and scaled after, so the table stays int8 in memory. 64 rows of 512:
 *   0.019 ms, float 0.014; DequantizeLinear before the Gather 3.7 ms, as it dequantizes the table at every run; after it, with a
 *   scale a column, 0.041; GatherBlockQuantized 0.24.
 *
 * The scale is the largest magnitude by default: at 8 bits clipping pays only for channels of thousands of weights (2 % less
 * error at 8192 normal ones, none at 512) and its search takes 17 times as long.
 */
import { z } from 'zod';
import { intAttribute } from '../graph/attribute.ts';
import { DTYPES } from '../graph/dtype.ts';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { Tensor } from '../graph/tensor.ts';
import { toFloat32 } from '../graph/tensor-values.ts';
import { tensorType } from '../graph/types.ts';
import type { Value } from '../graph/value.ts';
import { HoneError } from '../protocol/errors.ts';
import { addConstant, allGraphs, Counter, constantsOf, dropIfUnread } from './edit.ts';
import { definePass, type ExpectedKernel, type PassContext, type PassNote } from './pass.ts';
import { refuseQuantized } from './quantization/already-quantized.ts';
import { biasAfter, integerWeight, planProduct, scaledBias } from './quantization/products.ts';
import { channelView, quantizeWeight, relativeError } from './quantization/weights.ts';
import { SHARE_WEIGHTS_DEFAULTS, shareInGraph } from './share-weights.ts';
import { spill } from './spill.ts';

const OPERATORS = ['MatMul', 'Gemm', 'Conv', 'ConvTranspose', 'Gather'] as const;
type Operator = (typeof OPERATORS)[number];

export interface QuantizeWeightsInt8Options {
  /** Operators whose weights become int8. */
  readonly operators: readonly Operator[];
  /** How the scale of a channel is chosen: its largest magnitude, or the least squared error. */
  readonly weightScale: 'max' | 'least-squares';
  /** Weights with fewer elements stay float; 0 or more. */
  readonly minimumWeights: number;
  /** Names of nodes, or operator types, that stay float. */
  readonly exclude: readonly string[];
  /** Quantizes a model that is quantized already. */
  readonly force: boolean;
}

export const QUANTIZE_WEIGHTS_INT8_DEFAULTS: QuantizeWeightsInt8Options = {
  operators: OPERATORS,
  weightScale: 'max',
  minimumWeights: 1024,
  exclude: [],
  force: false,
};

const optionsSchema = z.strictObject({
  operators: z.array(z.enum(OPERATORS)).describe('Operators whose weights become int8.'),
  weightScale: z
    .enum(['max', 'least-squares'])
    .describe('How the scale of a channel is chosen: its largest magnitude, or the least squared error.'),
  minimumWeights: z.int().min(0).describe('Weights with fewer elements stay float.'),
  exclude: z.array(z.string()).describe('Names of nodes, or operator types, that stay float.'),
  force: z.boolean().describe('Quantize a model that is quantized already.'),
});

export const quantizeWeightsInt8 = definePass<QuantizeWeightsInt8Options>(
  {
    id: 'quantize-weights-int8',
    title: 'INT8 weights',
    summary: 'Stores weights as 8-bit integers and computes in float.',
    family: 'quantize',
    lossy: true,
    needs: [],
  },
  QUANTIZE_WEIGHTS_INT8_DEFAULTS,
  optionsSchema,
  async (model, options, context) => {
    refuseQuantized(model, options.force, context.earlier);
    const notes: PassNote[] = [];
    const weights = [...floatWeights(model, options)].filter(([weight, readers]) => {
      const reason = unfit(weight, readers, model, options);
      if (reason !== null) notes.push({ message: `${weight.name} stays float: ${reason}.` });
      return reason === null;
    });
    if (weights.length === 0)
      return { status: 'unchanged', reason: 'No weight is of the kind and size asked for.', notes };
    const counts = new Counter();
    const layers: QuantizedLayer[] = [];
    const fused: { label: string; output: string }[] = [];
    for (const [index, [weight, readers]] of weights.entries()) {
      await context.progress(index, weights.length, `quantizing ${weight.name}`);
      for (const node of readers) {
        if (fuses(model, node)) {
          const made = biasAfter(node.outputs[0] as Value) ?? node.outputs[0];
          fused.push({ label: node.label, output: made?.name ?? '' });
        }
        layers.push(quantizeReader(model, weight, node, options, context));
        counts.add(`${node.opType} weights to INT8`);
      }
      for (const graph of allGraphs(model.graph)) dropIfUnread(graph, weight);
    }
    if (weights.some(([, readers]) => readers.length > 1)) {
      const options = SHARE_WEIGHTS_DEFAULTS;
      for (const graph of allGraphs(model.graph)) await shareInGraph(graph, options, context, new Counter(), []);
    }
    const expects: ExpectedKernel[] = fused.length > 0 ? [{ kernel: 'com.microsoft:MatMulNBits', nodes: fused }] : [];
    return { status: 'changed', counts: counts.counts, notes, expects, details: { quantization: layers } };
  },
);

/** Products whose DequantizeLinear the engine fuses: only ONNX's own, which has an axis from opset 13 on. */
function fuses(model: Model, node: Node): boolean {
  return model.opset >= 13 && node.is('MatMul', 'Gemm');
}

interface QuantizedLayer {
  readonly name: string;
  readonly operator: string;
  readonly shape: readonly number[];
  /** ||W - Q(W)|| / ||W||. */
  readonly error: number;
}

/** Large float constants with the nodes that read them, where at least one of the asked operators does. */
function floatWeights(model: Model, options: QuantizeWeightsInt8Options): Map<Value, Node[]> {
  const constantOf = constantsOf(model);
  const asked = new Set<string>(options.operators);
  const weights = new Map<Value, Node[]>();
  for (const node of model.graph.allNodes()) {
    if (node.domain !== '' || !asked.has(node.opType)) continue;
    const weight = node.inputs[weightInput(node)];
    const tensor = constantOf(weight);
    if (!weight || tensor?.dtype !== 'float32' || tensor.size < options.minimumWeights) continue;
    weights.set(weight, [...weight.consumers]);
  }
  return weights;
}

function weightInput(node: Node): number {
  return node.is('Gather') ? 0 : 1;
}

/** Why a weight cannot become int8 for all its readers, or null: one that stays in float as well would only be stored twice. */
function unfit(
  weight: Value,
  readers: readonly Node[],
  model: Model,
  options: QuantizeWeightsInt8Options,
): string | null {
  const constantOf = constantsOf(model);
  const rank = constantOf(weight)?.shape.length ?? 0;
  const exclude = new Set(options.exclude);
  for (const node of readers) {
    if (node.domain !== '' || !(options.operators as readonly string[]).includes(node.opType))
      return `${node.label} reads it too`;
    if (exclude.has(node.name) || exclude.has(node.opType)) return `${node.label} is excluded`;
    if (node.inputs.indexOf(weight) !== weightInput(node) || node.inputs.lastIndexOf(weight) !== weightInput(node)) {
      return `${node.label} reads it as something else than its weight`;
    }
    if (node.is('Gather') && (rank !== 2 || node.int('axis', 0) !== 0)) return `${node.label} does not take its rows`;
    if (node.is('MatMul', 'Gemm') && node.graph !== null) {
      const plan = planProduct(node.graph, node, constantOf, { minimumWeights: 0, exclude: [] }, exclude);
      if (typeof plan === 'string') return `${node.label}: ${plan}`;
    }
  }
  return null;
}

/** Lets one reader of a weight take it as int8. */
export function quantizeReader(
  model: Model,
  weight: Value,
  node: Node,
  options: QuantizeWeightsInt8Options,
  context: PassContext,
): QuantizedLayer {
  const { graph } = node;
  const tensor = constantsOf(model)(weight);
  if (graph === null || tensor === null) throw new HoneError('internal', `${weight.name} is no constant of a graph.`);
  const store = (codes: Int8Array, shape: readonly number[]): Value =>
    graph.addInitializer(
      graph.uniqueName(`${weight.name}_int8`),
      new Tensor({ dtype: 'int8', shape, data: spill(context.scratch, codes) }),
    );
  const error = fuses(model, node)
    ? dequantizeForProduct(model, graph, node, weight, options, store)
    : scaleInFloat(graph, node, weight, tensor, options, store);
  return { name: node.label, operator: node.opType, shape: tensor.shape, error };
}

type Store = (codes: Int8Array, shape: readonly number[]) => Value;

/** DequantizeLinear with a scale a column, in the layout that fuses. Returns the relative error of the weight. */
function dequantizeForProduct(
  model: Model,
  graph: Graph,
  node: Node,
  weight: Value,
  options: QuantizeWeightsInt8Options,
  store: Store,
): number {
  const plan = planProduct(graph, node, constantsOf(model), { minimumWeights: 0, exclude: [] }, new Set());
  if (typeof plan === 'string') throw new HoneError('internal', `${node.label}: ${plan}.`);
  const { codes, scales, shape, error } = integerWeight(plan, { scale: options.weightScale, pairSafe: false });
  const columns = [scales.length];
  const restored = graph.createValue(`${weight.name}_dequantized`, tensorType('float32', shape));
  graph.addNode({
    opType: 'DequantizeLinear',
    name: `${weight.name}_DequantizeLinear`,
    inputs: [
      store(codes, shape),
      addConstant(graph, `${weight.name}_scale`, 'float32', columns, scales),
      addConstant(graph, `${weight.name}_zero_point`, 'int8', columns, new Int8Array(scales.length)),
    ],
    outputs: [restored],
    attributes: [['axis', intAttribute(1)]],
  });
  const bias = scaledBias(graph, plan);
  node.setInput(1, restored);
  // The scales hold alpha now, the codes stand transposed, and the bias is multiplied.
  for (const name of ['alpha', 'beta', 'transB']) node.attributes.delete(name);
  if (bias !== null) node.setInput(2, bias);
  return error;
}

/** Cast and Mul with a scale a channel: before a convolution, where the engine folds them, or behind a Gather. */
function scaleInFloat(
  graph: Graph,
  node: Node,
  weight: Value,
  tensor: Tensor,
  options: QuantizeWeightsInt8Options,
  store: Store,
): number {
  // By the first axis: rows of a table, outputs of a Conv, inputs of a ConvTranspose. In float any of them serves.
  const source = toFloat32(tensor);
  const view = channelView(tensor.shape, 0, true);
  const quantized = quantizeWeight(source, view, { scale: options.weightScale, pairSafe: false });
  const codes = store(quantized.codes, tensor.shape);
  const scaleShape = tensor.shape.map((dim, index) => (index === 0 ? dim : 1));
  const scale = addConstant(graph, `${weight.name}_scale`, 'float32', scaleShape, quantized.scales);
  if (node.is('Gather')) {
    const output = node.outputs[0] ?? null;
    const indices = node.inputs[1] ?? null;
    const name = node.name !== '' ? node.name : (output?.name ?? weight.name);
    const rows = graph.createValue(`${name}_rows`);
    const scales = graph.createValue(`${name}_scales`);
    node.setOutput(0, rows);
    node.setInput(0, codes);
    graph.addNode({ opType: 'Gather', name: `${name}_scales`, inputs: [scale, indices], outputs: [scales] });
    multiply(graph, name, rows, scales, output);
  } else {
    node.setInput(1, multiply(graph, weight.name, codes, scale, null));
  }
  return relativeError(source, quantized, view);
}

/** codes as float32, times the scale; into `output` when given. */
function multiply(graph: Graph, name: string, codes: Value, scale: Value, output: Value | null): Value {
  const floats = graph.createValue(`${name}_float`, tensorType('float32', null));
  const product = output ?? graph.createValue(`${name}_scaled`, tensorType('float32', null));
  const to = intAttribute(DTYPES.float32.code);
  graph.addNode({ opType: 'Cast', name: `${name}_Cast`, inputs: [codes], outputs: [floats], attributes: [['to', to]] });
  graph.addNode({ opType: 'Mul', name: `${name}_Mul`, inputs: [floats, scale], outputs: [product] });
  return product;
}
