/**
 * How much each layer's quantization changes the outputs of the model, measured and not estimated: norms of weight errors rank
 * layers worse than chance, while the change of the output distribution on 64 samples ranks them as the truth does
 * (Spearman .95 to .99, compression.md 5).
 */
import { z } from 'zod';
import { FakeQuantization, type FakeQuantizationSetting } from '../../calibrate/fake-quantization.ts';
import { outputChange } from '../../calibrate/output-change.ts';
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import type { Value } from '../../graph/value.ts';
import type { Feeds } from '../../lib/engine.ts';
import { type Live, MOST_LIVE } from '../../protocol/live.ts';
import type { PassContext } from '../pass.ts';
import type { LayerOptions } from './layer.ts';
import { layerWeight } from './layer-weight.ts';
import type { ComputePlan, Placement } from './placement.ts';
import { probeBatches, probeSamples } from './probes.ts';
import { type Calibration, fakeQuantizationPlan } from './ranges.ts';
import { layerName, type MeasurementKey } from './remembered.ts';
import type { QuantizationTarget } from './targets.ts';

export interface LayerSensitivity {
  readonly plan: ComputePlan;
  /** Change of the outputs with this layer alone quantized (KL in nats, or error over power). */
  readonly alone: number;
  /** How much the change of the whole quantized model shrinks when this layer stays float; it can be negative by noise. */
  readonly among: number;
}

const changesSchema = z.strictObject({ alone: z.number(), among: z.number() });

/**
 * Sensitivity of every layer of the placement on the first `samples` of the calibration data. What an earlier try of the run
 * measured under `key` is not measured again.
 */
export async function measureSensitivity(
  key: MeasurementKey,
  model: Model,
  placement: Placement,
  calibration: Calibration,
  target: QuantizationTarget,
  options: LayerOptions,
  samples: number,
  context: PassContext,
): Promise<LayerSensitivity[]> {
  let prober: Prober | undefined;
  try {
    const found: LayerSensitivity[] = [];
    for (const plan of placement.compute) {
      const changes = await context.memory.recall(
        [...key, 'sensitivity', layerName(plan.node)],
        changesSchema,
        async () => {
          prober ??= await Prober.open(model, placement, calibration, target, options, samples, context);
          return prober.changesOf(plan);
        },
      );
      found.push({ plan, ...changes });
      await context.progress(found.length, placement.compute.length, 'sensitivity by layer', liveSensitivity(found));
    }
    return found;
  } finally {
    await prober?.close();
  }
}

/** The fake-quantized model with the samples, on which layers are switched on and off. */
class Prober {
  readonly #session: FakeQuantization;
  readonly #placement: Placement;
  readonly #calibration: Calibration;
  readonly #probes: readonly { readonly feeds: Feeds; readonly reference: Feeds }[];
  /** Change with all layers quantized. */
  readonly #whole: number;

  private constructor(
    session: FakeQuantization,
    placement: Placement,
    calibration: Calibration,
    probes: readonly { readonly feeds: Feeds; readonly reference: Feeds }[],
    whole: number,
  ) {
    this.#session = session;
    this.#placement = placement;
    this.#calibration = calibration;
    this.#probes = probes;
    this.#whole = whole;
  }

  static async open(
    model: Model,
    placement: Placement,
    calibration: Calibration,
    target: QuantizationTarget,
    options: LayerOptions,
    samples: number,
    context: PassContext,
  ): Promise<Prober> {
    const changes = new Map<Node, Float32Array>();
    for (const plan of placement.compute) changes.set(plan.node, weightChange(plan, calibration, target, options));
    const plan = fakeQuantizationPlan(placement, changes, calibration.type);
    const session = await FakeQuantization.open(model, plan, context.open);
    try {
      const nothing = settingOf([], placement, calibration);
      const runs = 2 * placement.compute.length + 2;
      const affordable = Math.max(1, probeSamples(placement, calibration.observations, runs, samples));
      const probes: { feeds: Feeds; reference: Feeds }[] = [];
      for await (const feeds of probeBatches(context, affordable, calibration.observations)) {
        probes.push({ feeds, reference: await session.run(feeds, nothing) });
      }
      const whole = await changeOf(session, probes, settingOf(placement.compute, placement, calibration));
      return new Prober(session, placement, calibration, probes, whole);
    } catch (thrown) {
      await session.release();
      throw thrown;
    }
  }

  async changesOf(layer: ComputePlan): Promise<Pick<LayerSensitivity, 'alone' | 'among'>> {
    const others = this.#placement.compute.filter((other) => other !== layer);
    const change = (layers: readonly ComputePlan[]): Promise<number> =>
      changeOf(this.#session, this.#probes, settingOf(layers, this.#placement, this.#calibration));
    const alone = await change([layer]);
    return { alone, among: this.#whole - (await change(others)) };
  }

  close(): Promise<void> {
    return this.#session.release();
  }
}

async function changeOf(
  session: FakeQuantization,
  probes: readonly { readonly feeds: Feeds; readonly reference: Feeds }[],
  setting: FakeQuantizationSetting,
): Promise<number> {
  let sum = 0;
  for (const { feeds, reference } of probes) sum += outputChange(reference, await session.run(feeds, setting));
  return sum / Math.max(1, probes.length);
}

function liveSensitivity(found: readonly LayerSensitivity[]): Live {
  const layers = found
    .map(({ plan, alone }) => ({ node: plan.node.label, change: alone }))
    .sort((a, b) => b.change - a.change)
    .slice(0, MOST_LIVE);
  return { kind: 'sensitivity', total: found.length, layers };
}

/** The layers' weights, and the activations that they read or end with. */
function settingOf(
  layers: readonly ComputePlan[],
  placement: Placement,
  calibration: Calibration,
): FakeQuantizationSetting {
  const values = new Set<Value>();
  for (const { data, output } of layers) {
    for (const value of [data, output]) {
      const source = value === null ? undefined : placement.values.get(value)?.source;
      if (source !== undefined) values.add(source);
    }
  }
  return { parameters: calibration.parameters, values, weights: new Set(layers.map(({ node }) => node)) };
}

function weightChange(
  plan: ComputePlan,
  calibration: Calibration,
  target: QuantizationTarget,
  options: LayerOptions,
): Float32Array {
  const { source, view, nearest } = layerWeight(plan, null, target, options);
  const { codes, scales } = calibration.weights.get(plan.node) ?? nearest();
  const change = new Float32Array(source.length);
  for (let channel = 0; channel < view.channels; channel++) {
    const scale = scales[channel] as number;
    for (let index = 0; index < view.length; index++) {
      const at = channel * view.channelStride + index * view.elementStride;
      change[at] = (codes[at] as number) * scale - (source[at] as number);
    }
  }
  return change;
}
