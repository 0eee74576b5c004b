/**
 * Weights rounded by what they do to the layers' sums on the calibration data, instead of one by one to the nearest code:
 * `kernels/coordinate-descent.ts` with the moments of the layer's input. Rounding that input adds noise of step^2/12 to each of its
 * elements; what it clips is left out. A row longer than a block is rounded in parts, each alone. Where a bias takes the mean error
 * away, the moments are those around the mean. Layers whose error comes from their input alone are left out.
 *
 * The moments of three samples of four choose the codes, those of the fourth judge them: a layer keeps the codes rounded to
 * nearest unless its sums are closer to the float ones on samples that the codes were not made for.
 *
 * Measured on the reference models as the divergence of the answers in thousandths of a nat, mean of three draws of 256 samples, on the
 * MobileNetV2: 1.08; with 64 samples in place of 32 and blocks of 32 columns 1.02, of 48 1.02, of 64 1.02; with all layers 1.06; with
 * twice the rows a layer 1.09; rounded to nearest 1.19 (one draw). On the ResNet between 0.26 and 0.28, whichever: noise.
 *
 * Note: the noise of the layers before is not in the moments: one run of the float model serves all layers. Gradient descent on
 * the rounding (AdaRound, Nagel et al. 2020) was not tried.
 */
import { FEWEST_SAMPLES, LayerMoments, productsModel } from '../../calibrate/layer-moments.ts';
import { type LayerRows, layerRows } from '../../calibrate/layer-rows.ts';
import type { Observation } from '../../calibrate/observation.ts';
import type { QuantizationParameters } from '../../calibrate/quantization-parameters.ts';
import { type ShowRequest, showTensors } from '../../calibrate/show-tensors.ts';
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import { float32Chunks } from '../../graph/tensor-values.ts';
import { type BlockRounder, blockRounder, type Moments } from '../../kernels/coordinate-descent.ts';
import type { PassContext } from '../pass.ts';
import { signalToNoise } from './activation-facts.ts';
import type { LayerOptions } from './layer.ts';
import { type LayerWeight, layerWeight } from './layer-weight.ts';
import type { ComputePlan, Placement } from './placement.ts';
import type { Calibration } from './ranges.ts';
import type { QuantizationTarget } from './targets.ts';
import { channelView, type QuantizedWeight } from './weights.ts';

export interface RoundedWeight extends QuantizedWeight {
  /** E[Q(W) x - W x] by output channel, which the bias takes away; null where there is no bias to do so. */
  readonly shift: Float64Array | null;
}

/** Added to the diagonals, as a share of their mean: directions that the data hardly shows are rounded to nearest. */
const DAMPING = 0.01;
/** Samples whose inputs of layers are looked at, at most: with more, answers moved no less. */
const MOST_SAMPLES = 32;
/** Least part of a layer's error for which its weights are worth it. */
const LEAST_SHARE = 0.25;
/** Longest block of columns: longer ones gain nothing that could be measured. */
const LONGEST_BLOCK = 32;
/** Shorter blocks gain too little to be worth it. */
const SHORTEST_BLOCK = 16;
/** Bytes of the moments of all layers together. */
const MOMENT_BYTES = 64 << 20;
/** Rows of each layer that wait to be multiplied, and their bytes over all layers. */
const FEWEST_WAITING = 16;
const MOST_WAITING = 256;
const WAITING_BYTES = 32 << 20;
/** Multiplications in all; work and not time is limited, so that a run can be repeated to the same bytes. */
const MOST_MULTIPLICATIONS = 6e9;
/** Passes over the moments for each row: target, start, sweeps and the judgement. */
const PASSES = 5;

/** The layers whose sums gain by it, with their codes; the others round to nearest. */
export async function roundWeights(
  model: Model,
  placement: Placement,
  calibration: Calibration,
  target: QuantizationTarget,
  options: LayerOptions,
  context: PassContext,
): Promise<Map<Node, RoundedWeight>> {
  const found = new Map<Node, RoundedWeight>();
  const data = context.calibration;
  if (options.rounding === 'nearest' || options.pairSafe || data === null || data.random) return found;
  const layers = layersThatGain(placement, calibration);
  const samples = Math.min(MOST_SAMPLES, data.samples);
  if (samples < FEWEST_SAMPLES || layers.length === 0) return found;
  const weights = layers.reduce((sum, { plan }) => sum + (plan.weight.tensor?.size ?? 0), 0);
  // Fitting and judging, four bytes each.
  const columns = layers.reduce((sum, { rows }) => sum + rows.groups * rows.columns, 0);
  const block = Math.floor(
    Math.min(LONGEST_BLOCK, MOST_MULTIPLICATIONS / (weights * PASSES), MOMENT_BYTES / (8 * columns)),
  );
  if (block < SHORTEST_BLOCK) {
    context.log('The model is too large to round its weights by output error; they are rounded to nearest.');
    return found;
  }
  const waiting = Math.max(FEWEST_WAITING, Math.min(MOST_WAITING, Math.floor(WAITING_BYTES / (8 * columns))));
  const products = await context.open(productsModel());
  const moments = layers.map(({ rows }) => new LayerMoments(rows, { block, samples, waiting, products }));
  try {
    await showTensors({
      model,
      observations: calibration.observations,
      readers: readersOf(layers, moments),
      batches: (batchSize) => data.batches(batchSize, samples),
      batchless: data.batchless,
      open: context.open,
      progress: (done) => context.progress(done, samples, `what ${layers.length} layers read`),
    });
    for (const each of moments) await each.finish();
  } finally {
    await products.release();
  }
  const rounder = blockRounder();
  for (const [index, { plan, input }] of layers.entries()) {
    await context.progress(index, layers.length, 'rounding weights by output error');
    const weight = layerWeight(plan, input, target, options);
    const better = roundWeight(plan, weight, input, moments[index] as LayerMoments, options.biasCorrection, rounder);
    if (better !== null) found.set(plan.node, better);
  }
  return found;
}

