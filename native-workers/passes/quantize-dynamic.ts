/**
 * Dynamic INT8: matrix products run on 8-bit integers. Weights become int8 with one scale a column; activations become uint8
 * while the model runs, with the range of each input as it comes. No calibration data is needed, and a transformer loses less
 * than with static ranges: BERT keeps 99.8 % of its F1 at twice the speed (compression.md 2.7).
 *
 * The graph gets ONNX's own operators in the form that ONNX Runtime fuses (dynamic_quantize_matmul_fusion.cc,
 * matmul_integer_to_float.cc):
 *
 *   X -> DynamicQuantizeLinear -> MatMulInteger(codes, W) -> Cast -> Mul(scale of X * scales of W) -> Add(bias)
 *
 * One reader of the codes: the whole becomes DynamicQuantizeMatMul. Several (query, key and value read the same input): the
 * input is quantized once and each becomes MatMulIntegerToFloat.
 *
 * Notes
 * - Convolutions are left out: ConvInteger has no fused form on CPUs and loses to float (compression.md 1.1).
 * - Products of two activations (attention scores) are left out: both sides would be quantized at every run.
 * - The bias stands second in its Add because the fusion looks only there.
 * - Small weights stay float. A product of K = N with one row and with 64, in microseconds, float against INT8: 64: 0.5 / 1.0
 *   and 2.6 / 2.5; 96: 0.8 / 1.0 and 5.3 / 3.3; 128: 1.1 / 1.0 and 9.0 / 5.0; 192: 2.1 / 1.2 and 20 / 8.7. So 4096 elements.
 * - Attention nodes of ONNX Runtime, as its own optimiser writes them, become QAttention.
 * - com.microsoft.DynamicQuantizeMatMul itself is written only below opset 11, which has no DynamicQuantizeLinear: other
 *   runtimes and providers do not know it.
 */
import { z } from 'zod';
import { intAttribute } from '../graph/attribute.ts';
import { DTYPES } from '../graph/dtype.ts';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { Tensor } from '../graph/tensor.ts';
import { tensorType } from '../graph/types.ts';
import type { Value } from '../graph/value.ts';
import { HoneError } from '../protocol/errors.ts';
import { addConstant, allGraphs, Counter, constantsOf, dropIfUnread } from './edit.ts';
import { definePass, type ExpectedKernel, type PassContext, type PassNote } from './pass.ts';
import { refuseQuantized } from './quantization/already-quantized.ts';
import { attentionUnfit, isAttention, quantizeAttention } from './quantization/attention.ts';
import {
  biasAfter,
  integerWeight,
  type ProductPlan,
  planProducts,
  putBiasSecond,
  scaledBias,
} from './quantization/products.ts';
import { spill } from './spill.ts';

const DYNAMIC_PRODUCT = 'com.microsoft:DynamicQuantizeMatMul';
const SHARED_PRODUCT = 'com.microsoft:MatMulIntegerToFloat';

export interface QuantizeDynamicOptions {
  /** How the scale of a column of weights is chosen: its largest magnitude, or the least squared error. */
  readonly weightScale: 'max' | 'least-squares';
  /** Weights that cannot saturate on CPUs without VNNI, at some loss of precision. */
  readonly pairSafe: boolean;
  /** Weights with fewer elements stay float; 0 or more. */
  readonly minimumWeights: number;
  /** Names of nodes, or operator types, that stay float. */
  readonly exclude: readonly string[];
  /** Quantizes a model that is quantized already. */
  readonly force: boolean;
}

export const QUANTIZE_DYNAMIC_DEFAULTS: QuantizeDynamicOptions = {
  weightScale: 'max',
  pairSafe: false,
  minimumWeights: 4096,
  exclude: [],
  force: false,
};

const optionsSchema = z.strictObject({
  weightScale: z
    .enum(['max', 'least-squares'])
    .describe('How the scale of a column of weights is chosen: its largest magnitude, or the least squared error.'),
  pairSafe: z.boolean().describe('Weights that cannot saturate on CPUs without VNNI, at some loss of precision.'),
  minimumWeights: z.int().min(0).describe('Weights with fewer elements stay float.'),
  exclude: z.array(z.string()).describe('Names of nodes, or operator types, that stay float.'),
  force: z.boolean().describe('Quantize a model that is quantized already.'),
});

