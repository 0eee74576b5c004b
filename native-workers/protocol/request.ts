/** What a run is asked to do: the same for the command line, the studio and a report's "reproduce". */
import { z } from 'zod';
import { recipeSchema } from './recipe.ts';

/** How a detector numbers the classes of its boxes; see `metrics/tasks/class-numbers.ts`. */
export const CLASS_NUMBERS = ['index', 'index-from-1', 'id', 'id-from-0'] as const;
export type ClassNumbers = (typeof CLASS_NUMBERS)[number];

export const preprocessSchema = z.strictObject({
  size: z
    .tuple([z.number().int().positive(), z.number().int().positive()])
    .optional()
    .describe('Height and width in pixels.'),
  resize: z.enum(['shorter', 'stretch', 'fit']).optional(),
  crop: z
    .union([z.boolean(), z.number().positive()])
    .optional()
    .describe('Centre crop to `size`; a number is the share kept.'),
  color: z.enum(['rgb', 'bgr', 'gray']).optional(),
  scale: z.number().optional().describe('Factor applied to 0..255 before mean and std; 1/255 for 0..1.'),
  mean: z.array(z.number()).optional(),
  std: z.array(z.number()).optional(),
  layout: z.enum(['nchw', 'nhwc']).optional(),
  tokenizer: z.string().optional().describe('Path of a Hugging Face tokenizer.json.'),
  maxLength: z.number().int().positive().optional(),
  sampleRate: z.number().int().positive().optional(),
  classNumbers: z
    .enum(CLASS_NUMBERS)
    .optional()
    .describe('What the class numbers of a detector are: places among the classes, or ids of the annotations.'),
});
export type Preprocess = z.infer<typeof preprocessSchema>;

export const benchmarkOptionsSchema = z.strictObject({
  provider: z.array(z.string()).optional(),
  threads: z.array(z.number().int().positive()).optional(),
  batch: z.array(z.number().int().positive()).optional(),
  /** Time for all blocks of one comparison, in seconds. */
  seconds: z.number().positive().optional(),
  profile: z.boolean().optional(),
  /** Minutes of sustained load; none unless said. */
  sustained: z.number().positive().optional(),
});
export type BenchmarkOptions = z.infer<typeof benchmarkOptionsSchema>;

export const budgetsSchema = z.strictObject({
  /** Largest loss of the first metric (or of top-1 agreement where there are no labels), in percentage points. */
  maxDrop: z.number().nonnegative().optional(),
  /** Largest median latency. */
  maxMs: z.number().positive().optional(),
  /** Largest size on disk, in 10^6 bytes. */
  maxMb: z.number().positive().optional(),
});
export type Budgets = z.infer<typeof budgetsSchema>;

/** Paths are absolute and on the machine of the host. */
export const runRequestSchema = z.strictObject({
  model: z.string(),
  recipe: recipeSchema,
  calibration: z.string().optional(),
  evaluation: z.string().optional(),
  preprocess: preprocessSchema.optional(),
  /** Most samples used of each data set. */
  samples: z.number().int().positive().optional(),
  seed: z.number().int().nonnegative(),
  benchmark: benchmarkOptionsSchema,
  budgets: budgetsSchema,
  /** Artifacts to make and check after optimising: ort, tflite, coreml. */
  targets: z.array(z.string()).optional(),
  /** Options by target; one that is left out has its default. */
  targetOptions: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
  /** Where to copy the results besides the run folder. */
  out: z.string().optional(),
});
export type RunRequest = z.infer<typeof runRequestSchema>;
