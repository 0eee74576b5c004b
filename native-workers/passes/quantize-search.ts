/**
 * Static INT8 with a search: which layers to quantize, so that the model is as fast as it can be within the accuracy asked for.
 *
 * Each layer's harm is measured by the change of the output distribution on a few samples (`quantization/sensitivity.ts`), its
 * gain by the profile of the float and the quantized model. Layers ordered by harm over gain give the front of mixed models,
 * from all quantized to all float (the Lagrangian of a knapsack of two choices a layer); about a dozen points of it are built,
 * timed in turns and evaluated on the user's data, and the fastest that keeps the accuracy is taken. When none is both faster
 * than float and accurate enough, the model stays float and the outcome says by how much it was missed.
 *
 * Sources: compression.md 5; its "alone" and "among" measures are averaged, which mends the additivity near a collapse.
 */
import { z } from 'zod';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { HoneError } from '../protocol/errors.ts';
import type { Live } from '../protocol/live.ts';
import { definePass, type PassContext, type PassNote, type Trial, type TrialResult } from './pass.ts';
import { refuseQuantized } from './quantization/already-quantized.ts';
import { leftNotes, withoutUncalibrated } from './quantization/apply.ts';
import { type Candidate, quantizedCopy } from './quantization/candidates.ts';
import { excludableNames, unknownExclusions } from './quantization/exclusions.ts';
import { type LayerGain, layerGains } from './quantization/gains.ts';
import { productsToGemm } from './quantization/gemm.ts';
import type { LayerOptions } from './quantization/layer.ts';
import { layerGraph } from './quantization/layer-graph.ts';
import { raiseOpset } from './quantization/opset.ts';
import { type PlacementOptions, placeQuantization } from './quantization/placement.ts';
import { multiplicationsOf } from './quantization/probes.ts';
import { ACTIVATION_METHODS, type ActivationMethod } from './quantization/ranges.ts';
import { measurementKey, rememberedCalibration } from './quantization/remembered.ts';
import { forecastSaturation, saturationNotes } from './quantization/saturation.ts';
import { type LayerSensitivity, measureSensitivity } from './quantization/sensitivity.ts';
import { QUANTIZATION_TARGETS } from './quantization/targets.ts';

export interface QuantizeSearchOptions {
  /** Where the model will run: which operators become integers, and of which sign. */
  readonly target: string;
  /** How the range of an activation is chosen from the calibration data. */
  readonly method: ActivationMethod;
  /** For the method `percentile`: share of the elements kept, in percent (50 to 100). */
  readonly percentile: number;
  /** Samples on which the layers' sensitivity is measured (1 to 1024). */
  readonly probes: number;
  /** Mixed models that are built, timed and evaluated (2 to 40). */
  readonly points: number;
  /** Largest loss of the metric, in percentage points; the budget --max-drop takes its place. */
  readonly maximumDrop: number;
  /** Weights that cannot saturate on CPUs without VNNI. */
  readonly pairSafe: boolean;
  /** Names of nodes, or operator types, that stay float whatever the search finds. */
  readonly exclude: readonly string[];
}

export const QUANTIZE_SEARCH_DEFAULTS: QuantizeSearchOptions = {
  target: 'cpu',
  method: 'output-error',
  percentile: 99.999,
  probes: 64,
  points: 12,
  maximumDrop: 0.2,
  pairSafe: false,
  exclude: [],
};

const schema = z.strictObject({
  target: z.enum(Object.keys(QUANTIZATION_TARGETS) as [string, ...string[]]).describe('Where the model will run.'),
  method: z.enum(ACTIVATION_METHODS).describe('How the range of an activation is chosen from the calibration data.'),
  percentile: z
    .number()
    .min(50)
    .max(100)
    .describe('For the method percentile: share of the elements kept, in percent.'),
  probes: z.int().min(1).max(1024).describe('Samples on which the sensitivity of the layers is measured.'),
  points: z.int().min(2).max(40).describe('Mixed models that are built, timed and evaluated.'),
  maximumDrop: z
    .number()
    .min(0)
    .max(100)
    .describe('Largest loss of the metric, in percentage points; a budget takes its place.'),
  pairSafe: z.boolean().describe('Weights that cannot saturate on CPUs without VNNI.'),
  exclude: z.array(z.string()).describe('Names of nodes, or operator types, that stay float.'),
});

/** Samples on which the loss on CPUs without VNNI is predicted. */
const SATURATION_SAMPLES = 8;

/** One verified point of the front, as the report shows it. */
export interface SearchPoint {
  readonly float: readonly string[];
  readonly ms: number;
  readonly bytes: number;
  readonly metric: string;
  /** Percentage points lost. */
  readonly drop: number;
  readonly chosen: boolean;
}

