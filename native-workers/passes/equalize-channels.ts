/**
 * Evens out the channels of activations before static INT8, without changing what the model computes: one activation range
 * serves all channels, so a channel that is much smaller than the largest loses most of its codes. Each factor moves out of the
 * activation into the weights that read it, and out of the constants that make it; there it costs nothing, since weights have
 * a scale a channel.
 *
 * It is SmoothQuant (Xiao et al. 2023: s = max|X|^a / max|W|^(1-a)) with the exponent searched by group, and for homogeneous
 * activations between convolutions it is cross-layer equalization (Nagel et al. 2019), whose factors are those of a = 0.5.
 *
 * Note: the objective is closed-form (below), so the search runs no model. With a = 0.5 for all groups instead, the weight side
 * loses more than the activations gain in groups whose channels are even already; the search leaves those alone.
 */
import { z } from 'zod';
import { observe } from '../calibrate/observe.ts';
import { toFloat32 } from '../graph/tensor-values.ts';
import { HoneError } from '../protocol/errors.ts';
import { definePass } from './pass.ts';
import { applyFactors, type ScalableActivation, scalableActivations } from './quantization/channel-scaling.ts';

export interface EqualizeChannelsOptions {
  /** Exponents tried: 0.05 apart up to this (0 to 1). 0 switches the pass off. */
  readonly maximumExponent: number;
  /** Least predicted gain for which a group is changed, as a share of its quantization error (0 to 1). */
  readonly minimumGain: number;
}

export const EQUALIZE_CHANNELS_DEFAULTS: EqualizeChannelsOptions = { maximumExponent: 1, minimumGain: 0.05 };

const schema = z.strictObject({
  maximumExponent: z
    .number()
    .min(0)
    .max(1)
    .describe('Largest exponent tried, in steps of 0.05; 0 switches the pass off.'),
  minimumGain: z
    .number()
    .min(0)
    .max(1)
    .describe('Least predicted gain for which a group is changed, as a share of its error.'),
});

export const equalizeChannels = definePass(
  {
    id: 'equalize-channels',
    title: 'Equalize channels',
    summary: 'Moves factors between layers so that all channels of an activation use the 8-bit codes evenly.',
    family: 'quantize',
    lossy: false,
    needs: ['engine', 'calibration'],
  },
  EQUALIZE_CHANNELS_DEFAULTS,
  schema,
  async (model, options, context) => {
    const { calibration } = context;
    if (calibration === null) throw new HoneError('data-missing', 'Equalizing channels needs calibration data.');
    const activations = scalableActivations(model.graph);
    if (activations.length === 0)
      return { status: 'unchanged', reason: 'No activation lets a factor by channel through.' };
    const types = await context.types(model);
    const observations = await observe({
      model,
      values: activations.map(({ value }) => value),
      channels: new Map(
        activations.flatMap(({ value, axis }) => {
          const type = value.type ?? types.get(value);
          const rank = type?.kind === 'tensor' ? type.shape?.length : undefined;
          return rank === undefined ? [] : [[value, { axis, rank }] as const];
        }),
      ),
      batches: (batchSize) => calibration.batches(batchSize),
      samples: calibration.samples,
      open: context.open,
      progress: context.progress,
      histograms: false,
    });
    let changed = 0;
    for (const [index, activation] of activations.entries()) {
      await context.progress(index, activations.length, 'factors');
      const channels = observations.get(activation.value)?.channels;
      if (channels == null) continue;
      const factors = chooseFactors(activation, channels, options);
      if (factors === null) continue;
      applyFactors(activation, factors);
      changed++;
    }
    if (changed === 0) return { status: 'unchanged', reason: 'The channels are even enough: no factors would gain.' };
    return { status: 'changed', counts: { 'activations equalized': changed }, notes: [] };
  },
);

