/** From a placement and calibration data to the quantization parameters of every activation in it. */
import { FakeQuantization, type FakeQuantizationPlan } from '../../calibrate/fake-quantization.ts';
import type { Observation } from '../../calibrate/observation.ts';
import { observe } from '../../calibrate/observe.ts';
import { outputChange } from '../../calibrate/output-change.ts';
import {
  CODES,
  parametersFor,
  type QuantizationParameters,
  type QuantizedType,
} from '../../calibrate/quantization-parameters.ts';
import { chooseRange, RANGE_METHODS, type RangeMethod } from '../../calibrate/range-methods.ts';
import { readerErrors } from '../../calibrate/reader-error.ts';
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import type { ValueType } from '../../graph/types.ts';
import type { Value } from '../../graph/value.ts';
import type { Feeds } from '../../lib/engine.ts';
import { HoneError } from '../../protocol/errors.ts';
import type { PassContext } from '../pass.ts';
import { signalToNoise } from './activation-facts.ts';
import type { Placement } from './placement.ts';
import { probeBatches, probeSamples } from './probes.ts';
import type { RoundedWeight } from './round-weights.ts';
import type { QuantizationTarget } from './targets.ts';

export const ACTIVATION_METHODS = ['output-error', ...RANGE_METHODS] as const;
export type ActivationMethod = (typeof ACTIVATION_METHODS)[number];

export interface RangeOptions {
  readonly method: ActivationMethod;
  readonly percentile: number;
  readonly activationBits: 8 | 16;
}

export interface Calibration {
  readonly observations: ReadonlyMap<Value, Observation>;
  /** By source value; a value that was never finite has none. */
  readonly parameters: ReadonlyMap<Value, QuantizationParameters>;
  /** Which method set the range of a source. */
  readonly methods: ReadonlyMap<Value, RangeMethod>;
  readonly type: QuantizedType;
  /** Weights that were rounded by the calibration data; the others round to nearest. */
  readonly weights: ReadonlyMap<Node, RoundedWeight>;
}

/**
 * Samples on which candidate ranges are compared: at their readers, where each has many rows, and at the model's outputs; fewer
 * where the runs that this takes would be more than a walk over the calibration data, but not below the least.
 */
const READER_SAMPLES = 8;
const OUTPUT_SAMPLES = 32;
const FEWEST_SAMPLES = 4;

/**
 * The order of candidates, the least squared error first. A later one must change the outputs by a tenth less to take its
 * place: on a few dozen samples, smaller differences are noise (measured on the MobileNetV2 of the reference models).
 */
const CANDIDATE_ORDER: readonly RangeMethod[] = ['mse', ...RANGE_METHODS.filter((method) => method !== 'mse')];
const REQUIRED_GAIN = 0.9;
/** Ranges whose own squared error is more than this many times the least are not tried: answers moved as little as with four times. */
const HOPELESS = 2;
/** Candidates whose error at the readers is within this factor of the least are compared at the outputs of the model. */
const NEAR = 2;

export async function calibrateRanges(
  model: Model,
  placement: Placement,
  target: QuantizationTarget,
  options: RangeOptions,
  context: PassContext,
): Promise<Calibration> {
  const { calibration } = context;
  if (calibration === null) throw new HoneError('data-missing', 'Static INT8 needs calibration data.');
  const sources = new Set([...placement.values.values()].map(({ source }) => source));
  const observations = await observe({
    model,
    // What a layer reads may take its parameters from elsewhere, but its means are its own.
    values: [...new Set([...sources, ...placement.compute.map((plan) => plan.data)])],
    channels: channelsOf(placement, await context.types(model)),
    batches: (batchSize) => calibration.batches(batchSize),
    samples: calibration.samples,
    batchless: calibration.batchless,
    open: context.open,
    progress: context.progress,
    histograms: options.method !== 'minmax' && options.method !== 'moving-average',
  });
  const type = activationType(target, options.activationBits);
  const methods = new Map<Value, RangeMethod>();
  const parameters = new Map<Value, QuantizationParameters>();
  const { method } = options;
  const ranged = new Map([...observations].filter(([value]) => sources.has(value)));
  if (method === 'output-error') {
    const chosen = await chooseByOutputError(model, placement, ranged, target, options, type, context);
    for (const [source, candidate] of chosen) {
      parameters.set(source, candidate.parameters);
      methods.set(source, candidate.method);
    }
  } else {
    for (const [source, observation] of ranged) {
      parameters.set(source, candidateOf(method, observation, target, options, type).parameters);
      methods.set(source, method);
    }
  }
  return { observations, parameters, methods, type, weights: new Map() };
}