export const quantizeDynamic = definePass<QuantizeDynamicOptions>(
  {
    id: 'quantize-dynamic',
    title: 'Dynamic INT8',
    summary: 'Runs matrix products on 8-bit integers, with the range of each input taken as it comes.',
    family: 'quantize',
    lossy: true,
    needs: [],
  },
  QUANTIZE_DYNAMIC_DEFAULTS,
  optionsSchema,
  async (model, options, context) => {
    refuseQuantized(model, options.force, context.earlier);
    const notes: PassNote[] = [];
    const products = planProducts(model, options, notes);
    const attentions = planAttention(model, options, notes);
    const total = products.length + attentions.length;
    if (total === 0) {
      return {
        status: 'unchanged',
        reason: 'No matrix product has a constant float weight of the size asked for.',
        notes,
      };
    }
    const counts = new Counter();
    const inputs = new QuantizedInputs();
    const done: QuantizedProduct[] = [];
    for (const plan of products) {
      await context.progress(done.length, total, `quantizing ${plan.node.label}`);
      done.push(quantizeProduct(model, plan, inputs, options, context));
      counts.add(`${plan.node.opType} to INT8`);
    }
    for (const { node, graph, weight } of attentions) {
      await context.progress(done.length, total, `quantizing ${node.label}`);
      done.push(quantizeAttentionNode(model, node, graph, weight, inputs, options, context));
      counts.add('Attention to INT8');
    }
    counts.add('inputs quantized at run time', inputs.count);
    return {
      status: 'changed',
      counts: counts.counts,
      notes,
      expects: expectedKernels(done),
      details: { quantization: done.map(({ layer }) => layer) },
    };
  },
);

/** An input of products, quantized at run time. */
interface QuantizedInput {
  readonly codes: Value;
  readonly scale: Value;
  readonly zeroPoint: Value;
}

/** Inputs of products, each quantized once for all that read it in the same graph. */
class QuantizedInputs {
  readonly #byGraph = new Map<Graph, Map<Value, QuantizedInput>>();
  count = 0;

  of(graph: Graph, input: Value): QuantizedInput {
    const known = this.#byGraph.get(graph) ?? new Map<Value, QuantizedInput>();
    this.#byGraph.set(graph, known);
    const made = known.get(input) ?? quantizeInput(graph, input);
    if (!known.has(input)) this.count++;
    known.set(input, made);
    return made;
  }
}

/** What became of one product, for the report and for the check of what the engine fused. */
interface QuantizedProduct {
  readonly layer: {
    readonly name: string;
    readonly operator: string;
    readonly shape: readonly number[];
    readonly error: number;
  };
  /** The value that the fused kernel will make: with the bias, when the engine takes that in. */
  readonly made: Value;
  /** The kernel, or null for a product whose kernel depends on who else reads its input. */
  readonly kernel: string | null;
  readonly input: QuantizedInput | null;
}

/** Replaces the product by its integer form, which makes the same output value. */
export function quantizeProduct(
  model: Model,
  plan: ProductPlan,
  inputs: QuantizedInputs,
  options: QuantizeDynamicOptions,
  context: PassContext,
): QuantizedProduct {
  const { graph, node, output } = plan;
  const weight = integerWeight(plan, { scale: options.weightScale, pairSafe: options.pairSafe });
  const layer = { name: node.label, operator: node.opType, shape: plan.weight.shape, error: weight.error };
  const name = node.inputs[1]?.name ?? node.label;
  const before = node.inputs.slice(1);
  const data = spill(context.scratch, weight.codes);
  const codes = graph.addInitializer(
    graph.uniqueName(`${name}_int8`),
    new Tensor({ dtype: 'int8', shape: weight.shape, data }),
  );
  const scales = addConstant(graph, `${name}_scale`, 'float32', [weight.scales.length], weight.scales);
  const bias = scaledBias(graph, plan);
  node.setOutput(0, null);
  graph.removeNode(node);
  const input = model.opset < 11 ? null : inputs.of(graph, plan.input);
  if (input === null) addFusedProduct(model, plan, codes, scales, bias);
  else addIntegerProduct(graph, plan, input, codes, scales, bias);
  dropUnread(model, before);
  const made = bias === null && input !== null ? (biasAfter(output) ?? output) : output;
  return { layer, made, input, kernel: input === null ? DYNAMIC_PRODUCT : null };
}

interface AttentionPlan {
  readonly node: Node;
  readonly graph: Graph;
  readonly weight: Tensor;
}

function planAttention(model: Model, options: QuantizeDynamicOptions, notes: PassNote[]): AttentionPlan[] {
  const constantOf = constantsOf(model);
  const plans: AttentionPlan[] = [];
  for (const graph of allGraphs(model.graph)) {
    for (const node of graph.nodes) {
      if (!isAttention(node)) continue;
      const excluded = options.exclude.includes(node.name) || options.exclude.includes(node.opType);
      const reason = excluded
        ? 'it is excluded'
        : model.opset < 11
          ? 'the opset is below 11'
          : attentionUnfit(node, constantOf);
      const weight = constantOf(node.inputs[1]);
      if (reason === null && weight !== null) plans.push({ node, graph, weight });
      else notes.push({ message: `Stays float: ${reason}.`, node: node.label });
    }
  }
  return plans;
}

