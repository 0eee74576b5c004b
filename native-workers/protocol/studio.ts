/**
 * What the studio asks of its host, and what the host tells it: the same over Electron's IPC and over the loopback socket.
 * The page never sends a path: it holds grants, which the host gives out for files that the user chose.
 */
import { z } from 'zod';
import { errorDataSchema } from './errors.ts';
import { inspectFactsSchema, manifestSchema } from './facts.ts';
import { progressSchema } from './messages.ts';
import { packageFactsSchema } from './package-facts.ts';
import { dataPreviewSchema, samplePreviewSchema } from './preview.ts';
import { recipeSchema } from './recipe.ts';
import { preprocessSchema, runRequestSchema } from './request.ts';

export const grantSchema = z.strictObject({
  /** Opaque id that stands for the path. */
  id: z.string(),
  /** Base name, for the screen. */
  name: z.string(),
  kind: z.enum(['file', 'folder']),
  bytes: z.number().nullable(),
});
export type Grant = z.infer<typeof grantSchema>;

/** A run as the library lists it. */
export const runSummarySchema = z.strictObject({
  id: z.string(),
  title: z.string(),
  status: manifestSchema.shape.status,
  created: z.string(),
  model: z.string(),
  modelSha256: z.string(),
  recipe: z.string(),
  sizeBefore: z.number().nullable(),
  sizeAfter: z.number().nullable(),
  /** p50 latencies and the verdict on their ratio. */
  msBefore: z.number().nullable(),
  msAfter: z.number().nullable(),
  verdict: z.enum(['faster', 'slower', 'inconclusive']).nullable(),
  /** The first metric, else null. */
  metric: z.strictObject({ name: z.string(), before: z.number(), after: z.number() }).nullable(),
});
export type RunSummary = z.infer<typeof runSummarySchema>;

/** One option of a pass or a target as a form shows it; made from its schema. */
export const optionFormSchema = z.strictObject({
  name: z.string(),
  description: z.string(),
  kind: z.enum(['boolean', 'number', 'integer', 'choice', 'text', 'list']),
  default: z.unknown(),
  choices: z.array(z.string()).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
});
export type OptionForm = z.infer<typeof optionFormSchema>;

export const passInfoSchema = z.strictObject({
  id: z.string(),
  title: z.string(),
  summary: z.string(),
  family: z.enum(['clean', 'fuse', 'prune', 'quantize', 'lower']),
  lossy: z.boolean(),
  needs: z.array(z.string()),
  options: z.array(optionFormSchema),
});
export type PassInfo = z.infer<typeof passInfoSchema>;

/** A target for devices, with its options as a form. */
export const targetInfoSchema = z.strictObject({
  id: z.string(),
  title: z.string(),
  summary: z.string(),
  options: z.array(optionFormSchema),
});
export type TargetInfo = z.infer<typeof targetInfoSchema>;

/** Files of a request are grants here; the host puts the paths in. */
export const studioRunRequestSchema = runRequestSchema.omit({ out: true });

const verificationResultSchema = z.strictObject({
  status: z.enum(['verified', 'altered', 'incomplete']),
  checks: z.array(
    z.strictObject({ name: z.string(), status: z.enum(['passed', 'failed', 'missing']), detail: z.string() }),
  ),
});