/** The factors of least predicted error, or null when none gains enough. Exported for tests. */
export function chooseFactors(
  activation: ScalableActivation,
  channels: { readonly absMax: Float32Array; readonly meanSquare: Float32Array },
  options: EqualizeChannelsOptions,
): Float32Array | null {
  const weights = weightStatistics(activation);
  const ones = new Float32Array(activation.channels).fill(1);
  const before = predictedError(ones, channels, weights);
  let best = { error: before * (1 - options.minimumGain), factors: null as Float32Array | null };
  for (let step = 1; step * 0.05 <= options.maximumExponent + 1e-9; step++) {
    const exponent = step * 0.05;
    const factors = factorsOf(exponent, channels.absMax, weights.absMax);
    const error = predictedError(factors, channels, weights);
    if (error < best.error) best = { error, factors };
  }
  return best.factors;
}

interface WeightStatistics {
  /** Largest magnitude and sum of squares of the weights that read each input channel. */
  readonly absMax: Float32Array;
  readonly squares: Float64Array;
  /** For each output row of each reading weight: the largest magnitude by input channel. */
  readonly rows: readonly Float32Array[];
  /** Window size of each row's weight. */
  readonly windows: readonly number[];
}

/** s_j = max|X_j|^a / max|W_j|^(1-a), centred on a geometric mean of 1; dead channels and dead weights keep factor 1. */
function factorsOf(exponent: number, activations: Float32Array, weights: Float32Array): Float32Array {
  const logs = Float64Array.from(activations, (largest, channel) => {
    const weight = weights[channel] as number;
    return largest > 1e-9 && weight > 1e-9
      ? exponent * Math.log(largest) - (1 - exponent) * Math.log(weight)
      : Number.NaN;
  });
  const live = logs.filter((log) => !Number.isNaN(log));
  const center = live.reduce((sum, log) => sum + log, 0) / Math.max(1, live.length);
  // Factors beyond 100 trade the codes of one side for nothing on the other.
  return Float32Array.from(logs, (log) =>
    Number.isNaN(log) ? 1 : Math.exp(Math.max(-4.6, Math.min(4.6, log - center))),
  );
}

/**
 * Expected squared error at the readers' outputs, up to a constant: rounding noise of the activation (step^2/12 an element,
 * through the scaled weights) plus rounding noise of the weights (step^2/12 a weight, times the mean square of its input).
 */
function predictedError(
  factors: Float32Array,
  channels: { readonly absMax: Float32Array; readonly meanSquare: Float32Array },
  weights: WeightStatistics,
): number {
  let activationStep = 0;
  let gain = 0;
  let power = 0;
  for (let channel = 0; channel < factors.length; channel++) {
    const factor = factors[channel] as number;
    activationStep = Math.max(activationStep, (channels.absMax[channel] as number) / factor / 255);
    gain += (weights.squares[channel] as number) * factor * factor;
    power += (channels.meanSquare[channel] as number) / (factor * factor);
  }
  let weightNoise = 0;
  weights.rows.forEach((row, index) => {
    let largest = 0;
    for (let channel = 0; channel < row.length; channel++)
      largest = Math.max(largest, (row[channel] as number) * (factors[channel] as number));
    const step = largest / 127;
    weightNoise += step * step * power * (weights.windows[index] as number);
  });
  return activationStep * activationStep * gain + weightNoise;
}

function weightStatistics(activation: ScalableActivation): WeightStatistics {
  const absMax = new Float32Array(activation.channels);
  const squares = new Float64Array(activation.channels);
  const rows: Float32Array[] = [];
  const windows: number[] = [];
  for (const { value, axis } of activation.readers) {
    const tensor = value.tensor;
    if (tensor === null) continue;
    const weights = toFloat32(tensor);
    const [first = 1, second = 1] = tensor.shape;
    const window = weights.length / (first * second);
    const outputs = axis === 0 ? second : first;
    const own = Array.from({ length: outputs }, () => new Float32Array(activation.channels));
    for (let index = 0; index < weights.length; index++) {
      const outer = Math.floor(index / (second * window));
      const inner = Math.floor(index / window) % second;
      const channel = axis === 0 ? outer : inner;
      const row = own[axis === 0 ? inner : outer] as Float32Array;
      const magnitude = Math.abs(weights[index] as number);
      row[channel] = Math.max(row[channel] as number, magnitude);
      absMax[channel] = Math.max(absMax[channel] as number, magnitude);
      squares[channel] = (squares[channel] as number) + magnitude * magnitude;
    }
    rows.push(...own);
    windows.push(...own.map(() => window));
  }
  return { absMax, squares, rows, windows };
}
