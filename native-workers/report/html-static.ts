/** What a reader without scripts sees of the report: the verdict, warnings, before/after, budgets, passes, hashes. */
import type { ComparisonRow, ReportDocument, Warning } from './document.ts';
import { formatBytes, formatCell, formatNumber, formatRowChange } from './format.ts';
import { dataOf } from './outcome.ts';
import { escapeHtml as text } from './text.ts';

export function staticReport(report: ReportDocument): string {
  const { run, verdict, table, budgets, warnings } = report;
  return `<main class="report report-static">
<header class="report-header"><h1>${name(run.title)}</h1>
<p class="report-meta">Model ${name(run.model)}, run ${text(run.id)}, ${text(run.created)}, Hone ${text(report.hone)}</p></header>
<p class="report-verdict">${text(verdict.sentence)}</p>
${warnings.length === 0 ? '' : `<ul class="report-warnings">\n${warnings.map(warningItem).join('\n')}\n</ul>`}
${dataTable('Before and after', ['What', 'Before', 'After', 'Change (95 % interval)', 'Judgement'], table.map(comparisonCells))}
${budgets.length === 0 ? '' : dataTable('Budgets', ['What', 'Limit', 'Actual', 'Status'], budgets.map(budgetCells))}
${passTable(report)}
${modelTable(report)}
<p class="report-meta">Report digest ${text(report.digest)}. Charts and all other sections need scripts; the file holds them and loads nothing.</p>
</main>`;
}

/** Names may be in any script and direction: isolated, they cannot disturb the text around them. */
const name = (value: string): string => `<bdi>${text(value)}</bdi>`;

function warningItem({ severity, message }: Warning): string {
  const words = { serious: 'Warning', caution: 'Caution', note: 'Note' }[severity];
  return `<li class="report-warning report-warning-${severity}"><strong>${words}:</strong> ${text(message)}</li>`;
}

/** Cells are HTML already; the first of each row is its heading. */
function dataTable(caption: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const headings = head.map((cell) => `<th scope="col">${text(cell)}</th>`).join('');
  const body = rows.map(([first = '', ...rest]) => {
    const cells = rest.map((cell) => `<td>${cell}</td>`).join('');
    return `<tr><th scope="row">${first}</th>${cells}</tr>`;
  });
  return `<table class="report-table"><caption>${text(caption)}</caption>
<thead><tr>${headings}</tr></thead>
<tbody>
${body.join('\n')}
</tbody></table>`;
}

function comparisonCells(row: ComparisonRow): string[] {
  return [
    text(row.label),
    text(formatCell(row.before, row.unit)),
    text(formatCell(row.after, row.unit)),
    text(formatRowChange(row)),
    row.judgement === 'not-judged' ? '' : row.judgement,
  ];
}

function budgetCells({ label, limit, actual, unit, status }: ReportDocument['budgets'][number]): string[] {
  const found = actual === null ? 'not measured' : formatNumber(actual, unit);
  return [text(label), text(formatNumber(limit, unit)), text(found), status.replace('-', ' ')];
}

function passTable({ sections }: ReportDocument): string {
  const rows = dataOf(sections.passes)?.rows ?? [];
  if (rows.length === 0) return '';
  const cells = rows.map((row) => {
    const counts = Object.entries(row.counts).map(([what, count]) => `${what}: ${count}`);
    return [
      name(row.title),
      row.status,
      text([...counts, ...(row.reason === undefined ? [] : [row.reason])].join('; ')),
    ];
  });
  return dataTable('Passes', ['Pass', 'Status', 'What it did'], cells);
}

function modelTable({ sections }: ReportDocument): string {
  const files = dataOf(sections.models)?.files ?? [];
  const cells = files.map(({ label, bytes, sha256 }) => [
    name(label),
    text(formatBytes(bytes)),
    `<code>${text(sha256)}</code>`,
  ]);
  return dataTable('Model files', ['Model', 'Size', 'SHA-256'], cells);
}
