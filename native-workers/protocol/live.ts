/** What a running pass has found so far, to look at while it works. Never more than a screen of it; the report has all. */
import { z } from 'zod';

/** Rows of one message. */
export const MOST_LIVE = 14;

export const liveSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('ranges'),
    /** Activations that are observed; those listed are spread evenly over the model. */
    total: z.number(),
    ranges: z.array(z.strictObject({ value: z.string(), min: z.number(), max: z.number() })),
  }),
  z.strictObject({
    kind: z.literal('sensitivity'),
    /** Layers measured so far; the most sensitive of them are listed, most first. */
    total: z.number(),
    layers: z.array(z.strictObject({ node: z.string(), change: z.number() })),
  }),
  z.strictObject({
    kind: z.literal('search'),
    metric: z.string(),
    /** Percentage points that may be lost. */
    maximumDrop: z.number(),
    /** The models evaluated so far, in their order; `float`: layers left float, `drop`: percentage points lost. */
    points: z.array(z.strictObject({ float: z.number(), drop: z.number(), bytes: z.number() })),
  }),
]);
export type Live = z.infer<typeof liveSchema>;
