/** What a finished run has to say on a terminal: the before/after table, what was left out and why, and where the report is. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Manifest } from '../protocol/facts.ts';
import type { PackageFacts } from '../protocol/package-facts.ts';
import type { ReportDocument } from '../report/document.ts';
import { formatCell, formatNumber, formatRowChange } from '../report/format.ts';
import { dataOf } from '../report/outcome.ts';
import { packText } from './pack-text.ts';
import { pairs, plain, table } from './text.ts';

const MOST_WARNINGS = 8;

/** `packages`: of a run without a report. */
export function runText(
  folder: string,
  manifest: Manifest,
  report: ReportDocument | null,
  packages: PackageFacts | null = null,
): string {
  const parts = report === null ? [] : reportParts(report);
  if (packages !== null) parts.push(packText(packages));
  const leftOut = [...stageLines(manifest), ...(report === null ? [] : passLines(report))];
  if (leftOut.length > 0) parts.push(`left out\n${leftOut.join('\n')}`);
  parts.push(pairs(places(folder, manifest)));
  return parts.join('\n\n');
}

function reportParts(report: ReportDocument): string[] {
  const rows = report.table.map((row) => [
    plain(row.label),
    formatCell(row.before, row.unit),
    formatCell(row.after, row.unit),
    formatRowChange(row),
    row.judgement === 'not-judged' ? '' : row.judgement,
  ]);
  const columns = ['', 'before', 'after', 'change (95 % interval)', ''];
  const parts = [
    plain(report.verdict.sentence),
    table(
      columns.map((title, index) => ({
        title,
        align: index === 1 || index === 2 ? ('right' as const) : ('left' as const),
      })),
      rows,
    ),
  ];
  if (report.budgets.length > 0) {
    const lines = report.budgets.map(({ label, limit, actual, unit, status }) => {
      const value = actual === null ? 'not measured' : formatNumber(actual, unit);
      return [label, `limit ${formatNumber(limit, unit)}`, value, status === 'not-measured' ? 'not checked' : status];
    });
    parts.push(table([{ title: 'budget' }, { title: '' }, { title: '' }, { title: '' }], lines));
  }
  const packages = dataOf(report.sections.packages);
  if (packages !== null) parts.push(packText(packages));
  const warnings = report.warnings.filter(({ severity }) => severity !== 'note').slice(0, MOST_WARNINGS);
  if (warnings.length > 0) {
    parts.push(`warnings\n${warnings.map(({ severity, message }) => `- ${severity}: ${plain(message)}`).join('\n')}`);
  }
  return parts;
}

/** Stages that did not do their work, each with its reason. */
function stageLines({ stages }: Manifest): string[] {
  return stages.flatMap(({ name, status, reason, error }) =>
    status === 'done' ? [] : [`- ${name}: ${status}${why(reason ?? error?.message)}`],
  );
}

function passLines(report: ReportDocument): string[] {
  const rows = dataOf(report.sections.passes)?.rows ?? [];
  return rows.flatMap(({ pass, status, reason, error }) =>
    status === 'changed' ? [] : [`- pass ${pass}: ${status}${why(reason ?? error?.message)}`],
  );
}

function why(reason: string | undefined): string {
  return reason === undefined ? '' : `, ${plain(reason)}`;
}

function places(folder: string, manifest: Manifest): [string, string][] {
  const made = manifest.models.findLast(({ parent }) => parent !== null);
  const report = ['report.html', 'report.md', 'report.json']
    .map((name) => join(folder, name))
    .find((path) => existsSync(path));
  return [
    ...(made === undefined ? [] : [['model', join(folder, made.path)] satisfies [string, string]]),
    ...(report === undefined ? [] : [['report', report] satisfies [string, string]]),
    ['run', manifest.id],
  ];
}
