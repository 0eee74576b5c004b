/** What was quantized, layer by layer: ranges, errors of the weights, and what the search for float layers measured. */
import { z } from 'zod';
import { absenceOf } from '../input.ts';
import { measured, notApplicable } from '../outcome.ts';
import { defineSection } from '../section.ts';

const layerSchema = z.strictObject({
  node: z.string(),
  operator: z.string(),
  /** Of the input's numbers, in float; null where the range is taken while running, or the input stays float. */
  input: z.strictObject({ min: z.number(), max: z.number(), scale: z.number(), zeroPoint: z.number() }).nullable(),
  /** Norm of the rounding error of the weights over the norm of the weights; null where it was not taken. */
  weightError: z.number().nullable(),
  /** Share of the input's numbers that are clipped, and how its range was chosen; null where that was not taken. */
  clipped: z.number().nullable(),
  method: z.string().nullable(),
  /** Expected signal-to-noise ratio of the layer's sums in dB. */
  sqnrDb: z.number().nullable(),
});

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
  /** How many layers this candidate leaves float. */
  float: z.number(),
  ms: z.number(),
  bytes: z.number(),
  metric: z.string(),
  /** Percentage points lost. */
  drop: z.number(),
  chosen: z.boolean(),
});

export const quantizationSchema = z.strictObject({
  /** By pass, the layers with the largest error first. */
  passes: z.array(z.strictObject({ pass: z.string(), title: z.string(), layers: z.array(layerSchema) })).min(1),
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
  if (passes.length === 0) return notApplicable('No pass quantized a layer.');
  return measured({
    passes,
    sensitivity: rows
      .flatMap(({ details }) => foundSensitivity.safeParse(details?.['sensitivity']).data ?? [])
      .map(({ node, operator, alone, gainMs, float }) => ({ node, operator, alone, gainMs, float }))
      .sort((a, b) => b.alone - a.alone),
    search: rows
      .flatMap(({ details }) => foundPoints.safeParse(details?.['search']).data ?? [])
      .map(({ float, ms, bytes, metric, drop, chosen }) => ({ float: float.length, ms, bytes, metric, drop, chosen })),
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
      .extend({ clipped: z.number().nullish(), method: z.string().nullish() })
      .optional(),
    weightError: z.number().optional(),
    sqnrDb: z.number().nullish(),
    error: z.number().optional(),
  }),
);
const foundSensitivity = z.array(sensitivitySchema.loose());
const foundPoints = z.array(pointSchema.loose().extend({ float: z.array(z.string()) }));

function layersOf(details: unknown): QuantizationSection['passes'][number]['layers'] {
  return (foundLayers.safeParse(details).data ?? [])
    .map(({ node, name, operator, input, weightError, error, sqnrDb }) => ({
      node: node ?? name ?? '',
      operator,
      input:
        input === undefined ? null : { min: input.min, max: input.max, scale: input.scale, zeroPoint: input.zeroPoint },
      weightError: weightError ?? error ?? null,
      clipped: input?.clipped ?? null,
      method: input?.method ?? null,
      sqnrDb: sqnrDb ?? null,
    }))
    .sort((a, b) => (b.weightError ?? 0) - (a.weightError ?? 0));
}
