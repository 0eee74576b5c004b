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
import type { Node } from '../graph/node.ts';
import { HoneError } from '../protocol/errors.ts';
import { definePass } from './pass.ts';
import { refuseQuantized } from './quantization/already-quantized.ts';
import { applyQuantization, leftNotes, withoutUncalibrated } from './quantization/apply.ts';
import { excludableNames, unknownExclusions } from './quantization/exclusions.ts';
import { productsToGemm } from './quantization/gemm.ts';
import { layerGraph } from './quantization/layer-graph.ts';
import { raiseOpset } from './quantization/opset.ts';
import { type Placement, placeQuantization } from './quantization/placement.ts';
import { ACTIVATION_METHODS, type ActivationMethod } from './quantization/ranges.ts';
import { measurementKey, rememberedCalibration } from './quantization/remembered.ts';
import { forecastSaturation, saturationNotes } from './quantization/saturation.ts';
import { QUANTIZATION_TARGETS } from './quantization/targets.ts';

export interface QuantizeStaticOptions {
  /** Where the model will run: which operators become integers, and of which sign. */
  readonly target: string;
  /** How the range of an activation is chosen from the calibration data. */
  readonly method: ActivationMethod;
  /** For the method `percentile`: share of the elements kept, in percent (50 to 100). */
  readonly percentile: number;
  /** Bits of the activations: 8, or 16 where the target computes with them. */
  readonly activationBits: 8 | 16;
  /** How the scale of a weight is chosen. */
  readonly weightScale: 'max' | 'least-squares';
  /** How weights are rounded: each to the nearest code, or by the error of the layers' sums on the calibration data. */
  readonly rounding: 'nearest' | 'output-error';
  /** Weights that cannot saturate on CPUs without VNNI, at 17 to 35 % less error than 7-bit weights; rounded to nearest. */
  readonly pairSafe: boolean;
  /** Shifts each bias by the mean error that rounding the weights causes. */
  readonly biasCorrection: boolean;
  /** Whether depthwise convolutions become integers. */
  readonly depthwise: boolean;
  /** Weights with fewer elements stay float. */
  readonly minimumWeights: number;
  /** Samples on which the loss on CPUs without VNNI is predicted; 0 leaves that out. */
  readonly saturationSamples: number;
  /** Names of nodes (as notes give them where a node has none), or operator types, that stay float. */
  readonly exclude: readonly string[];
  /** Quantizes a model that is quantized already. */
  readonly force: boolean;
}

export const QUANTIZE_STATIC_DEFAULTS: QuantizeStaticOptions = {
  target: 'cpu',
  method: 'output-error',
  percentile: 99.999,
  activationBits: 8,
  weightScale: 'least-squares',
  rounding: 'output-error',
  pairSafe: false,
  biasCorrection: true,
  depthwise: true,
  minimumWeights: 64,
  saturationSamples: 8,
  exclude: [],
  force: false,
};

const schema = z.strictObject({
  target: z.enum(Object.keys(QUANTIZATION_TARGETS) as [string, ...string[]]).describe('Where the model will run.'),
  method: z.enum(ACTIVATION_METHODS).describe('How the range of an activation is chosen from the calibration data.'),
  percentile: z
    .number()
    .min(50)
    .max(100)
    .describe('For the method percentile: share of the elements kept, in percent.'),
  activationBits: z
    .union([z.literal(8), z.literal(16)])
    .describe('Bits of the activations: 8, or 16 where the target computes with them.'),
  weightScale: z.enum(['max', 'least-squares']).describe('How the scale of a weight is chosen.'),
  rounding: z
    .enum(['nearest', 'output-error'])
    .describe("How weights are rounded: each to nearest, or by the error of the layers' sums."),
  pairSafe: z.boolean().describe('Weights that cannot saturate on CPUs without VNNI.'),
  biasCorrection: z.boolean().describe('Shift each bias by the mean error that rounding the weights causes.'),
  depthwise: z.boolean().describe('Quantize depthwise convolutions too.'),
  minimumWeights: z.int().min(0).describe('Weights with fewer elements stay float.'),
  saturationSamples: z
    .int()
    .min(0)
    .max(1024)
    .describe('Samples on which the loss on CPUs without VNNI is predicted; 0 leaves that out.'),
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
    refuseQuantized(model, options.force, context.earlier);
    const exclude = new Set(options.exclude);
    const names = excludableNames(model.graph);
    if (target.kernels !== null) productsToGemm(model, await context.types(model), exclude);
    const unknown = unknownExclusions(options.exclude, names, excludableNames(model.graph));
    const place = (excludeNodes: ReadonlyMap<Node, string>): Placement =>
      placeQuantization(model.graph, {
        target,
        exclude,
        excludeNodes,
        depthwise: options.depthwise && target.depthwise,
        minimumWeights: options.minimumWeights,
      });
    let placement = place(new Map());
    if (placement.compute.length === 0) {
      const notes = [...unknown, ...leftNotes(placement)];
      return { status: 'unchanged', reason: 'No node has a float weight that this target runs on integers.', notes };
    }
    const tooOld = raiseOpset(model);
    if (tooOld !== null) return { status: 'unchanged', reason: tooOld };
    const key = await measurementKey('quantize-static', model, options, context);
    const calibration = await rememberedCalibration(key, model, placement, target, options, context);
    const dropped = withoutUncalibrated(placement, calibration);
    if (dropped.size > 0) {
      const reason = 'its activations were never finite on the calibration data';
      placement = place(new Map([...dropped].map((node) => [node, reason])));
      if (placement.compute.length === 0)
        return { status: 'unchanged', reason: `No layer can be calibrated: ${reason}.` };
    }
    const layers = layerGraph(model.graph, target);
    const applied = applyQuantization(model, placement, calibration, target, options);
    const saturation = await forecastSaturation(
      model,
      placement,
      calibration,
      target,
      { pairSafe: options.pairSafe, samples: options.saturationSamples },
      context,
    );
    return {
      status: 'changed',
      counts: applied.counts,
      notes: [...unknown, ...applied.notes, ...saturationNotes(saturation)],
      expects: applied.expects,
      // `quantization`: LayerFacts by layer. `saturation`: SaturationForecast.
      details: { quantization: applied.layers, layers, saturation },
    };
  },
);
