/**
 * The raw facts that stages write into a run folder, as schemas. Stages measure; what the facts mean (statistics, verdicts,
 * sentences) is computed from these files alone by `report/`. Times are milliseconds, sizes bytes, ratios after/before.
 */
import { z } from 'zod';
import { calibrationFactsSchema } from './calibration-facts.ts';
import { errorDataSchema } from './errors.ts';
import { recipeSchema } from './recipe.ts';

const dimSchema = z.union([z.number(), z.string(), z.null()]);

export const tensorInfoSchema = z.strictObject({
  name: z.string(),
  /** A dtype name, or `sequence(float32)` and the like for values that are no tensors. */
  dtype: z.string(),
  shape: z.array(dimSchema),
});

export const noteSchema = z.strictObject({
  code: z.string(),
  message: z.string(),
  node: z.string().optional(),
});

/** `hone inspect`: the structure of a model, without its weights. */
export const inspectFactsSchema = z.strictObject({
  format: z.string(),
  producer: z.string(),
  opsets: z.record(z.string(), z.number()),
  irVersion: z.number(),
  inputs: z.array(tensorInfoSchema),
  outputs: z.array(tensorInfoSchema),
  nodes: z.number(),
  operators: z.record(z.string(), z.number()),
  parameters: z.number(),
  bytes: z.strictObject({ total: z.number(), weights: z.number() }),
  /** Multiply-accumulates of one run with symbolic dimensions taken as 1; null when shapes are not known. */
  macs: z.number().nullable(),
  /** Bytes of weights by dtype. */
  precision: z.record(z.string(), z.number()),
  quantized: z.boolean(),
  /** How: QDQ, dynamic, weight-only; null for a model that is not. */
  quantization: z.string().nullable(),
  externalData: z.boolean(),
  notes: z.array(noteSchema),
  /** The largest tensors first, at most 200; `duplicateOf` names an earlier tensor with the same bytes. */
  tensors: z.array(
    z.strictObject({
      name: z.string(),
      dtype: z.string(),
      shape: z.array(z.number()),
      bytes: z.number(),
      usedBy: z.array(z.string()),
      duplicateOf: z.string().optional(),
    }),
  ),
  /** Weight bytes by the operator that reads them. */
  bytesByOperator: z.record(z.string(), z.number()),
});
export type InspectFacts = z.infer<typeof inspectFactsSchema>;

/** One model file of a run: the source or something made from it. */
export const modelFileSchema = z.strictObject({
  /** `source`, or the step that made it. */
  id: z.string(),
  /** Inside the run folder for artifacts; as given for the source. */
  path: z.string(),
  /** Of the model with its external data. */
  bytes: z.number(),
  sha256: z.string(),
  parent: z.string().nullable(),
  label: z.string(),
});
export type ModelFile = z.infer<typeof modelFileSchema>;

export const passNoteSchema = z.strictObject({
  message: z.string(),
  node: z.string().optional(),
  /** It belongs among the warnings of the report. */
  caution: z.boolean().optional(),
});

export const passRowSchema = z.strictObject({
  pass: z.string(),
  title: z.string(),
  options: z.record(z.string(), z.unknown()),
  lossy: z.boolean(),
  status: z.enum(['changed', 'unchanged', 'skipped', 'failed']),
  reason: z.string().optional(),
  counts: z.record(z.string(), z.number()),
  notes: z.array(passNoteSchema),
  error: errorDataSchema.optional(),
  ms: z.number(),
  nodesBefore: z.number(),
  nodesAfter: z.number(),
  /** What the pass was calibrated with; `random` when the inputs were made up and not the user's. */
  calibration: calibrationFactsSchema.optional(),
  /** What the pass measured for the report, by kind (`quantization` for ranges and errors by layer); see `report/`. */
  details: z.record(z.string(), z.unknown()).optional(),
});
export type PassRow = z.infer<typeof passRowSchema>;

