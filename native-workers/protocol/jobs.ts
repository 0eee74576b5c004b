/**
 * The jobs a worker process does: the one typed source of the boundary between host and worker. Paths cross it, never
 * tensors or models. A stage job writes its facts file itself; only the small result comes back.
 */
import { z } from 'zod';
import { benchmarkFactsSchema, environmentSchema, inspectFactsSchema, noteSchema } from './facts.ts';
import { packageFactsSchema } from './package-facts.ts';
import { dataPreviewSchema } from './preview.ts';
import { benchmarkOptionsSchema, preprocessSchema, runRequestSchema } from './request.ts';

/** What every stage of a run is told. */
const stageRequestSchema = z.strictObject({
  /** The run folder; `manifest.json` in it is complete for all earlier stages. */
  run: z.string(),
  /** Where the facts go, inside the run folder. */
  file: z.string(),
  request: runRequestSchema,
});

const stageResultSchema = z.strictObject({
  /** Model files the stage made, for the manifest. */
  models: z.array(
    z.strictObject({
      id: z.string(),
      path: z.string(),
      bytes: z.number(),
      sha256: z.string(),
      parent: z.string().nullable(),
      label: z.string(),
    }),
  ),
  /** Set when the stage found nothing to do. */
  skipped: z.string().optional(),
});

export const JOBS = {
  /** Reads the structure of a model; no run folder. */
  inspect: { request: z.strictObject({ model: z.string() }), result: inspectFactsSchema },
  /** The inspect stage of a run: hashes the source and writes its facts. */
  'stage-inspect': { request: stageRequestSchema, result: stageResultSchema },
  /** Applies the recipe and writes the optimised model. */
  'stage-optimize': { request: stageRequestSchema, result: stageResultSchema },
  /** Fidelity and accuracy, before against after. */
  'stage-evaluate': { request: stageRequestSchema, result: stageResultSchema },
  /** Interleaved benchmark, before against after. */
  'stage-benchmark': { request: stageRequestSchema, result: stageResultSchema },
  /** Artifacts for targets, each run on its runtime. */
  'stage-package': { request: stageRequestSchema, result: stageResultSchema },
  /** Builds `report.json` from the facts of the earlier stages. */
  'stage-report': { request: stageRequestSchema, result: stageResultSchema },
  /** `hone bench`: variants of any models, no run. */
  benchmark: {
    request: z.strictObject({
      models: z.array(z.string()).min(1),
      options: benchmarkOptionsSchema,
      data: z.string().optional(),
      preprocess: preprocessSchema.optional(),
      seed: z.number(),
    }),
    result: benchmarkFactsSchema,
  },
  /** `hone eval`: one model on data, or against another. */
  evaluate: {
    request: z.strictObject({
      model: z.string(),
      against: z.string().optional(),
      data: z.string().optional(),
      preprocess: preprocessSchema.optional(),
      samples: z.number().optional(),
      seed: z.number(),
    }),
    result: z.strictObject({
      metrics: z.array(
        z.strictObject({
          name: z.string(),
          value: z.number(),
          interval: z.strictObject({ low: z.number(), high: z.number() }),
          samples: z.number(),
        }),
      ),
      fidelity: z.unknown().optional(),
      flips: z.array(z.strictObject({ sample: z.string(), before: z.string(), after: z.string() })).optional(),
      skipped: z.array(z.strictObject({ sample: z.string(), reason: z.string() })),
      notes: z.array(noteSchema).optional(),
    }),
  },
  /** `hone pack`: artifacts of a model for targets, each run on its runtime; no run. */
  package: {
    request: z.strictObject({
      model: z.string(),
      /** Further models for the same package. */
      with: z.array(z.string()).optional(),
      targets: z.array(z.string()).min(1),
      out: z.string(),
      /** Writes nothing: only what each target can express. */
      coverageOnly: z.boolean(),
      zip: z.boolean(),
      data: z.string().optional(),
      preprocess: preprocessSchema.optional(),
      options: z.record(z.string(), z.record(z.string(), z.unknown())),
      /** Sizes to keep to besides those of the device profiles, in bytes. */
      budget: z.number().optional(),
      /** Most labelled samples that the metric is measured on, through the artifact's own runtime. */
      samples: z.number().int().positive().optional(),
      seed: z.number(),
    }),
    result: packageFactsSchema,
  },
  /** What a model will be fed of a data set; nothing runs. */
  'preview-data': {
    request: z.strictObject({
      model: z.string(),
      data: z.string(),
      preprocess: preprocessSchema.optional(),
      /** Samples to show, of different classes where there are any. */
      count: z.number().int().positive().max(64),
      /** These instead, of those that a run with this limit and seed used. */
      only: z
        .strictObject({
          only: z.array(z.string()).min(1).max(64),
          limit: z.number().int().positive().optional(),
          seed: z.number(),
        })
        .optional(),
    }),
    result: dataPreviewSchema,
  },
  /** What runtimes and providers this machine has. */
  doctor: {
    request: z.strictObject({}),
    result: z.strictObject({
      runtime: z.strictObject({ name: z.string(), version: z.string() }),
      providers: z.array(
        z.strictObject({
          name: z.string(),
          available: z.boolean(),
          reason: z.string().optional(),
          devices: z.array(z.string()).optional(),
        }),
      ),
      environment: environmentSchema.optional(),
    }),
  },
} as const;

export type JobName = keyof typeof JOBS;
export type JobRequest<Name extends JobName> = z.infer<(typeof JOBS)[Name]['request']>;
export type JobResult<Name extends JobName> = z.infer<(typeof JOBS)[Name]['result']>;