function quantizeAttentionNode(
  model: Model,
  node: Node,
  graph: Graph,
  weight: Tensor,
  inputs: QuantizedInputs,
  options: QuantizeDynamicOptions,
  context: PassContext,
): QuantizedProduct {
  const [input, ...before] = node.inputs;
  const [made] = node.outputs;
  if (!input || !made) throw new HoneError('internal', `${node.label} has no input or no output.`);
  const quantized = inputs.of(graph, input);
  const scales = { scale: options.weightScale, pairSafe: options.pairSafe };
  const error = quantizeAttention(node, quantized, weight, scales, context);
  dropUnread(model, before);
  const layer = { name: node.label, operator: 'Attention', shape: weight.shape, error };
  return { layer, made, input: quantized, kernel: 'com.microsoft:QAttention' };
}

function dropUnread(model: Model, values: readonly (Value | null)[]): void {
  for (const value of values) {
    if (value !== null) for (const graph of allGraphs(model.graph)) dropIfUnread(graph, value);
  }
}

function quantizeInput(graph: Graph, input: Value): QuantizedInput {
  const shape = input.type?.kind === 'tensor' ? input.type.shape : null;
  const made = {
    codes: graph.createValue(`${input.name}_uint8`, tensorType('uint8', shape)),
    scale: graph.createValue(`${input.name}_scale`, tensorType('float32', [])),
    zeroPoint: graph.createValue(`${input.name}_zero_point`, tensorType('uint8', [])),
  };
  graph.addNode({
    opType: 'DynamicQuantizeLinear',
    name: `${input.name}_DynamicQuantizeLinear`,
    inputs: [input],
    outputs: [made.codes, made.scale, made.zeroPoint],
  });
  return made;
}

function addIntegerProduct(
  graph: Graph,
  { node, output }: ProductPlan,
  input: QuantizedInput,
  codes: Value,
  scales: Value,
  bias: Value | null,
): void {
  const shape = output.type?.kind === 'tensor' ? output.type.shape : null;
  const name = node.name !== '' ? node.name : output.name;
  const add = (opType: string, inputs: Value[], dtype: 'int32' | 'float32', made?: Value): Value => {
    const result = made ?? graph.createValue(`${output.name}_${opType}`, tensorType(dtype, shape));
    graph.addNode({ opType, name: `${name}_${opType}`, inputs, outputs: [result] });
    return result;
  };
  const sums = add('MatMulInteger', [input.codes, codes, input.zeroPoint], 'int32');
  const floats = graph.createValue(`${output.name}_Cast`, tensorType('float32', shape));
  const to = intAttribute(DTYPES.float32.code);
  graph.addNode({ opType: 'Cast', name: `${name}_Cast`, inputs: [sums], outputs: [floats], attributes: [['to', to]] });
  const factors = graph.createValue(`${output.name}_scales`, tensorType('float32', scales.tensor?.shape ?? null));
  // The order matters to the fusion: the scale of the input first.
  graph.addNode({ opType: 'Mul', name: `${name}_scales`, inputs: [input.scale, scales], outputs: [factors] });
  if (bias === null) {
    add('Mul', [floats, factors], 'float32', output);
    putBiasSecond(output);
  } else {
    add('Add', [add('Mul', [floats, factors], 'float32'), bias], 'float32', output);
  }
}

/** The one node with all of it, for models below opset 11. */
function addFusedProduct(model: Model, plan: ProductPlan, codes: Value, scales: Value, bias: Value | null): void {
  if (!model.opsets.has('com.microsoft')) model.opsets.set('com.microsoft', 1);
  plan.graph.addNode({
    opType: 'DynamicQuantizeMatMul',
    domain: 'com.microsoft',
    name: plan.node.name,
    inputs: bias === null ? [plan.input, codes, scales] : [plan.input, codes, scales, null, bias],
    outputs: [plan.output],
  });
}

/** Which kernels the engine should make of the products: the input's quantization is taken in where only one reads it. */
function expectedKernels(products: readonly QuantizedProduct[]): ExpectedKernel[] {
  const kernels = new Map<string, { label: string; output: string }[]>();
  for (const { layer, made, kernel, input } of products) {
    const shared = (input?.codes.consumers.size ?? 1) > 1;
    const expected = kernel ?? (shared ? SHARED_PRODUCT : DYNAMIC_PRODUCT);
    kernels.set(expected, [...(kernels.get(expected) ?? []), { label: layer.name, output: made.name }]);
  }
  return [...kernels].map(([kernel, nodes]) => ({ kernel, nodes }));
}