/** The channel axis and the rank of what each layer reads; values of unknown rank are left out. */
function channelsOf(
  placement: Placement,
  types: ReadonlyMap<Value, ValueType>,
): Map<Value, { axis: number; rank: number }> {
  const channels = new Map<Value, { axis: number; rank: number }>();
  for (const { node, data, weight, dataAxis } of placement.compute) {
    const type = data.type ?? types.get(data);
    const known = type?.kind === 'tensor' ? type.shape?.length : undefined;
    const rank = node.opType === 'MatMul' ? known : weight.tensor?.shape.length;
    if (rank !== undefined && rank > 0) channels.set(data, { axis: dataAxis, rank });
  }
  return channels;
}

function activationType(target: QuantizationTarget, bits: 8 | 16): QuantizedType {
  if (bits === 8) return target.activation;
  return target.activation === 'uint8' ? 'uint16' : 'int16';
}

interface Candidate {
  readonly method: RangeMethod;
  readonly parameters: QuantizationParameters;
}

function candidateOf(
  method: RangeMethod,
  observation: Observation,
  target: QuantizationTarget,
  options: RangeOptions,
  type: QuantizedType,
): Candidate {
  const steps = CODES[type].high - CODES[type].low;
  const range = chooseRange(method, observation, { percentile: options.percentile, steps });
  // The kernels of 16-bit activations know no zero point (TFLite 16x8).
  return { method, parameters: parametersFor(range, type, target.activationSymmetric || type === 'int16') };
}

/**
 * The candidate of each activation that changes least what the nodes that read it make: one run of the model judges them all.
 * What matrix products read is judged by the outputs of the whole model: in transformers a few large elements carry the signal,
 * and clipping them costs less at the reader than further on. With 64 and 16 samples at the readers instead of 8 nothing
 * changed but noise.
 *
 * Measured, one run each, as the Kullback-Leibler divergence of the INT8 model's answers in 1e-3: 1.193 (glyphs-mobilenetv2), 0.222
 * (glyphs-resnet) and 0.0112 (langid-bert); with every candidate judged by the whole model, which is twenty times the work, 1.305,
 * 0.227 and 0.0098; with least squared error alone 1.219, 0.218 and 0.0136.
 */
async function chooseByOutputError(
  model: Model,
  placement: Placement,
  observations: ReadonlyMap<Value, Observation>,
  target: QuantizationTarget,
  options: RangeOptions,
  type: QuantizedType,
  context: PassContext,
): Promise<Map<Value, Candidate>> {
  const chosen = new Map<Value, Candidate>();
  const contested = new Map<Value, Candidate[]>();
  for (const [source, observation] of observations) {
    const candidates: Candidate[] = [];
    for (const method of CANDIDATE_ORDER) {
      const candidate = candidateOf(method, observation, target, options, type);
      if (!candidates.some((other) => alike(other.parameters, candidate.parameters))) candidates.push(candidate);
    }
    const [first] = candidates;
    if (first !== undefined) chosen.set(source, first);
    const hopeful = withoutHopeless(candidates, observation);
    if (hopeful.length > 1) contested.set(source, hopeful);
  }
  const close = await compareAtReaders(model, placement, observations, contested, context);
  for (const [source, [best]] of close) if (best !== undefined) chosen.set(source, best);
  const products = new Map(
    [...close].filter(([source, candidates]) => candidates.length > 1 && feedsProduct(source, placement, model)),
  );
  for (const [source, best] of await compareAtOutputs(model, placement, observations, products, type, context))
    chosen.set(source, best);
  return chosen;
}

/** Without those whose own error, by the histogram, is so many times the least that no reader could make up for it. */
function withoutHopeless(candidates: readonly Candidate[], observation: Observation): Candidate[] {
  const ratios = candidates.map(({ parameters }) => signalToNoise(observation, parameters) ?? Number.POSITIVE_INFINITY);
  const best = Math.max(...ratios);
  return candidates.filter((_, index) => !Number.isFinite(best) || (ratios[index] as number) * HOPELESS >= best);
}

/** The candidates of each source whose error at its readers is near the least, the least first; none for a model too large. */
async function compareAtReaders(
  model: Model,
  placement: Placement,
  observations: ReadonlyMap<Value, Observation>,
  contested: ReadonlyMap<Value, readonly Candidate[]>,
  context: PassContext,
): Promise<Map<Value, Candidate[]>> {
  const most = Math.max(0, ...[...contested.values()].map((candidates) => candidates.length));
  if (most === 0) return new Map();
  const samples = probeSamples(placement, observations, most + 1, withinOneWalk(READER_SAMPLES, most + 1, context));
  if (samples < 1) {
    context.log('The model is too large to compare ranges by output error; each has the least squared error instead.');
    return new Map();
  }
  await context.progress(0, 1, 'ranges by output error');
  const judged = [...placement.values].flatMap(([value, { source, everyReader }]) => {
    const candidates = contested.get(source);
    if (candidates === undefined) return [];
    const readers = readersOf(value, placement, everyReader);
    return [{ source, value, readers, candidates: candidates.map(({ parameters }) => parameters) }];
  });
  const errors = await readerErrors(model, judged, probeBatches(context, samples, observations), context.open);
  const bySource = new Map<Value, number[]>();
  for (const [index, { source }] of judged.entries()) {
    const sums = bySource.get(source);
    bySource.set(source, errors[index]?.map((error, candidate) => error + (sums?.[candidate] ?? 0)) ?? []);
  }
  return new Map(
    [...contested].map(([source, candidates]) => {
      const sums = bySource.get(source) ?? [];
      const errorOf = (candidate: Candidate): number => sums[candidates.indexOf(candidate)] ?? Number.POSITIVE_INFINITY;
      const ordered = [...candidates].sort((a, b) => errorOf(a) - errorOf(b));
      const least = errorOf(ordered[0] as Candidate);
      return [source, ordered.filter((candidate) => errorOf(candidate) <= least * NEAR)];
    }),
  );
}

