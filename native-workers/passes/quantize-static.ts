/**
 * Static INT8: activations and weights become 8-bit integers, with ranges measured on the user's own data.
 *
 * The graph gets Q/DQ pairs only where the target fuses them to integer kernels (`quantization/targets.ts`); everything else
 * stays float and is named. Activations are uint8 with one scale and zero point, weights int8 with a scale a channel, biases
 * int32: the only form that ONNX Runtime's CPU provider fuses everywhere (compression.md 0.1 and 1.6).
 *
 * Sources: onnxruntime/quantization (formulae, compression.md 1.2), Nagel et al. 2019 (bias correction).
 */
import { z } from 'zod';
import { type Observation, observe } from '../calibrate/observe.ts';
import { CODES, parametersFor, type QuantizationParameters } from '../calibrate/quantization-parameters.ts';
import { chooseRange, RANGE_METHODS, type RangeMethod } from '../calibrate/range-methods.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { HoneError } from '../protocol/errors.ts';
import { definePass, type ExpectedKernel, type PassContext, type PassNote } from './pass.ts';
import { insertActivationPair, quantizationDomain } from './quantization/insert.ts';
import { type LayerFacts, quantizeLayer } from './quantization/layer.ts';
import { type ComputePlan, type Placement, placeQuantization } from './quantization/placement.ts';
import { QUANTIZATION_TARGETS, type QuantizationTarget } from './quantization/targets.ts';

export interface QuantizeStaticOptions {
  /** Where the model will run: which operators become integers, and of which sign. */
  readonly target: string;
  /** How the range of an activation is chosen from the calibration data. */
  readonly method: RangeMethod;
  /** For the method `percentile`: share of the elements kept, in percent (50 to 100). */
  readonly percentile: number;
  /** Bits of the activations: 8, or 16 where the target computes with them. */
  readonly activationBits: 8 | 16;
  /** How the scale of a weight is chosen. */
  readonly weightScale: 'max' | 'least-squares';
  /** Weights that cannot saturate on CPUs without VNNI, at 17 to 35 % less error than 7-bit weights. */
  readonly pairSafe: boolean;
  /** Shifts each bias by the mean error that rounding the weights causes. */
  readonly biasCorrection: boolean;
  /** Whether depthwise convolutions become integers. */
  readonly depthwise: boolean;
  /** Weights with fewer elements stay float. */
  readonly minimumWeights: number;
  /** Names of nodes, or operator types, that stay float. */
  readonly exclude: readonly string[];
  /** Quantizes a model that is quantized already. */
  readonly force: boolean;
}

export const QUANTIZE_STATIC_DEFAULTS: QuantizeStaticOptions = {
  target: 'cpu',
  method: 'mse',
  percentile: 99.999,
  activationBits: 8,
  weightScale: 'least-squares',
  pairSafe: false,
  biasCorrection: true,
  depthwise: true,
  minimumWeights: 64,
  exclude: [],
  force: false,
};

const schema = z.strictObject({
  target: z.enum(Object.keys(QUANTIZATION_TARGETS) as [string, ...string[]]).describe('Where the model will run.'),
  method: z.enum(RANGE_METHODS).describe('How the range of an activation is chosen from the calibration data.'),
  percentile: z
    .number()
    .min(50)
    .max(100)
    .describe('For the method percentile: share of the elements kept, in percent.'),
  activationBits: z
    .union([z.literal(8), z.literal(16)])
    .describe('Bits of the activations: 8, or 16 where the target computes with them.'),
  weightScale: z.enum(['max', 'least-squares']).describe('How the scale of a weight is chosen.'),
  pairSafe: z.boolean().describe('Weights that cannot saturate on CPUs without VNNI.'),
  biasCorrection: z.boolean().describe('Shift each bias by the mean error that rounding the weights causes.'),
  depthwise: z.boolean().describe('Quantize depthwise convolutions too.'),
  minimumWeights: z.int().min(0).describe('Weights with fewer elements stay float.'),
  exclude: z.array(z.string()).describe('Names of nodes, or operator types, that stay float.'),
  force: z.boolean().describe('Quantize a model that is quantized already.'),
});