/** What the engine made of the saved model: counts of its kernels, and what was expected but did not fuse. */
export const fusionFactsSchema = z.strictObject({
  /** Operators of the graph that the engine optimised, `domain:type` with '' for ONNX's. */
  operators: z.record(z.string(), z.number()),
  expected: z.array(
    z.strictObject({ kernel: z.string(), expected: z.number(), found: z.number(), missing: z.array(z.string()) }),
  ),
});

export const optimizeFactsSchema = z.strictObject({
  passes: z.array(passRowSchema),
  model: modelFileSchema.nullable(),
  inspect: inspectFactsSchema.nullable(),
  fusion: fusionFactsSchema.nullable(),
});
export type OptimizeFacts = z.infer<typeof optimizeFactsSchema>;

/** An estimate with its 95 % interval. */
export const intervalSchema = z.strictObject({ low: z.number(), high: z.number() });

export const fidelityFactsSchema = z.strictObject({
  samples: z.number(),
  inputs: z.enum(['user', 'seeded']),
  outputs: z.array(
    z.strictObject({
      name: z.string(),
      cosine: z.number().nullable(),
      sqnrDb: z.number().nullable(),
      maxAbs: z.number().nullable(),
      /** Largest absolute value of the reference output, to read `maxAbs` against. */
      reference: z.number().nullable(),
      /** Share of rows whose largest element is the same; null where the output is no class score. */
      top1Agreement: z.number().nullable(),
      /** Rows that the share is of: one a sample, or one a token; as many as samples where it is not said. */
      answers: z.number().optional(),
      kl: z.number().nullable(),
      /** Elements that are NaN or infinite in the variant but not in the reference. */
      notFinite: z.number(),
    }),
  ),
});
export type FidelityFacts = z.infer<typeof fidelityFactsSchema>;

export const metricFactsSchema = z.strictObject({
  name: z.string(),
  /** Higher is better unless said. */
  better: z.enum(['higher', 'lower']),
  unit: z.string(),
  before: z.number(),
  after: z.number(),
  intervalBefore: intervalSchema,
  intervalAfter: intervalSchema,
  delta: z.number(),
  /** 95 % interval of the paired difference. */
  interval: intervalSchema,
  /** Of the paired test (McNemar's exact test or bootstrap). */
  p: z.number().nullable(),
  test: z.string().nullable(),
  samples: z.number(),
});
export type MetricFacts = z.infer<typeof metricFactsSchema>;

/** One sample's answers: raw, so that every metric can be computed again. */
export const predictionSchema = z.strictObject({
  sample: z.string(),
  label: z.number().nullable(),
  /** Ranked classes, best first, at most five; for other tasks the metric's own terms. */
  before: z.array(z.number()),
  after: z.array(z.number()),
  group: z.string().optional(),
  /** Of two classes: how much the second was preferred, by each model; only the order over samples counts. */
  score: z.strictObject({ before: z.number(), after: z.number() }).optional(),
});
export type Prediction = z.infer<typeof predictionSchema>;

export const evaluateFactsSchema = z.strictObject({
  fidelity: fidelityFactsSchema.nullable(),
  metrics: z.array(metricFactsSchema),
  task: z.enum(['classification', 'perplexity', 'regression', 'detection', 'segmentation', 'none']),
  labels: z.array(z.string()).nullable(),
  predictions: z.array(predictionSchema),
  /** Samples that could not be read, with why. */
  skipped: z.array(z.strictObject({ sample: z.string(), reason: z.string() })),
  dataset: z
    .strictObject({
      name: z.string(),
      kind: z.string(),
      samples: z.number(),
      sha256: z.string(),
      preprocess: z.unknown(),
    })
    .nullable(),
  /** Metric-specific results that the report shows (confusion matrix, per-class rows, subgroups). */
  details: z.record(z.string(), z.unknown()).optional(),
  /** What was assumed or found along the way: defaults of the preprocessing, the order of classes, outputs without numbers. */
  notes: z.array(noteSchema).optional(),
});
export type EvaluateFacts = z.infer<typeof evaluateFactsSchema>;