export const quantizeSearch = definePass(
  {
    id: 'quantize-search',
    title: 'INT8 with search',
    summary: 'Quantizes the layers that gain speed within the accuracy asked for, and leaves the others float.',
    family: 'quantize',
    lossy: true,
    needs: ['engine', 'calibration', 'trial'],
  },
  QUANTIZE_SEARCH_DEFAULTS,
  schema,
  async (model, options, context) => {
    const { trial } = context;
    const target = QUANTIZATION_TARGETS[options.target];
    if (target === undefined || trial === null)
      throw new HoneError('invalid-options', `target: ${options.target} is no target.`);
    refuseQuantized(model, null, context.earlier);
    const exclude = new Set(options.exclude);
    const names = excludableNames(model.graph);
    if (target.kernels !== null) productsToGemm(model, await context.types(model), exclude);
    const unknown = unknownExclusions(options.exclude, names, excludableNames(model.graph));
    const layerOptions: LayerOptions = {
      weightScale: 'least-squares',
      rounding: 'output-error',
      pairSafe: options.pairSafe,
      biasCorrection: true,
    };
    let placing: PlacementOptions = {
      target,
      exclude,
      depthwise: target.depthwise,
      minimumWeights: 64,
    };
    let placement = placeQuantization(model.graph, placing);
    if (placement.compute.length === 0) {
      const notes = [...unknown, ...leftNotes(placement)];
      return { status: 'unchanged', reason: 'No node has a float weight that this target runs on integers.', notes };
    }
    const tooOld = raiseOpset(model);
    if (tooOld !== null) return { status: 'unchanged', reason: tooOld };
    const key = await measurementKey('quantize-search', model, options, context);
    const calibrating = { ...options, ...layerOptions, activationBits: 8 } as const;
    const calibration = await rememberedCalibration(key, model, placement, target, calibrating, context);
    const dropped = withoutUncalibrated(placement, calibration);
    if (dropped.size > 0) {
      const reason = 'its activations were never finite on the calibration data';
      placing = { ...placing, excludeNodes: new Map([...dropped].map((node) => [node, reason])) };
      placement = placeQuantization(model.graph, placing);
      if (placement.compute.length === 0)
        return { status: 'unchanged', reason: `No layer can be calibrated: ${reason}.` };
    }
    const sensitivities = await measureSensitivity(
      key,
      model,
      placement,
      calibration,
      target,
      layerOptions,
      options.probes,
      context,
    );
    const build = (float: ReadonlySet<Node>): Candidate =>
      quantizedCopy(model, float, calibration, placing, layerOptions);
    const gains = layerGains(
      placement.compute,
      await trial.profile(model),
      await trial.profile(build(new Set()).model),
      (plan) => multiplicationsOf(plan, placement, calibration.observations),
    );
    const candidates = frontOf(sensitivities, gains, options.points).map(build);
    const { points, best } = await verify(model, candidates, options, trial, context);
    const details = {
      layers: layerGraph(model.graph, target),
      search: points,
      sensitivity: sensitivities.map(({ plan, alone, among }) => ({
        node: plan.node.label,
        operator: plan.node.opType,
        alone,
        among,
        gainMs: measuredGain(gains.get(plan.node)),
        float: best?.float.has(plan.node) ?? true,
      })),
    };
    if (best === null)
      return { status: 'unchanged', reason: missedBy(points, options, trial), notes: unknown, details };
    model.graph = best.model.graph;
    for (const [domain, version] of best.model.opsets) model.opsets.set(domain, version);
    const saturation = await forecastSaturation(
      model,
      placement,
      calibration,
      target,
      { pairSafe: options.pairSafe, samples: SATURATION_SAMPLES },
      context,
    );
    return {
      status: 'changed',
      counts: { ...best.applied.counts, 'layers left float by the search': best.float.size },
      notes: [...unknown, ...missedNotes(points, trial), ...best.applied.notes, ...saturationNotes(saturation)],
      expects: best.applied.expects,
      details: { ...details, quantization: best.applied.layers, saturation },
    };
  },
);

/** What the report shows: null for a gain that was only estimated. */
function measuredGain(gain: LayerGain | undefined): number | null {
  return gain?.measured === true ? gain.ms : null;
}

/**
 * Sets of layers to keep float, from none to all but a few: the first k layers of the order of harm over gain. Layers that
 * gain nothing come first, since leaving them float costs nothing. The k are denser where few layers stay float.
 */
function frontOf(
  layers: readonly LayerSensitivity[],
  gains: ReadonlyMap<Node, LayerGain>,
  points: number,
): Set<Node>[] {
  const worth = ({ plan, alone, among }: LayerSensitivity): number => {
    const harm = Math.max((alone + among) / 2, 1e-12);
    const gain = gains.get(plan.node)?.ms ?? 0;
    return gain <= 0 ? Number.POSITIVE_INFINITY : harm / gain;
  };
  const order = [...layers].sort((a, b) => worth(b) - worth(a));
  const useless = order.filter((layer) => worth(layer) === Number.POSITIVE_INFINITY).length;
  // With all layers float it would be the float model.
  const counts = new Set([0, Math.min(useless, layers.length - 1)]);
  for (let step = 1; step < points - 1; step++) {
    counts.add(Math.min(layers.length - 1, Math.round(layers.length * (step / (points - 1)) ** 2) || step));
  }
  return [...counts]
    .sort((a, b) => a - b)
    .slice(0, points)
    .map((count) => new Set(order.slice(0, count).map(({ plan }) => plan.node)));
}

