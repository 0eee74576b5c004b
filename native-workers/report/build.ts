/** The report of a run from its facts: pure, so that anyone can compute it again and compare. */
import type { Manifest } from '../protocol/facts.ts';
import { buildBudgets } from './budgets.ts';
import { digestOf } from './digest.ts';
import { REPORT_SCHEMA_VERSION, type ReportDocument } from './document.ts';
import { buildHints } from './hints.ts';
import { type ReportInput, type ReportManifest, reportManifestOf, type StageFacts } from './input.ts';
import { buildSections } from './sections/registry.ts';
import { buildTable } from './table.ts';
import { buildVerdict } from './verdict.ts';
import { buildWarnings } from './warnings.ts';

export function buildReport(manifest: Manifest | ReportManifest, facts: StageFacts): ReportDocument {
  const input: ReportInput = { manifest: reportManifestOf(manifest), facts };
  const sections = buildSections(input);
  const budgets = buildBudgets(input, sections);
  const { id, title, created, hone, source, stages } = input.manifest;
  const complete = stages.every((stage) => stage.status === 'done' || stage.status === 'skipped');
  const document: Omit<ReportDocument, 'digest'> = {
    kind: 'hone-report',
    schema: REPORT_SCHEMA_VERSION,
    hone,
    run: { id, title, created, status: complete ? 'complete' : 'partial', model: source.name },
    verdict: buildVerdict(sections, budgets),
    table: buildTable(sections),
    budgets,
    warnings: buildWarnings(input, sections, budgets),
    hints: buildHints(sections),
    stages,
    sections,
    evidence: input,
  };
  return { ...document, digest: digestOf(document) };
}
