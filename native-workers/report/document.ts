/**
 * The report of a run as data: all that a reader sees, and the facts it was computed from. One file, versioned, the same
 * for HTML, Markdown, CSV, the studio and `hone verify`. `build.ts` makes it; nothing else does.
 *
 * Units: times are milliseconds, sizes bytes, ratios after/before, shares 0..1; every block of numbers names its own.
 */
import { z } from 'zod';
import { stageRowSchema } from '../protocol/facts.ts';
import { reportManifestSchema, stageFactsSchema } from './input.ts';
import { type statsSchema, unitSchema, type verdictSchema } from './parts.ts';
import { sectionsSchema } from './sections/registry.ts';

/** Of `report.json`; a reader refuses a newer one with `report-version`. */
export const REPORT_SCHEMA_VERSION = 1;

export type Stats = z.infer<typeof statsSchema>;
export type Verdict = z.infer<typeof verdictSchema>;

const judgementSchema = z.enum(['better', 'worse', 'same', 'inconclusive', 'not-judged']);
export type Judgement = z.infer<typeof judgementSchema>;

const cellSchema = z.discriminatedUnion('status', [
  z.strictObject({ status: z.literal('measured'), value: z.number() }),
  z.strictObject({ status: z.enum(['not-measured', 'not-applicable', 'failed']), reason: z.string() }),
]);
export type Cell = z.infer<typeof cellSchema>;

/** One line of the before/after table. */
export const comparisonRowSchema = z.strictObject({
  id: z.string(),
  label: z.string(),
  unit: unitSchema,
  before: cellSchema,
  after: cellSchema,
  /** after/before where that has a meaning. */
  ratio: z.number().nullable(),
  /** after - before, in the row's unit, where the ratio has no meaning (accuracy, dB). */
  delta: z.number().nullable(),
  /** 95 % interval of the ratio or else of the delta. */
  interval: z.strictObject({ low: z.number(), high: z.number() }).nullable(),
  judgement: judgementSchema,
});
export type ComparisonRow = z.infer<typeof comparisonRowSchema>;

export const budgetRowSchema = z.strictObject({
  id: z.enum(['maxDrop', 'maxMs', 'maxMb']),
  label: z.string(),
  /** A drop in `points`, or a `share` where the metric is no share itself. */
  unit: unitSchema,
  limit: z.number(),
  actual: z.number().nullable(),
  /** limit - actual: negative when missed. */
  margin: z.number().nullable(),
  status: z.enum(['met', 'missed', 'not-measured']),
});
export type BudgetRow = z.infer<typeof budgetRowSchema>;

export const warningSchema = z.strictObject({
  code: z.string(),
  /** `serious`: a number of this report must not be relied on. `caution`: read it with care. `note`: good to know. */
  severity: z.enum(['serious', 'caution', 'note']),
  message: z.string(),
});
export type Warning = z.infer<typeof warningSchema>;

/** A cause found in the profile or the fusion facts, with the milliseconds a run it explains. */
export const hintSchema = z.strictObject({
  code: z.string(),
  direction: z.enum(['faster', 'slower']),
  message: z.string(),
  /** Change of time a run, milliseconds; null when only counted. */
  ms: z.number().nullable(),
});
export type Hint = z.infer<typeof hintSchema>;

export const reportDocumentSchema = z.strictObject({
  kind: z.literal('hone-report'),
  schema: z.literal(REPORT_SCHEMA_VERSION),
  /** Version of Hone that did the run. */
  hone: z.string(),
  run: z.strictObject({
    id: z.string(),
    title: z.string(),
    /** ISO 8601. */
    created: z.string(),
    /** `partial`: a stage failed, was cancelled or did not run. */
    status: z.enum(['complete', 'partial']),
    model: z.string(),
  }),
  verdict: z.strictObject({
    /** One honest sentence. */
    sentence: z.string(),
    speed: z.enum(['faster', 'slower', 'inconclusive', 'not-measured', 'failed']),
    size: z.enum(['smaller', 'larger', 'same', 'not-measured']),
    /** By the paired test where there are labels; `close`, `far` and `inconclusive` by fidelity where there are none. */
    accuracy: z.enum(['better', 'worse', 'inconclusive', 'same', 'close', 'far', 'not-measured']),
    budgets: z.enum(['met', 'missed', 'not-measured', 'none']),
  }),
  table: z.array(comparisonRowSchema),
  budgets: z.array(budgetRowSchema),
  warnings: z.array(warningSchema),
  hints: z.array(hintSchema),
  stages: z.array(stageRowSchema),
  sections: sectionsSchema,
  /** What all of the above is computed from, raw samples included. */
  evidence: z.strictObject({ manifest: reportManifestSchema, facts: stageFactsSchema }),
  /** SHA-256 of the canonical JSON of all other fields. */
  digest: z.string(),
});
export type ReportDocument = z.infer<typeof reportDocumentSchema>;