export const environmentSchema = z.strictObject({
  os: z.string(),
  cpu: z.string(),
  cores: z.number(),
  memory: z.number(),
  /** Instruction sets that matter to the numbers: avx2, avx512f, avx512_vnni, amx_int8, neon … */
  features: z.array(z.string()),
  node: z.string(),
  hone: z.string(),
  engine: z.string(),
  /** Speed of a fixed computation just before and after, in million steps a second: drift shows a busy or throttled machine. */
  machineIndex: z.strictObject({ before: z.number(), after: z.number() }).nullable(),
  load: z.number().nullable(),
  governor: z.string().nullable(),
  virtual: z.boolean().nullable(),
});
export type Environment = z.infer<typeof environmentSchema>;

export const benchmarkFactsSchema = z.strictObject({
  environment: environmentSchema,
  seed: z.number(),
  /** Order in which blocks ran: indexes into `variants`. */
  order: z.array(z.number()),
  variants: z.array(
    z.strictObject({
      id: z.string(),
      label: z.string(),
      model: z.string(),
      provider: z.string(),
      threads: z.number(),
      batch: z.number(),
      warmup: z.number(),
      /** Blocks of run times in the order they were taken. */
      blocks: z.array(z.array(z.number())),
      /** The epoch of each block: blocks of one epoch ran in the same process; see `bench/statistics.ts`. */
      epochs: z.array(z.number()).optional(),
      /** Runs before the timed ones of each block: another process has used the caches since. */
      rewarm: z.number().optional(),
      /** What was fed, with the sizes that stand for symbols. */
      inputs: z.array(z.strictObject({ name: z.string(), dtype: z.string(), shape: z.array(z.number()) })).optional(),
      inputSource: z.enum(['user', 'seeded']).optional(),
      /** What the runtime warned of, and what could not be measured besides the times. */
      warnings: z.array(z.string()).optional(),
      /** One of each process start. `load` is from asking for a process to a loaded runtime. */
      coldStart: z.array(z.strictObject({ load: z.number(), create: z.number(), firstRun: z.number() })),
      peakRss: z.number().nullable(),
      error: errorDataSchema.optional(),
      /** Nodes by provider that ran them, when profiled. */
      placement: z.record(z.string(), z.number()).optional(),
      /** Time by operator type, when profiled: milliseconds a run, and the count of nodes. */
      profile: z.array(z.strictObject({ operator: z.string(), nodes: z.number(), ms: z.number() })).optional(),
      /** Sustained mode: the median of each slice of time, with the seconds since the start. */
      sustained: z.array(z.strictObject({ second: z.number(), median: z.number() })).optional(),
    }),
  ),
});
export type BenchmarkFacts = z.infer<typeof benchmarkFactsSchema>;

export const STAGES = ['inspect', 'optimize', 'evaluate', 'benchmark', 'package', 'report'] as const;
export type StageName = (typeof STAGES)[number];

export const stageStatusSchema = z.enum(['pending', 'running', 'done', 'failed', 'skipped', 'cancelled']);

export const stageRowSchema = z.strictObject({
  name: z.enum(STAGES),
  status: stageStatusSchema,
  reason: z.string().optional(),
  error: errorDataSchema.optional(),
  ms: z.number().nullable(),
  peakRss: z.number().nullable(),
  /** Name of its facts file in the run folder. */
  file: z.string().optional(),
  /** Hash of that file, written when the stage is done. */
  sha256: z.string().optional(),
});

/** `manifest.json`: what a run is and how far it came. */
export const manifestSchema = z.strictObject({
  schema: z.number(),
  hone: z.string(),
  id: z.string(),
  title: z.string(),
  created: z.string(),
  updated: z.string(),
  status: z.enum(['running', 'done', 'failed', 'cancelled', 'interrupted']),
  source: z.strictObject({ path: z.string(), name: z.string(), bytes: z.number(), sha256: z.string() }),
  recipe: recipeSchema,
  seed: z.number(),
  /** What was asked for besides the recipe; see `runRequestSchema`. */
  request: z.record(z.string(), z.unknown()),
  environment: environmentSchema.nullable(),
  stages: z.array(stageRowSchema),
  models: z.array(modelFileSchema),
  error: errorDataSchema.optional(),
});
export type Manifest = z.infer<typeof manifestSchema>;
