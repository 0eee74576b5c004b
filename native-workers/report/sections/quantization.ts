/** What was quantized, layer by layer: ranges, errors of the weights, and what the search for float layers measured. */
import { z } from 'zod';
import type { PassRow } from '../../protocol/facts.ts';
import { absenceOf } from '../input.ts';
import { measured, notApplicable } from '../outcome.ts';
import { defineSection } from '../section.ts';

const layerSchema = z.strictObject({
  node: z.string(),
  operator: z.string(),
  /** Name of the input's value. */
  value: z.string().nullable(),
  /** Of the input's numbers, in float; null where the range is taken while running, or the input stays float. */
  input: z.strictObject({ min: z.number(), max: z.number(), scale: z.number(), zeroPoint: z.number() }).nullable(),
  /** What the codes of the input can stand for; null where that was not told. */
  kept: z.strictObject({ min: z.number(), max: z.number() }).nullable(),
  /** Norm of the rounding error of the weights over the norm of the weights; null where it was not taken. */
  weightError: z.number().nullable(),
  /** Share of the input's numbers that are clipped, and how its range was chosen; null where that was not taken. */
  clipped: z.number().nullable(),
  method: z.string().nullable(),
  /** Expected signal-to-noise ratio of the layer's sums in dB. */
  sqnrDb: z.number().nullable(),
  /** Numbers of the input by even steps from its smallest to its largest; null where they were not counted. */
  histogram: z.array(z.number()).nullable(),
});
export type QuantizedLayer = z.infer<typeof layerSchema>;

const sensitivitySchema = z.strictObject({
  node: z.string(),
  operator: z.string(),
  /** Change of the outputs with this layer alone quantized (KL in nats, or error over power). */
  alone: z.number(),
  /** Milliseconds that quantizing the layer saves; null when it was not measured. */
  gainMs: z.number().nullable(),
  /** Left float by the search. */
  float: z.boolean(),
});

const pointSchema = z.strictObject({
  /** How many layers this candidate leaves float; null: it is the float model itself. */
  float: z.number().nullable(),
  ms: z.number(),
  bytes: z.number(),
  metric: z.string(),
  /** Percentage points lost. */
  drop: z.number(),
  chosen: z.boolean(),
});

/** A layer that could be quantized, in the order of the graph. */
const linkSchema = z.strictObject({
  node: z.string(),
  operator: z.string(),
  /** Layers whose results it reads, by their place in the list. */
  after: z.array(z.number().int().nonnegative()),
});

export const quantizationSchema = z.strictObject({
  /** By pass, the layers with the largest error first. */
  passes: z.array(z.strictObject({ pass: z.string(), title: z.string(), layers: z.array(layerSchema) })),
  /** What stays float by plan, and why. */
  left: z.array(z.strictObject({ node: z.string(), reason: z.string() })),
  /** The layers and which feeds which; empty where a pass did not tell. */
  graph: z.array(linkSchema),
  /** Most sensitive first; empty when no search was made. */
  sensitivity: z.array(sensitivitySchema),
  /** The candidates that a search measured, as they came. */
  search: z.array(pointSchema),
});
export type QuantizationSection = z.infer<typeof quantizationSchema>;

export const quantization = defineSection(quantizationSchema, (input) => {
  const { optimize } = input.facts;
  if (optimize === null) return absenceOf('optimize', input);
  const rows = optimize.passes.filter((row) => row.details !== undefined);
  const passes = rows.flatMap(({ pass, title, details }) => {
    const layers = layersOf(details?.['quantization']);
    return layers.length === 0 ? [] : [{ pass, title, layers }];
  });
  const search = rows.flatMap(({ details }) => pointsOf(details?.['search']));
  // A pass that quantized nothing has no details, and names what it left all the same.
  const left = optimize.passes.flatMap(({ notes }) => notes.flatMap(leftFloat));
  if (passes.length === 0 && search.length === 0 && left.length === 0)
    return notApplicable('No pass quantized a layer.');
  return measured({
    passes,
    left,
    graph: graphOf(rows.findLast(({ details }) => details?.['layers'] !== undefined)?.details?.['layers']),
    sensitivity: rows
      .flatMap(({ details }) => foundSensitivity.safeParse(details?.['sensitivity']).data ?? [])
      .map(({ node, operator, alone, gainMs, float }) => ({ node, operator, alone, gainMs, float }))
      .sort((a, b) => b.alone - a.alone),
    search,
  });
});

/** As the passes write them; they name a layer by its node or by its weight. */
const foundLayers = z.array(
  z.object({
    node: z.string().optional(),
    name: z.string().optional(),
    operator: z.string(),
    input: layerSchema.shape.input
      .unwrap()
      .loose()
      .extend({
        value: z.string().optional(),
        kept: z.object({ min: z.number(), max: z.number() }).nullish(),
        clipped: z.number().nullish(),
        method: z.string().nullish(),
        histogram: z.array(z.number()).nullish(),
      })
      .optional(),
    weightError: z.number().optional(),
    sqnrDb: z.number().nullish(),
    error: z.number().optional(),
  }),
);
const foundSensitivity = z.array(sensitivitySchema.loose());
const foundPoints = z.array(pointSchema.loose().extend({ float: z.array(z.string()) }));
const foundLinks = z.array(linkSchema.loose());
/** As a search names the float model among its points. */
const ALL_LAYERS = 'all layers';

function pointsOf(details: unknown): QuantizationSection['search'] {
  return (foundPoints.safeParse(details).data ?? []).map(({ float, ms, bytes, metric, drop, chosen }) => ({
    float: float.length === 1 && float[0] === ALL_LAYERS ? null : float.length,
    ms,
    bytes,
    metric,
    drop,
    chosen,
  }));
}

function graphOf(details: unknown): QuantizationSection['graph'] {
  const links = foundLinks.safeParse(details).data ?? [];
  return links.map(({ node, operator, after }) => ({
    node,
    operator,
    after: after.filter((place) => place < links.length),
  }));
}

function leftFloat({ node, message }: PassRow['notes'][number]): QuantizationSection['left'] {
  const reason = /^stays float: (.+)$/s.exec(message)?.[1];
  return node === undefined || reason === undefined ? [] : [{ node, reason }];
}

function layersOf(details: unknown): QuantizationSection['passes'][number]['layers'] {
  return (foundLayers.safeParse(details).data ?? [])
    .map(({ node, name, operator, input, weightError, error, sqnrDb }) => ({
      node: node ?? name ?? '',
      operator,
      value: input?.value ?? null,
      input:
        input === undefined ? null : { min: input.min, max: input.max, scale: input.scale, zeroPoint: input.zeroPoint },
      kept: input?.kept ?? null,
      weightError: weightError ?? error ?? null,
      clipped: input?.clipped ?? null,
      method: input?.method ?? null,
      sqnrDb: sqnrDb ?? null,
      histogram: input?.histogram ?? null,
    }))
    .sort((a, b) => (b.weightError ?? 0) - (a.weightError ?? 0));
}
