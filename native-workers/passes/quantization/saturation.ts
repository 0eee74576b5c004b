/** The loss that a quantized model would have on CPUs without VNNI, predicted here and said. */
import { emulateSaturation, type SaturationFacts } from '../../calibrate/saturation.ts';
import type { Model } from '../../graph/model.ts';
import type { PassContext, PassNote } from '../pass.ts';
import type { Placement } from './placement.ts';
import { probeBatches, probeSamples } from './probes.ts';
import type { Calibration } from './ranges.ts';
import type { QuantizationTarget } from './targets.ts';

/** An emulated sample costs about as much as this many runs. */
const RUNS_A_SAMPLE = 40;
/** Activations of a batch that is emulated, which holds them several times. */
const EMULATED_BYTES = 8 << 20;

/** Why nothing was emulated. `safe`: no sum of the model can saturate on these CPUs; else nobody knows. */
export interface NoForecast {
  readonly safe: boolean;
  readonly reason: string;
}

export type SaturationForecast = SaturationFacts | NoForecast;

export interface ForecastOptions {
  /** The weights were made such that no pair of products can saturate. */
  readonly pairSafe: boolean;
  /** Samples to emulate, at most; 0 for none. */
  readonly samples: number;
}

/** Emulates the quantized model on the first samples of the calibration data, where it can saturate and is not too large. */
export async function forecastSaturation(
  model: Model,
  placement: Placement,
  calibration: Calibration,
  target: QuantizationTarget,
  { pairSafe, samples }: ForecastOptions,
  context: PassContext,
): Promise<SaturationForecast> {
  if (target.id !== 'cpu' || calibration.type !== 'uint8')
    return { safe: true, reason: 'The target does not compute with the instructions that saturate.' };
  if (pairSafe) return { safe: true, reason: 'The weights are pair-safe: no pair of products can saturate.' };
  if (samples === 0) return { safe: false, reason: 'The forecast was left out, as saturationSamples is 0.' };
  const affordable = probeSamples(
    placement,
    calibration.observations,
    RUNS_A_SAMPLE,
    Math.min(samples, context.calibration?.samples ?? samples),
  );
  if (affordable < 1)
    return { safe: false, reason: 'The model is too large to emulate: one sample would take more than a minute.' };
  await context.progress(0, 1, 'predicting the loss on CPUs without VNNI');
  const facts = await emulateSaturation(
    model,
    probeBatches(context, affordable, calibration.observations, EMULATED_BYTES),
    affordable,
    context.open,
    context.calibration?.batchless,
  );
  return (
    facts ?? { safe: true, reason: 'No weights of the model are large enough for a pair of products to saturate.' }
  );
}

/** Below this agreement, or above this change of the outputs, the loss is worth a note. */
const GOOD_AGREEMENT = 0.99;
const SMALL_CHANGE = 0.01;

export function saturationNotes(facts: SaturationForecast): PassNote[] {
  if ('reason' in facts || facts.layers.length === 0) return [];
  const { agreement, change, layers, samples } = facts;
  if ((agreement ?? 1) >= GOOD_AGREEMENT && change <= SMALL_CHANGE) return [];
  const [worst] = layers;
  const answers =
    agreement === null
      ? `the outputs change by ${change.toPrecision(2)}`
      : `${((1 - agreement) * 100).toFixed(1)} % of the answers change`;
  return [
    {
      message: `On CPUs without VNNI sums of products saturate: there ${answers}, as emulated on ${samples} samples. The option pairSafe avoids it.`,
      ...(worst === undefined ? {} : { node: worst.node }),
    },
  ];
}