/** Evaluates and times the candidates; the best is the fastest that is faster than float and keeps all budgets. */
async function verify(
  model: Model,
  candidates: readonly Candidate[],
  options: QuantizeSearchOptions,
  trial: Trial,
  context: PassContext,
): Promise<{ points: SearchPoint[]; best: Candidate | null }> {
  const { maxDrop = options.maximumDrop, maxMs, maxMb } = trial.budgets;
  const results: TrialResult[] = [];
  const sizes = candidates.map((candidate) => trial.bytes(candidate.model));
  const soFar = (): Live => ({
    kind: 'search',
    metric: results[0]?.metric ?? '',
    maximumDrop: maxDrop,
    points: results.map(({ drop }, index) => ({
      float: candidates[index]?.float.size ?? 0,
      drop,
      bytes: sizes[index] ?? 0,
    })),
  });
  let leastDrop = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const best = Number.isFinite(leastDrop)
      ? `; least loss so far ${leastDrop.toFixed(2)} points of ${results[0]?.metric}`
      : '';
    await context.progress(results.length, candidates.length, `evaluating mixed models${best}`, soFar());
    const result = await trial.evaluate(candidate.model);
    leastDrop = Math.min(leastDrop, result.drop);
    results.push(result);
  }
  await context.progress(candidates.length, candidates.length, 'timing mixed models', soFar());
  const [floatMs = 0, ...times] = await trial.measure([model, ...candidates.map((candidate) => candidate.model)]);
  const rows = candidates.map((candidate, index) => ({
    candidate,
    result: results[index] as TrialResult,
    ms: times[index] ?? Number.POSITIVE_INFINITY,
    bytes: sizes[index] ?? 0,
  }));
  const fitting = rows
    .filter(
      ({ result, ms, bytes }) =>
        result.drop <= maxDrop + 1e-9 && ms < floatMs && bytes <= (maxMb ?? Number.POSITIVE_INFINITY) * 1e6,
    )
    .sort((a, b) => a.ms - b.ms);
  const chosen = fitting.find(({ ms }) => ms <= (maxMs ?? Number.POSITIVE_INFINITY)) ?? fitting[0] ?? null;
  const points = rows.map((row) => ({
    float: [...row.candidate.float].map((node) => node.label),
    ms: row.ms,
    bytes: row.bytes,
    metric: row.result.metric,
    drop: row.result.drop,
    chosen: row === chosen,
  }));
  points.push({
    float: ['all layers'],
    ms: floatMs,
    bytes: trial.bytes(model),
    metric: points[0]?.metric ?? '',
    drop: 0,
    chosen: chosen === null,
  });
  return { points, best: chosen?.candidate ?? null };
}

/** By how much the budgets are missed, of the mix that comes closest. */
function missedBy(points: readonly SearchPoint[], options: QuantizeSearchOptions, trial: Trial): string {
  const { maxDrop = options.maximumDrop, maxMb } = trial.budgets;
  const mixed = points.slice(0, -1);
  const float = points.at(-1);
  const closest = least(mixed, ({ drop }) => drop);
  if (closest.drop > maxDrop) {
    return `No mix of INT8 and float keeps the loss of ${closest.metric} to ${maxDrop} points: the closest loses ${closest.drop.toFixed(2)}, ${(closest.drop - maxDrop).toFixed(2)} too many. The model stays float.`;
  }
  const smallest = least(mixed, ({ bytes }) => bytes);
  if (maxMb !== undefined && smallest.bytes > maxMb * 1e6) {
    const over = (smallest.bytes / 1e6 - maxMb).toFixed(2);
    return `No mix of INT8 and float is within ${maxMb} MB: the smallest is ${over} MB too large. The model stays float.`;
  }
  const within = mixed.filter(
    ({ drop, bytes }) => drop <= maxDrop && bytes <= (maxMb ?? Number.POSITIVE_INFINITY) * 1e6,
  );
  if (within.length === 0) return 'No mix of INT8 and float keeps all budgets at once. The model stays float.';
  const fastest = least(within, ({ ms }) => ms);
  return `No mix of INT8 and float within the budgets is faster than the float model on this machine: the fastest takes ${fastest.ms.toFixed(2)} ms, float ${(float?.ms ?? 0).toFixed(2)}. The model stays float.`;
}

function least(points: readonly SearchPoint[], by: (point: SearchPoint) => number): SearchPoint {
  return points.reduce((best, point) => (by(point) < by(best) ? point : best), points[0] as SearchPoint);
}

/** What of the user's budgets the chosen mix does not reach. */
function missedNotes(points: readonly SearchPoint[], trial: Trial): PassNote[] {
  const chosen = points.find((point) => point.chosen);
  const { maxMs } = trial.budgets;
  if (chosen === undefined || maxMs === undefined || chosen.ms <= maxMs) return [];
  return [
    {
      message: `No mix takes at most ${maxMs} ms: this one, the fastest, takes ${chosen.ms.toFixed(2)} ms, ${(chosen.ms - maxMs).toFixed(2)} ms too slow.`,
    },
  ];
}
