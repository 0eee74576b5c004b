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
 * - com.microsoft.DynamicQuantizeMatMul itself is written only below opset 11, which has no DynamicQuantizeLinear: other
 *   runtimes and providers do not know it.
 */
import { z } from 'zod';
import { intAttribute } from '../graph/attribute.ts';
import { DTYPES } from '../graph/dtype.ts';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import { Tensor } from '../graph/tensor.ts';
import { tensorType } from '../graph/types.ts';
import type { Value } from '../graph/value.ts';
import { addConstant, allGraphs, Counter, dropIfUnread } from './edit.ts';
import { definePass, type ExpectedKernel, type PassContext, type PassNote } from './pass.ts';
import { refuseQuantized } from './quantization/already-quantized.ts';
import {
  biasAfter,
  integerWeight,
  type ProductPlan,
  planProducts,
  putBiasSecond,
  scaledBias,
} from './quantization/products.ts';
import { spill } from './spill.ts';

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
  minimumWeights: 1024,
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
    const plans = planProducts(model, options, notes);
    if (plans.length === 0) {
      return {
        status: 'unchanged',
        reason: 'No matrix product has a constant float weight of the size asked for.',
        notes,
      };
    }
    const counts = new Counter();
    const inputs = new Map<Value, QuantizedInput>();
    const products: QuantizedProduct[] = [];
    for (const [index, plan] of plans.entries()) {
      await context.progress(index, plans.length, `quantizing ${plan.node.label}`);
      products.push(quantizeProduct(model, plan, inputs, options, context));
      counts.add(`${plan.node.opType} to INT8`);
    }
    counts.add('inputs quantized at run time', new Set(plans.map((plan) => plan.input)).size);
    return {
      status: 'changed',
      counts: counts.counts,
      notes,
      expects: expectedKernels(products, inputs),
      details: { quantization: products.map(({ layer }) => layer) },
    };
  },
);

/** The input of products, quantized at run time. */
interface QuantizedInput {
  readonly codes: Value;
  readonly scale: Value;
  readonly zeroPoint: Value;
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
  readonly input: Value;
}

/** Replaces the product by its integer form, which makes the same output value. */
export function quantizeProduct(
  model: Model,
  plan: ProductPlan,
  inputs: Map<Value, QuantizedInput>,
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
  if (model.opset < 11) addFusedProduct(model, plan, codes, scales, bias);
  else addIntegerProduct(graph, plan, quantizedInput(graph, plan.input, inputs), codes, scales, bias);
  for (const value of before)
    if (value !== null) for (const owner of allGraphs(model.graph)) dropIfUnread(owner, value);
  return { layer, made: biasAfter(output) ?? output, input: plan.input };
}

/** The codes, scale and zero point of a product's input: quantized once for all products that read it. */
function quantizedInput(graph: Graph, input: Value, inputs: Map<Value, QuantizedInput>): QuantizedInput {
  const known = inputs.get(input);
  if (known !== undefined) return known;
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
  inputs.set(input, made);
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

/** Which kernels the engine should make of the products. */
function expectedKernels(
  products: readonly QuantizedProduct[],
  inputs: ReadonlyMap<Value, QuantizedInput>,
): ExpectedKernel[] {
  const kernelOf = ({ input }: QuantizedProduct): string =>
    (inputs.get(input)?.codes.consumers.size ?? 1) > 1 ? 'MatMulIntegerToFloat' : 'DynamicQuantizeMatMul';
  return ['DynamicQuantizeMatMul', 'MatMulIntegerToFloat'].flatMap((kernel) => {
    const nodes = products
      .filter((product) => kernelOf(product) === kernel)
      .map(({ layer, made }) => ({ label: layer.name, output: made.name }));
    return nodes.length > 0 ? [{ kernel: `com.microsoft:${kernel}`, nodes }] : [];
  });
}
