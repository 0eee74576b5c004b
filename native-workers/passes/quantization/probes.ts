/** The samples on which a pass compares alternatives by running the model: how many it can afford, and the samples. */
import { batchSizeFor, type Observation, rowsOf } from '../../calibrate/observation.ts';
import type { Value } from '../../graph/value.ts';
import type { Feeds } from '../../lib/engine.ts';
import type { PassContext } from '../pass.ts';
import type { ComputePlan, Placement } from './placement.ts';

/**
 * Multiplications that one comparison may cost: about a minute on two cores. Work and not time is limited, so that a run can
 * be repeated to the same bytes.
 */
const MOST_MULTIPLICATIONS = 1.5e12;

/** How many samples, up to `most`, can be run `runs` times; 0 when not even one can. */
export function probeSamples(
  placement: Placement,
  observations: ReadonlyMap<Value, Observation>,
  runs: number,
  most: number,
): number {
  const perSample = multiplications(placement, observations);
  return Math.min(most, Math.floor(MOST_MULTIPLICATIONS / Math.max(1, perSample * runs)));
}

function multiplications(placement: Placement, observations: ReadonlyMap<Value, Observation>): number {
  return placement.compute.reduce((sum, plan) => sum + multiplicationsOf(plan, placement, observations), 0);
}

/** Of one layer for one sample: each element that it reads meets every output channel and a window of weights. */
export function multiplicationsOf(
  plan: ComputePlan,
  placement: Placement,
  observations: ReadonlyMap<Value, Observation>,
): number {
  const shape = plan.weight.tensor?.shape ?? [];
  const perElement = shape.reduce((product, dim) => product * dim, 1) / Math.max(1, shape[plan.inputAxis] ?? 1);
  const source = placement.values.get(plan.data)?.source ?? plan.data;
  const { elements, rows } = observations.get(plan.data) ?? observations.get(source) ?? { elements: 0, rows: 1 };
  return (elements / rows) * (perElement / plan.node.int('group', 1));
}

/** Batches of the calibration data that hold `samples` rows together, each with at most `maxBytes` of activations: the usual unless said. */
export async function* probeBatches(
  context: PassContext,
  samples: number,
  observations: ReadonlyMap<Value, Observation>,
  maxBytes?: number,
): AsyncGenerator<Feeds> {
  if (context.calibration === null) return;
  const bytes = [...observations.values()].reduce((sum, { elements, rows }) => sum + (elements * 4) / rows, 0);
  let rows = 0;
  for await (const feeds of context.calibration.batches(Math.min(samples, batchSizeFor(bytes, maxBytes)), samples)) {
    yield feeds;
    rows += rowsOf(feeds, context.calibration.batchless);
    if (rows >= samples) return;
  }
}