/** Whether a matrix product reads the source and other nodes work on with its result. */
function feedsProduct(source: Value, placement: Placement, model: Model): boolean {
  const outputs = new Set(model.graph.outputs);
  return placement.compute.some(
    ({ node, data }) =>
      node.is('MatMul', 'Gemm') &&
      placement.values.get(data)?.source === source &&
      !node.outputs.some((output) => output !== null && outputs.has(output)),
  );
}

/** Tries the candidates of each source alone, and keeps the one that changes the model's outputs least. */
async function compareAtOutputs(
  model: Model,
  placement: Placement,
  observations: ReadonlyMap<Value, Observation>,
  contested: ReadonlyMap<Value, readonly Candidate[]>,
  type: QuantizedType,
  context: PassContext,
): Promise<Map<Value, Candidate>> {
  const chosen = new Map<Value, Candidate>();
  const runs = [...contested.values()].reduce((sum, candidates) => sum + candidates.length, 0);
  const samples = probeSamples(placement, observations, runs, withinOneWalk(OUTPUT_SAMPLES, runs, context));
  if (runs === 0 || samples < 1) return chosen;
  const whole = fakeQuantizationPlan(placement, new Map(), type);
  const plan = { ...whole, values: whole.values.filter(({ source }) => contested.has(source)) };
  const session = await FakeQuantization.open(model, plan, context.open);
  try {
    const off = { parameters: new Map(), values: new Set<Value>(), weights: new Set<Node>() };
    const probes: { feeds: Feeds; reference: Feeds }[] = [];
    for await (const feeds of probeBatches(context, samples, observations))
      probes.push({ feeds, reference: await session.run(feeds, off) });
    let done = 0;
    for (const [source, candidates] of contested) {
      let best = Number.POSITIVE_INFINITY;
      for (const method of CANDIDATE_ORDER) {
        const candidate = candidates.find((each) => each.method === method);
        if (candidate === undefined) continue;
        const setting = {
          parameters: new Map([[source, candidate.parameters]]),
          values: new Set([source]),
          weights: new Set<Node>(),
        };
        let change = 0;
        for (const { feeds, reference } of probes) {
          change += outputChange(reference, await session.run(feeds, setting));
          // What is lost already cannot be won back: changes only add up.
          if (change >= best * REQUIRED_GAIN) break;
        }
        if (change < best * REQUIRED_GAIN) {
          best = change;
          chosen.set(source, candidate);
        }
        await context.progress(++done, runs, 'ranges by output error');
      }
    }
  } finally {
    await session.release();
  }
  return chosen;
}

function withinOneWalk(most: number, runs: number, { calibration }: PassContext): number {
  const affordable = Math.floor((calibration?.samples ?? 0) / Math.max(1, runs));
  return Math.min(most, Math.max(FEWEST_SAMPLES, affordable));
}

/** Two sets of parameters so near each other that answers move as much with either (measured at 2, 5 and 10 %). */
function alike(a: QuantizationParameters, b: QuantizationParameters): boolean {
  return Math.abs(a.scale / b.scale - 1) < 0.1 && Math.abs(a.zeroPoint - b.zeroPoint) <= 1;
}

/** The placement as switches: the same values, readers and outputs that `insert.ts` writes. `changes`: Q(W) - W by node. */
export function fakeQuantizationPlan(
  placement: Placement,
  changes: ReadonlyMap<Node, Float32Array>,
  type: QuantizedType,
): FakeQuantizationPlan {
  return {
    type,
    values: [...placement.values].map(([value, { source, everyReader }]) => ({
      value,
      source,
      readers: readersOf(value, placement, everyReader),
      outputs: everyReader,
    })),
    weights: placement.compute.flatMap((plan) => {
      const change = changes.get(plan.node);
      return change === undefined ? [] : [{ node: plan.node, weight: plan.weight, change }];
    }),
  };
}

/** The nodes that read the dequantized value: all of them, or those that run on integers. */
export function readersOf(value: Value, placement: Placement, everyReader: boolean): Node[] {
  const readers = [...value.consumers];
  return everyReader ? readers : readers.filter((node) => placement.integerNodes.has(node));
}