export const quantizeStatic = definePass(
  {
    id: 'quantize-static',
    title: 'Static INT8',
    summary: 'Runs convolutions and matrix products on 8-bit integers, with ranges measured on calibration data.',
    family: 'quantize',
    lossy: true,
    needs: ['engine', 'calibration'],
  },
  QUANTIZE_STATIC_DEFAULTS,
  schema,
  async (model, options, context) => {
    const target = QUANTIZATION_TARGETS[options.target];
    if (target === undefined) throw new HoneError('invalid-options', `target: ${options.target} is no target.`);
    refuseQuantized(model, options.force);
    const placement = placeQuantization(model.graph, {
      target,
      exclude: new Set(options.exclude),
      depthwise: options.depthwise && target.depthwise,
      minimumWeights: options.minimumWeights,
    });
    const left: PassNote[] = placement.left.map(({ node, reason }) => ({
      message: `stays float: ${reason}`,
      node: node.label,
    }));
    if (placement.compute.length === 0) {
      return {
        status: 'unchanged',
        reason: 'No node has a float weight that this target runs on integers.',
        notes: left,
      };
    }
    const observations = await observeActivations(model, placement, options, context);
    const parameters = chooseParameters(placement, observations, target, options);
    const applied = applyQuantization(model, placement, observations, parameters, target, options);
    return {
      status: 'changed',
      counts: applied.counts,
      notes: [...applied.notes, ...left],
      expects: applied.expects,
      details: { quantization: applied.layers, randomCalibration: context.calibration?.random ?? false },
    };
  },
);

/** Operators whose presence means that somebody quantized the model before. */
const QUANTIZED_OPERATORS =
  /^(QuantizeLinear|DequantizeLinear|QLinear\w+|QGemm|MatMulInteger\w*|ConvInteger|DynamicQuantize\w+|MatMulNBits)$/;

function refuseQuantized(model: Model, force: boolean): void {
  if (force) return;
  for (const node of model.graph.allNodes()) {
    if (!QUANTIZED_OPERATORS.test(node.opType)) continue;
    throw new HoneError(
      'model-already-quantized',
      `The node ${node.label} shows that the model is quantized already; the option force goes on all the same.`,
      {
        where: { node: node.label },
      },
    );
  }
}

async function observeActivations(
  model: Model,
  placement: Placement,
  options: QuantizeStaticOptions,
  context: PassContext,
): Promise<Map<Value, Observation>> {
  const { calibration } = context;
  if (calibration === null) throw new HoneError('data-missing', 'Static INT8 needs calibration data.');
  const sources = new Set([...placement.values.values()].map(({ source }) => source));
  return observe({
    model,
    values: [...sources],
    channels: options.biasCorrection ? new Map(placement.compute.map((plan) => [plan.data, plan.dataAxis])) : new Map(),
    batches: () => calibration.batches(),
    samples: calibration.samples,
    open: context.open,
    progress: context.progress,
    maxBytes: 128 * 1024 * 1024,
    histograms: options.method !== 'minmax' && options.method !== 'moving-average',
  });
}

function chooseParameters(
  placement: Placement,
  observations: ReadonlyMap<Value, Observation>,
  target: QuantizationTarget,
  options: QuantizeStaticOptions,
): Map<Value, QuantizationParameters> {
  const type = options.activationBits === 16 ? (target.activation === 'uint8' ? 'uint16' : 'int16') : target.activation;
  const steps = CODES[type].high - CODES[type].low;
  const parameters = new Map<Value, QuantizationParameters>();
  for (const { source } of placement.values.values()) {
    const observation = observations.get(source);
    if (observation === undefined || parameters.has(source)) continue;
    const range = chooseRange(options.method, observation, { percentile: options.percentile, steps });
    parameters.set(source, parametersFor(range, type, target.activationSymmetric));
  }
  return parameters;
}

