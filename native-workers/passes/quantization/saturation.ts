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

/** Null where the target has no such CPUs, nothing can saturate, or the model is too large to emulate. */
export async function predictSaturation(
  model: Model,
  placement: Placement,
  calibration: Calibration,
  target: QuantizationTarget,
  samples: number,
  context: PassContext,
): Promise<SaturationFacts | null> {
  if (target.id !== 'cpu' || calibration.type !== 'uint8') return null;
  const affordable = probeSamples(placement, calibration.observations, RUNS_A_SAMPLE, samples);
  if (affordable < 1) return null;
  await context.progress(0, 1, 'predicting the loss on CPUs without VNNI');
  return emulateSaturation(model, probeBatches(context, affordable), affordable, context.open);
}

/** Below this agreement, or above this change of the outputs, the loss is worth a note. */
const GOOD_AGREEMENT = 0.99;
const SMALL_CHANGE = 0.01;

export function saturationNotes(facts: SaturationFacts | null): PassNote[] {
  if (facts === null || facts.layers.length === 0) return [];
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
