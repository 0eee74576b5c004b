/** The facts of packages for devices: what was made of a model for each target, and how each did on its own runtime. */
import { z } from 'zod';
import { errorDataSchema } from './errors.ts';

/** One operator of the model that a target cannot express. */
export const unsupportedNodeSchema = z.strictObject({ node: z.string(), type: z.string(), reason: z.string() });

/** How one file of an artifact did on its own runtime, against the model it was made from. */
const fileVerificationSchema = z.strictObject({
  /** Which file, where the artifact has several for different devices. */
  file: z.string().optional(),
  runtime: z.string(),
  /**
   * `passed` and `failed`: it ran. `refused`: its runtime did not load or run it. `not-run`: no runtime for it here; `reason`
   * says what was checked instead.
   */
  status: z.enum(['passed', 'failed', 'refused', 'not-run']),
  reason: z.string().optional(),
  samples: z.number(),
  maxAbs: z.number().nullable(),
  /** Largest absolute value of the reference, to read `maxAbs` against. */
  reference: z.number().nullable(),
  cosine: z.number().nullable(),
  top1Agreement: z.number().nullable(),
  /** For integer outputs: the largest difference in steps and the share of elements within one step. */
  steps: z.strictObject({ max: z.number(), withinOne: z.number() }).nullable(),
  /** Lines of the runtime's log that say ERROR. */
  errors: z.array(z.string()),
  /** The first operator whose output differs, in both formats, when the check failed and it could be found. */
  diverges: z
    .strictObject({
      node: z.string(),
      type: z.string(),
      /** The operators of the artifact in words: `CONV_2D 3 (y)`. */
      artifact: z.string(),
      /** The same, the first and the last of them where a node became several. */
      operators: z
        .array(z.strictObject({ index: z.number(), type: z.string(), outputs: z.array(z.string()) }))
        .optional(),
      maxAbs: z.number(),
    })
    .optional(),
  /** Further runtimes that the artifact was run on, as in a browser; one that did not pass fails the whole check. */
  others: z
    .array(
      z.strictObject({
        runtime: z.string(),
        status: z.enum(['passed', 'failed', 'refused', 'not-run']),
        reason: z.string().optional(),
        samples: z.number(),
        maxAbs: z.number().nullable(),
        cosine: z.number().nullable(),
      }),
    )
    .optional(),
  /** The task's metrics on the user's labelled data: of the model on ONNX Runtime, and of the artifact on its own runtime. */
  metrics: z
    .array(
      z.strictObject({
        name: z.string(),
        better: z.enum(['higher', 'lower']),
        unit: z.string(),
        before: z.number(),
        after: z.number(),
        samples: z.number(),
      }),
    )
    .optional(),
});

/** Of the main file; a further file that did not pass fails the whole check. */
export const verificationSchema = fileVerificationSchema.extend({
  variants: z.array(fileVerificationSchema).optional(),
});
export type Verification = z.infer<typeof verificationSchema>;

export const artifactSchema = z.strictObject({
  target: z.string(),
  /** `cancelled`: the stage was ended before the artifact was made. */
  status: z.enum(['made', 'unsupported', 'failed', 'cancelled']),
  error: errorDataSchema.optional(),
  /** Of the main file or folder, in the package's folder; empty when nothing was made. */
  path: z.string(),
  bytes: z.number(),
  sha256: z.string(),
  files: z.array(z.strictObject({ path: z.string(), bytes: z.number(), sha256: z.string() })),
  /** What the device must have: `{ 'ONNX Runtime': '1.16', iOS: '16' }`. */
  requires: z.record(z.string(), z.string()),
  verified: verificationSchema.nullable(),
  coverage: z.strictObject({ nodes: z.number(), supported: z.number(), unsupported: z.array(unsupportedNodeSchema) }),
  notes: z.array(z.string()),
  ms: z.number(),
  /** Base name of the model's file, where a package holds several models. */
  model: z.string().optional(),
  /** Where the artifact will load: the oldest version of each runtime or system, and what of the artifact asks for it. */
  loads: z.array(z.strictObject({ where: z.string(), minimum: z.string(), why: z.string() })).optional(),
});
export type LoadRow = NonNullable<z.infer<typeof artifactSchema>['loads']>[number];
export type Artifact = z.infer<typeof artifactSchema>;

export const packageFactsSchema = z.strictObject({
  artifacts: z.array(artifactSchema),
  /** Size against the budget of each device profile. */
  sizes: z.array(
    z.strictObject({
      profile: z.string(),
      target: z.string(),
      bytes: z.number(),
      budget: z.number(),
      fits: z.boolean(),
    }),
  ),
  /** A zip of each target's folder, where they were asked for; paths as those of artifacts. */
  zips: z
    .array(z.strictObject({ target: z.string(), path: z.string(), bytes: z.number(), sha256: z.string() }))
    .optional(),
});
export type PackageFacts = z.infer<typeof packageFactsSchema>;