export const STUDIO_METHODS = {
  /** Host, versions, library folder, passes, presets and targets: all that the studio needs to start. */
  hello: {
    params: z.strictObject({}),
    result: z.strictObject({
      hone: z.string(),
      host: z.enum(['electron', 'browser']),
      platform: z.string(),
      library: z.string(),
      passes: z.array(passInfoSchema),
      presets: z.array(recipeSchema),
      targets: z.array(targetInfoSchema),
    }),
  },
  /** Opens the system's dialog (Electron), or grants a path typed by the user (browser host). */
  'files.pick': {
    params: z.strictObject({ kind: z.enum(['model', 'data', 'folder', 'report', 'recipe']) }),
    result: z.array(grantSchema),
  },
  'files.grantPath': { params: z.strictObject({ path: z.string() }), result: grantSchema },
  inspect: { params: z.strictObject({ model: z.string() }), result: inspectFactsSchema },
  /** What the model will be fed of a data set, before it runs. */
  'data.preview': {
    params: z.strictObject({
      model: z.string(),
      data: z.string(),
      preprocess: preprocessSchema.optional(),
      count: z.number().int().positive().max(64),
    }),
    result: dataPreviewSchema,
  },
  /** What targets can express of a model, before anything is converted. */
  coverage: {
    params: z.strictObject({
      model: z.string(),
      targets: z.array(z.string()).min(1),
      /** By target, as in `runRequestSchema`: what a format can express may depend on them. */
      options: z.record(z.string(), z.record(z.string(), z.unknown())),
    }),
    result: packageFactsSchema,
  },
  'runs.list': { params: z.strictObject({ search: z.string() }), result: z.array(runSummarySchema) },
  'runs.start': { params: studioRunRequestSchema, result: z.strictObject({ id: z.string() }) },
  'runs.cancel': { params: z.strictObject({ id: z.string() }), result: z.strictObject({}) },
  'runs.resume': { params: z.strictObject({ id: z.string() }), result: z.strictObject({ id: z.string() }) },
  'runs.manifest': { params: z.strictObject({ id: z.string() }), result: manifestSchema },
  /**
   * The last that its running stage told, for a page that was not there. Of a run whose packaging was cancelled, what had been
   * made; null for other runs that do not go on here.
   */
  'runs.progress': {
    params: z.strictObject({ id: z.string() }),
    result: z.strictObject({ stage: z.string(), progress: progressSchema }).nullable(),
  },
  /** What the run told so far; times in milliseconds since 1970. */
  'runs.log': {
    params: z.strictObject({ id: z.string() }),
    result: z.array(
      z.strictObject({ time: z.number(), level: z.enum(['info', 'warning', 'error']), message: z.string() }),
    ),
  },
  /** The files of an earlier run, to start another with them; null for what was not given or is no longer there. */
  'runs.grants': {
    params: z.strictObject({ id: z.string() }),
    result: z.strictObject({
      model: grantSchema.nullable(),
      calibration: grantSchema.nullable(),
      evaluation: grantSchema.nullable(),
    }),
  },
  /** Samples of the data that a run was evaluated on, as its models were fed them. Refused when the data is no longer there. */
  'runs.samples': {
    params: z.strictObject({ id: z.string(), samples: z.array(z.string()).min(1).max(64) }),
    result: z.array(samplePreviewSchema),
  },
  'runs.delete': { params: z.strictObject({ id: z.string() }), result: z.strictObject({}) },
  /** The report of a run; a ReportDocument, checked by the reader against its own schema. */
  'reports.ofRun': { params: z.strictObject({ id: z.string() }), result: z.unknown() },
  /** Opens a saved report (.html or .json) that the user chose. */
  'reports.open': { params: z.strictObject({ file: z.string() }), result: z.unknown() },
  /** Computes a report of the library again, with the files of its run. */
  'reports.verify': { params: z.strictObject({ id: z.string() }), result: verificationResultSchema },
  /** The same for a saved report that the user chose: by what is in the file. */
  'reports.verifyFile': { params: z.strictObject({ file: z.string() }), result: verificationResultSchema },
  /** Writes a report where the user says (Electron), or gives its text to download (browser host). */
  'reports.export': {
    params: z.strictObject({ id: z.string(), format: z.enum(['html', 'md', 'csv', 'json']) }),
    result: z.strictObject({ name: z.string(), text: z.string().nullable(), saved: z.boolean() }),
  },
} as const;

export type StudioMethod = keyof typeof STUDIO_METHODS;
export type StudioParams<Name extends StudioMethod> = z.infer<(typeof STUDIO_METHODS)[Name]['params']>;
export type StudioResult<Name extends StudioMethod> = z.infer<(typeof STUDIO_METHODS)[Name]['result']>;

export const studioEventSchema = z.discriminatedUnion('type', [
  /** A run began, changed its stage, or ended. */
  z.strictObject({ type: z.literal('run'), manifest: manifestSchema }),
  /** Latest wins, by run. */
  z.strictObject({ type: z.literal('progress'), run: z.string(), stage: z.string(), progress: progressSchema }),
  /** Never dropped. */
  z.strictObject({ type: z.literal('log'), run: z.string(), level: z.enum(['info', 'warning']), message: z.string() }),
  /** The system asked to open a file (a double click, a second instance). */
  z.strictObject({ type: z.literal('open-file'), grant: grantSchema }),
]);
export type StudioEvent = z.infer<typeof studioEventSchema>;

/** A call, and its answer: errors are data, since only a message survives Electron's `invoke`. */
export const studioCallSchema = z.strictObject({ id: z.number(), method: z.string(), params: z.unknown() });
export const studioReplySchema = z.discriminatedUnion('ok', [
  z.strictObject({ id: z.number(), ok: z.literal(true), result: z.unknown() }),
  z.strictObject({ id: z.number(), ok: z.literal(false), error: errorDataSchema }),
]);
export type StudioReply = z.infer<typeof studioReplySchema>;

/**
 * The browser host's wire. Socket at `STUDIO_SOCKET_PATH`: the page sends calls, the host sends answers (they have `ok`) and
 * events (they have `type`), each one JSON text message.
 *
 * Files go up by `POST UPLOAD_PATH?drop=ID&path=RELATIVE` with the bytes as the body: `drop` (a UUID that the page makes) is the
 * same for all files of one drop, so a model and its weights file, or the files of a folder, stay together; `path` has
 * forward slashes. The answer is a `Grant` of what the user dropped: the file, or the first folder of `path` when it has
 * one. A refusal is `{ error: ErrorData }` with a status that is not 200.
 */
export const STUDIO_SOCKET_PATH = '/studio';
export const UPLOAD_PATH = '/upload';
export const studioSocketMessageSchema = z.union([studioReplySchema, studioEventSchema]);
export type StudioSocketMessage = z.infer<typeof studioSocketMessageSchema>;