function applyQuantization(
  model: Model,
  placement: Placement,
  observations: ReadonlyMap<Value, Observation>,
  parameters: ReadonlyMap<Value, QuantizationParameters>,
  target: QuantizationTarget,
  options: QuantizeStaticOptions,
): { counts: Record<string, number>; notes: PassNote[]; expects: ExpectedKernel[]; layers: LayerFacts[] } {
  const { graph } = model;
  const notes: PassNote[] = [];
  const layers: LayerFacts[] = [];
  const integerNodes = new Set<Node>(placement.elementwise);
  const usable = placement.compute.filter((plan) => {
    const needed = plan.output === null ? [plan.data] : [plan.data, plan.output];
    const missing = needed.find((value) => parametersOf(value, placement, parameters) === null);
    if (missing === undefined) return true;
    notes.push({
      message: `stays float: ${missing.name} was never finite on the calibration data`,
      node: plan.node.label,
    });
    return false;
  });
  for (const plan of usable) integerNodes.add(plan.node);

  for (const plan of usable) {
    const input = parametersOf(plan.data, placement, parameters);
    if (input !== null)
      layers.push(quantizeLayer(model, plan, input, observations.get(plan.data) ?? null, target, options));
  }
  const codes = new Map<Value, Value>();
  for (const [value, { everyReader }] of placement.values) {
    const chosen = parametersOf(value, placement, parameters);
    if (chosen === null) continue;
    const readers = [...value.consumers].filter(
      (node) => everyReader || integerNodes.has(node) || followsIntegers(node, placement),
    );
    const domain = quantizationDomain(model, chosen.type);
    if (readers.length > 0 || graph.outputs.includes(value)) {
      codes.set(value, insertActivationPair(graph, value, chosen, readers, everyReader, domain));
    }
  }
  return {
    counts: {
      'layers to INT8': layers.length,
      'operators to INT8': placement.elementwise.length,
      'activations with Q/DQ': codes.size,
    },
    notes,
    expects: expectedKernels(usable, placement, codes, target),
    layers,
  };
}

function parametersOf(
  value: Value,
  placement: Placement,
  parameters: ReadonlyMap<Value, QuantizationParameters>,
): QuantizationParameters | null {
  const source = placement.values.get(value)?.source;
  return source === undefined ? null : (parameters.get(source) ?? null);
}

function followsIntegers(node: Node, placement: Placement): boolean {
  const output = node.outputs[0];
  return output != null && placement.values.get(output)?.source !== output && placement.values.has(output);
}

/** The kernels that should run: each is named by the value that it makes in the engine's graph. */
function expectedKernels(
  compute: readonly ComputePlan[],
  placement: Placement,
  codes: ReadonlyMap<Value, Value>,
  target: QuantizationTarget,
): ExpectedKernel[] {
  if (target.kernels === null) return [];
  const byKernel = new Map<string, { label: string; output: string }[]>();
  const expect = (node: Node, made: Value | null): void => {
    const output = made ?? node.outputs[0];
    const kernel =
      made === null && node.opType === 'MatMul' ? 'com.microsoft:MatMulIntegerToFloat' : target.kernels?.[node.opType];
    if (kernel === undefined || output == null) return;
    const nodes = byKernel.get(kernel) ?? [];
    nodes.push({ label: node.label, output: output.name });
    byKernel.set(kernel, nodes);
  };
  for (const plan of compute) expect(plan.node, plan.output === null ? null : (codes.get(plan.output) ?? null));
  for (const node of placement.elementwise) {
    const output = node.outputs[0];
    if (output == null) continue;
    const [reader] = output.consumers;
    expect(node, codes.get(output) ?? (reader?.outputs[0] == null ? null : (codes.get(reader.outputs[0]) ?? null)));
  }
  return [...byKernel].map(([kernel, nodes]) => ({ kernel, nodes }));
}
