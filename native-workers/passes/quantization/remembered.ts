/**
 * Calibration, rounded weights and sensitivities, taken from what the run has measured before where it was killed and is
 * resumed. The key of an answer is the model as the pass was given it, the data, the engine and all options.
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Observation } from '../../calibrate/observation.ts';
import { arraySchema, observationSchema } from '../../calibrate/observation-schema.ts';
import { CODES, type QuantizedType } from '../../calibrate/quantization-parameters.ts';
import { RANGE_METHODS } from '../../calibrate/range-methods.ts';
import { hashModel } from '../../graph/hash.ts';
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import type { Value } from '../../graph/value.ts';
import { calibrationFactsSchema } from '../../protocol/calibration-facts.ts';
import { HONE_VERSION } from '../../protocol/version.ts';
import type { PassContext } from '../pass.ts';
import type { LayerOptions } from './layer.ts';
import type { Placement } from './placement.ts';
import { type Calibration, calibrateRanges, type RangeOptions } from './ranges.ts';
import { type RoundedWeight, roundWeights } from './round-weights.ts';
import type { QuantizationTarget } from './targets.ts';

/** What decides every measurement of a pass. */
export type MeasurementKey = readonly unknown[];

export async function measurementKey(
  pass: string,
  model: Model,
  options: object,
  { engine, calibration }: PassContext,
): Promise<MeasurementKey> {
  // Data that does not say what it is is never taken for the same.
  const data = calibration === null ? null : [calibration.samples, (await calibration.identity?.()) ?? randomUUID()];
  return [pass, HONE_VERSION, engine.name, engine.version, hashModel(model), options, data];
}

const observationsSchema = z.strictObject({
  observations: z.array(z.tuple([z.string(), observationSchema])),
  /** What was noticed of the data, which is not read again. */
  noticed: calibrationFactsSchema.nullable(),
});

/** `values`: those that `measure` may observe. */
export async function rememberedObservations(
  key: MeasurementKey,
  values: Iterable<Value>,
  measure: () => Promise<ReadonlyMap<Value, Observation>>,
  { calibration, memory }: PassContext,
): Promise<ReadonlyMap<Value, Observation>> {
  const found = await memory.recall([...key, 'observations'], observationsSchema, async () => ({
    observations: named(await measure()),
    noticed: calibration?.facts?.() ?? null,
  }));
  if (found.noticed !== null) calibration?.restore?.(found.noticed);
  return unnamed(found.observations, new Map([...values].map((value) => [value.name, value])));
}

const typeSchema = z.enum(Object.keys(CODES) as [QuantizedType, ...QuantizedType[]]);

const calibrationSchema = observationsSchema.extend({
  type: typeSchema,
  parameters: z.array(
    z.tuple([z.string(), z.strictObject({ type: typeSchema, scale: z.number(), zeroPoint: z.number() })]),
  ),
  methods: z.array(z.tuple([z.string(), z.enum(RANGE_METHODS)])),
  weights: z.array(
    z.tuple([
      z.string(),
      z.strictObject({
        codes: arraySchema(Int8Array),
        scales: arraySchema(Float32Array),
        shift: arraySchema(Float64Array).nullable(),
      }),
    ]),
  ),
});

export async function rememberedCalibration(
  key: MeasurementKey,
  model: Model,
  placement: Placement,
  target: QuantizationTarget,
  options: RangeOptions & LayerOptions,
  context: PassContext,
): Promise<Calibration> {
  const { calibration, memory } = context;
  const found = await memory.recall([...key, 'calibration'], calibrationSchema, async () => {
    const measured = await calibrateRanges(model, placement, target, options, context);
    const weights = await roundWeights(model, placement, measured, target, options, context);
    return {
      type: measured.type,
      observations: named(measured.observations),
      parameters: named(measured.parameters),
      methods: named(measured.methods),
      weights: [...weights].map(([node, weight]): [string, RoundedWeight] => [layerName(node), weight]),
      noticed: calibration?.facts?.() ?? null,
    };
  });
  if (found.noticed !== null) calibration?.restore?.(found.noticed);
  const values = valuesOf(placement);
  return {
    type: found.type,
    observations: unnamed(found.observations, values),
    parameters: unnamed(found.parameters, values),
    methods: unnamed(found.methods, values),
    weights: unnamed(found.weights, new Map(placement.compute.map(({ node }) => [layerName(node), node]))),
  };
}

/** Nodes need have no name, but the name of what they make is theirs alone. */
export function layerName({ outputs, label }: Node): string {
  return outputs[0]?.name ?? label;
}

/** Every value that calibration knows something of, by its name. */
function valuesOf({ values, compute }: Placement): Map<string, Value> {
  const all = [...[...values].flatMap(([value, { source }]) => [value, source]), ...compute.map(({ data }) => data)];
  return new Map(all.map((value) => [value.name, value]));
}

function named<Item>(items: ReadonlyMap<Value, Item>): [string, Item][] {
  return [...items].map(([{ name }, item]) => [name, item]);
}

function unnamed<Key, Item>(
  items: readonly (readonly [string, Item])[],
  keys: ReadonlyMap<string, Key>,
): Map<Key, Item> {
  return new Map(
    items.flatMap(([name, item]) => {
      const key = keys.get(name);
      return key === undefined ? [] : [[key, item] as const];
    }),
  );
}
