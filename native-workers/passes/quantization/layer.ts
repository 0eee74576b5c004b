/** One layer becomes INT8: its weight, and its bias at the scale that the integer kernel adds it at. */
import { quantizationDomain } from '../../calibrate/quantization-domain.ts';
import type { QuantizationParameters } from '../../calibrate/quantization-parameters.ts';
import type { Graph } from '../../graph/graph.ts';
import type { Model } from '../../graph/model.ts';
import { tensorFromFloat32 } from '../../graph/tensor-values.ts';
import type { Value } from '../../graph/value.ts';
import { type ActivationFacts, activationFacts } from './activation-facts.ts';
import { meanOutputShift } from './bias-correction.ts';
import { insertConstant } from './insert.ts';
import { layerWeight } from './layer-weight.ts';
import type { ComputePlan } from './placement.ts';
import type { Calibration } from './ranges.ts';
import type { QuantizationTarget } from './targets.ts';
import { relativeError } from './weights.ts';

/** What the report shows of one quantized layer: an element of `details.quantization`, which is an array of these. */
export interface LayerFacts {
  readonly node: string;
  readonly operator: string;
  readonly input: ActivationFacts;
  /** ||W - Q(W)|| / ||W||. */
  readonly weightError: number;
  readonly weights: number;
  /**
   * Expected signal-to-noise ratio of the layer's sums in dB, were the errors of input and weight independent:
   * -10 log10(input noise / input power + weightError^2). Null where the input has no histogram.
   */
  readonly sqnrDb: number | null;
}

export interface LayerOptions {
  readonly weightScale: 'max' | 'least-squares';
  readonly pairSafe: boolean;
  /** How weights are rounded: each to the nearest code, or by the error of the layers' sums. */
  readonly rounding: 'nearest' | 'output-error';
  readonly biasCorrection: boolean;
}

/** Replaces weight and bias of the planned node by DequantizeLinear of integer constants. */
export function quantizeLayer(
  model: Model,
  plan: ComputePlan,
  input: QuantizationParameters,
  calibration: Pick<Calibration, 'observations' | 'methods' | 'weights'>,
  target: QuantizationTarget,
  options: LayerOptions,
): LayerFacts {
  const { graph } = model;
  const { node } = plan;
  const observation = calibration.observations.get(plan.data) ?? null;
  const { source: weight, shape, view, bias, nearest } = layerWeight(plan, input, target, options);
  const rounded = calibration.weights.get(node) ?? null;
  const quantized = rounded ?? nearest();
  const domain = quantizationDomain(model, 'int8');
  const content = {
    type: 'int8' as const,
    shape,
    codes: quantized.codes,
    scales: quantized.scales,
    axis: plan.channelAxis,
  };
  replaceInput(
    graph,
    plan,
    plan.weight,
    insertConstant(graph, constantName(plan, plan.weight, 'weight'), content, domain),
  );

  if (bias !== null && plan.bias !== null) {
    const means = options.biasCorrection ? observation?.channels?.mean : undefined;
    const shift =
      rounded?.shift ?? (means === undefined ? null : meanOutputShift(weight, quantized, shape, plan, means));
    shift?.forEach((amount, channel) => {
      bias[channel] = (bias[channel] as number) - amount;
    });
    const name = constantName(plan, plan.bias, 'bias');
    const after =
      target.bias === 'float'
        ? graph.addInitializer(graph.uniqueName(name), tensorFromFloat32(bias, [bias.length]))
        : insertConstant(graph, name, integerBias(bias, quantized.scales, input.scale), domain);
    replaceInput(graph, plan, plan.bias, after);
  }
  const weightError = relativeError(weight, quantized, view);
  const facts = activationFacts(plan.data.name, observation, input, calibration.methods.get(plan.data) ?? null);
  return {
    node: node.label,
    operator: node.opType,
    input: facts,
    weightError,
    weights: weight.length,
    sqnrDb: facts.signalToNoise === null ? null : -10 * Math.log10(1 / facts.signalToNoise + weightError ** 2),
  };
}

function integerBias(
  bias: Float32Array,
  weightScales: Float32Array,
  inputScale: number,
): { type: 'int32'; shape: number[]; codes: Int32Array; scales: Float32Array; axis: number } {
  const scales = Float32Array.from(
    bias,
    (_, channel) => inputScale * (weightScales[weightScales.length > 1 ? channel : 0] as number),
  );
  const codes = Int32Array.from(bias, (value, channel) => Math.round(value / (scales[channel] as number)));
  return { type: 'int32', shape: [bias.length], codes, scales, axis: 0 };
}

function constantName(plan: ComputePlan, value: Value, part: string): string {
  return plan.node.name === '' ? value.name : `${plan.node.name}_${part}`;
}

function replaceInput(graph: Graph, plan: ComputePlan, before: Value, after: Value): void {
  plan.node.setInput(plan.node.inputs.indexOf(before), after);
  if (before.consumers.size === 0 && !graph.outputs.includes(before)) graph.removeInitializer(before);
}
