/** What a report is computed from: the manifest and the stages' facts, and nothing else. */
import { z } from 'zod';
import {
  benchmarkFactsSchema,
  evaluateFactsSchema,
  inspectFactsSchema,
  type Manifest,
  manifestSchema,
  optimizeFactsSchema,
  type StageName,
} from '../protocol/facts.ts';
import { packageFactsSchema } from '../protocol/package-facts.ts';
import { failed, notMeasured, type Outcome } from './outcome.ts';

/** The facts of the stages, each as its file holds them; null when the stage left none. */
export const stageFactsSchema = z.strictObject({
  inspect: inspectFactsSchema.nullable(),
  optimize: optimizeFactsSchema.nullable(),
  evaluate: evaluateFactsSchema.nullable(),
  benchmark: benchmarkFactsSchema.nullable(),
  package: packageFactsSchema.nullable(),
});
export type StageFacts = z.infer<typeof stageFactsSchema>;

/**
 * What of the manifest a report is computed from: all but what changes while and after the report is written. (The error
 * of a stage stands in its row; that of the run may come later, from copying the results.)
 */
export const reportManifestSchema = manifestSchema.omit({ updated: true, status: true, error: true });
export type ReportManifest = z.infer<typeof reportManifestSchema>;

export interface ReportInput {
  readonly manifest: ReportManifest;
  readonly facts: StageFacts;
}

/** The part of a manifest that a report is computed from; taking it twice changes nothing. */
export function reportManifestOf(manifest: Manifest | ReportManifest): ReportManifest {
  const { schema, hone, id, title, created, source, recipe, seed, request, environment, models } = manifest;
  const stages = manifest.stages.filter((stage) => stage.name !== 'report');
  return { schema, hone, id, title, created, source, recipe, seed, request, environment, stages, models };
}

/** Why a stage left no facts, as the outcome of the sections that need them. */
export function absenceOf(name: StageName, { manifest }: ReportInput): Outcome<never> {
  const stage = manifest.stages.find((row) => row.name === name);
  if (stage === undefined) return notMeasured(`The ${name} stage was not part of the run.`);
  if (stage.status === 'failed' && stage.error !== undefined) return failed(stage.error);
  if (stage.status === 'skipped') return notMeasured(stage.reason ?? `The ${name} stage was skipped.`);
  if (stage.status === 'cancelled') return notMeasured(`The run was cancelled in the ${name} stage.`);
  if (stage.status === 'done') return notMeasured(`The facts of the ${name} stage are missing.`);
  return notMeasured(`The ${name} stage did not run.`);
}