interface RoundableLayer {
  readonly plan: ComputePlan;
  readonly rows: LayerRows;
  /** Parameters of what it reads. */
  readonly input: QuantizationParameters;
}

/** Those whose weights are a part of the error that counts, and whose rows can be read and are finite. */
function layersThatGain(placement: Placement, { observations, parameters }: Calibration): RoundableLayer[] {
  return placement.compute.flatMap((plan) => {
    const source = placement.values.get(plan.data)?.source;
    const input = source === undefined ? undefined : parameters.get(source);
    const observation = observations.get(plan.data);
    const rows = layerRows(plan.node, plan.weight.tensor?.shape ?? [], plan.inputAxis);
    if (input === undefined || observation === undefined || rows === null) return [];
    // NaN would stay in the sums, and a constant has no moments.
    if (observation.notFinite > 0 || observation.range.min === observation.range.max) return [];
    return roundingShare(plan, observation, input) < LEAST_SHARE ? [] : [{ plan, rows, input }];
  });
}

/**
 * The expected part that rounding the weight has in the squared error of the layer's sums, 0 to 1: step^2/12 for each weight over
 * their power, beside the error of the input over its power. 1 where that of the input is not known.
 */
function roundingShare(plan: ComputePlan, observation: Observation, input: QuantizationParameters): number {
  const ratio = signalToNoise(observation, input);
  const { tensor } = plan.weight;
  if (ratio === null || tensor === null) return 1;
  const view = channelView(tensor.shape, plan.channelAxis, true);
  const largest = new Float32Array(view.channels);
  let power = 0;
  let index = 0;
  for (const weights of float32Chunks(tensor, 1 << 18)) {
    for (let at = 0; at < weights.length; at++, index++) {
      const channel = Math.floor(index / view.channelStride) % view.channels;
      const magnitude = Math.abs(weights[at] as number);
      if (magnitude > (largest[channel] as number)) largest[channel] = magnitude;
      power += magnitude * magnitude;
    }
  }
  const noise = largest.reduce((sum, most) => sum + (view.length * (most / 127) ** 2) / 12, 0);
  const share = noise / Math.max(power, Number.MIN_VALUE);
  return share / (share + 1 / ratio);
}

/** One reader a value, for all layers that read it. */
function readersOf(layers: readonly RoundableLayer[], moments: readonly LayerMoments[]): ShowRequest['readers'] {
  const byValue = Map.groupBy(layers.keys(), (index) => (layers[index] as RoundableLayer).plan.data);
  return new Map(
    [...byValue].map(([value, indexes]) => [
      value,
      async (data, first) => {
        for (const index of indexes) await moments[index]?.add(data, first);
      },
    ]),
  );
}

/** The codes that the moments ask for, or null when those rounded to nearest are as good; frees the moments. */
function roundWeight(
  plan: ComputePlan,
  weight: LayerWeight,
  input: QuantizationParameters,
  moments: LayerMoments,
  corrected: boolean,
  rounder: BlockRounder,
): RoundedWeight | null {
  const taken = moments.take();
  if (taken === null) return null;
  const centered = corrected && weight.bias !== null;
  const { source, view } = weight;
  const quantized = weight.nearest();
  const { size, blocks, parts } = moments;
  const { columns, groups } = moments.rows;
  const outputs = source.length / columns;
  const noise = input.scale ** 2 / 12;
  // Distances in the layout of the source between rows, and between the elements of one.
  const [rowStride, columnStride] = plan.channelAxis === 0 ? [columns, 1] : [1, outputs];
  const codes = Int8Array.from(quantized.codes);
  const scales = Float32Array.from(quantized.scales);
  const shift = centered ? new Float64Array(outputs) : null;
  let change = 0;
  for (let part = 0; part < parts; part++) {
    const group = Math.floor(part / blocks);
    const start = (part % blocks) * size;
    const length = Math.min(size, columns - start);
    rounder.load(damped(taken.fitting(part, centered)), taken.judging(part, centered), noise);
    for (let output = (group * outputs) / groups; output < ((group + 1) * outputs) / groups; output++) {
      const channel = scales.length > 1 ? output : 0;
      const scale = scales[channel] as number;
      const first = output * rowStride + start * columnStride;
      rounder.weight.fill(0);
      rounder.nearest.fill(0);
      for (let column = 0, at = first; column < length; column++, at += columnStride) {
        rounder.weight[column] = source[at] as number;
        rounder.nearest[column] = quantized.codes[at] as number;
      }
      rounder.codes.set(rounder.nearest);
      const fitted = rounder.descend(scale, weight.minimumScale(channel), view.channels === 1 || blocks > 1);
      change += rounder.errorChange(scale, fitted);
      scales[channel] = fitted;
      let mean = 0;
      for (let column = 0, at = first; column < length; column++, at += columnStride) {
        const code = rounder.codes[column] as number;
        codes[at] = code;
        if (centered) mean += (code * fitted - (rounder.weight[column] as number)) * taken.mean(part, column);
      }
      if (shift !== null) shift[output] = (shift[output] as number) + mean;
    }
  }
  return change < 0 ? { codes, scales, shift } : null;
}

function damped({ size, products }: Moments): Moments {
  let power = 0;
  for (let i = 0; i < size; i++) power += products[i * size + i] as number;
  for (let i = 0; i < size; i++) products[i * size + i] = (products[i * size + i] as number) + (DAMPING * power) / size;
  return { size, products };
}
