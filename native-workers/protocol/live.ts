/** What a running stage has found so far, to look at while it works. Never more than a screen of it; the report has all. */
import { z } from 'zod';

/** Rows of one message. */
export const MOST_LIVE = 14;

/** An artifact on one runtime. */
const liveCheckSchema = z.strictObject({
  runtime: z.string(),
  /** Of the artifact's main files, where it has several. */
  file: z.string().optional(),
  status: z.enum(['waiting', 'running', 'passed', 'failed', 'refused', 'not-run']),
  /** Samples that were compared, and that shall be. */
  samples: z.number(),
  of: z.number(),
  maxAbs: z.number().nullable(),
  cosine: z.number().nullable(),
  /** 0 to 1; null where no output is a row of scores. */
  top1Agreement: z.number().nullable(),
  reason: z.string().optional(),
});
export type LiveCheck = z.infer<typeof liveCheckSchema>;

/** One target of a package: how far it is and what was measured. */
const liveTargetSchema = z.strictObject({
  target: z.string(),
  /** Base name of the model's file, where a package holds several models. */
  model: z.string().optional(),
  step: z.enum(['waiting', 'coverage', 'writing', 'checking', 'searching', 'measuring', 'done', 'failed', 'cancelled']),
  /** What its format can express of the model; null before that is known. */
  coverage: z.strictObject({ nodes: z.number(), supported: z.number() }).nullable(),
  /** Of the artifact; null before it is written. */
  bytes: z.number().nullable(),
  checks: z.array(liveCheckSchema),
  /** The first of labelled data, through the artifact's own runtime; the report has all. */
  metrics: z.array(z.strictObject({ name: z.string(), unit: z.string(), before: z.number(), after: z.number() })),
  /** Why it failed, with the operator where one is to blame. */
  reason: z.string().optional(),
});
export type LiveTarget = z.infer<typeof liveTargetSchema>;

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
  z.strictObject({
    kind: z.literal('targets'),
    /** Those listed are the first of `total`, or those around the one that is made now. */
    total: z.number(),
    targets: z.array(liveTargetSchema),
  }),
]);
export type Live = z.infer<typeof liveSchema>;
