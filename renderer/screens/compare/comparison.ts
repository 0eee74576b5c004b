/** Two reports side by side, as rows. Pure, so that what is compared with what can be tested. */
import type { ComparisonRow, ReportDocument } from '../../../native-workers/report/document.ts';
import { COMPARE } from '../../text/run.ts';

export interface ComparedRow {
  readonly id: string;
  readonly label: string;
  /** null: that report has no such row. */
  readonly earlier: ComparisonRow | null;
  readonly later: ComparisonRow | null;
}

/** Rows of both tables in their order; those that only one report has come where they stand in it. */
export function compareRows(earlier: ReportDocument, later: ReportDocument): ComparedRow[] {
  const rows: ComparedRow[] = later.table.map((row) => ({
    id: row.id,
    label: row.label,
    earlier: earlier.table.find((other) => other.id === row.id) ?? null,
    later: row,
  }));
  const known = new Set(rows.map((row) => row.id));
  for (const row of earlier.table) {
    if (!known.has(row.id)) rows.push({ id: row.id, label: row.label, earlier: row, later: null });
  }
  return rows;
}

export interface Difference {
  readonly label: string;
  readonly earlier: string;
  readonly later: string;
}

/** What was done otherwise, which has to be known before the numbers are read. */
export function differencesOf(earlier: ReportDocument, later: ReportDocument): Difference[] {
  const facts = (report: ReportDocument): readonly (readonly [string, string])[] => {
    const { manifest, facts: stages } = report.evidence;
    const environment = stages.benchmark?.environment ?? manifest.environment;
    return [
      [COMPARE.source, `${manifest.source.name} ${manifest.source.sha256.slice(0, 12)}`],
      [COMPARE.recipe, manifest.recipe.title ?? manifest.recipe.name],
      [COMPARE.passes, manifest.recipe.steps.map(stepText).join('\n')],
      [COMPARE.seed, String(manifest.seed)],
      [COMPARE.data, stages.evaluate?.dataset?.name ?? COMPARE.noData],
      [COMPARE.machine, environment === null ? COMPARE.notMeasured : `${environment.cpu}, ${environment.os}`],
      [COMPARE.engine, environment === null ? COMPARE.notMeasured : environment.engine],
    ];
  };
  const [before, after] = [facts(earlier), facts(later)];
  return before.flatMap(([label, text], index) => {
    const other = after[index]?.[1] ?? '';
    return text === other ? [] : [{ label, earlier: text, later: other }];
  });
}

function stepText(step: { pass: string; options?: Record<string, unknown> | undefined }): string {
  const options = Object.entries(step.options ?? {}).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return [step.pass, ...options].join(' ');
}
