/** The report as Markdown for pull requests: the verdict and tables first, details folded, no raw samples. */
import type { ComparisonRow, ReportDocument } from './document.ts';
import {
  formatBytes,
  formatCell,
  formatElement,
  formatMs,
  formatNumber,
  formatRange,
  formatRowChange,
  formatShare,
  formatSmallShare,
  plural,
} from './format.ts';
import { accuracyOf } from './markdown-accuracy.ts';
import { folded, leftOut, table } from './markdown-blocks.ts';
import { packagesOf } from './markdown-packages.ts';
import { quantizationOf } from './markdown-quantization.ts';
import { dataOf } from './outcome.ts';
import type { PassesSection } from './sections/passes.ts';
import { fencedBlock, escapeMarkdown as text } from './text.ts';

export function renderMarkdown(report: ReportDocument): string {
  const { run, verdict } = report;
  const blocks = [
    `# ${text(run.title)}`,
    `**${text(verdict.sentence)}**`,
    ...(run.status === 'partial'
      ? ['This report is partial: a stage of the run failed, was cancelled or did not run.']
      : []),
    warningsOf(report),
    comparisonOf(report.table),
    budgetsOf(report),
    hintsOf(report),
    accuracyOf(report),
    quantizationOf(report),
    saturationOf(report),
    packagesOf(report),
    passesOf(report),
    reproduceOf(report),
    provenanceOf(report),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

const JUDGEMENTS: Record<ComparisonRow['judgement'], string> = {
  better: 'better',
  worse: 'worse',
  same: 'same',
  inconclusive: 'inconclusive',
  'not-judged': '',
};

function comparisonOf(rows: readonly ComparisonRow[]): string {
  const cells = rows.map((row) => [
    text(row.label),
    formatCell(row.before, row.unit),
    formatCell(row.after, row.unit),
    formatRowChange(row),
    JUDGEMENTS[row.judgement],
  ]);
  return table(['', 'Before', 'After', 'Change (95 % interval)', ''], cells, [1, 2, 3]);
}

function warningsOf({ warnings }: ReportDocument): string {
  const kinds = { serious: '> **Warning:**', caution: '> **Caution:**', note: '> Note:' } as const;
  return warnings.map(({ severity, message }) => `${kinds[severity]} ${text(message)}`).join('\n>\n');
}

function budgetsOf({ budgets }: ReportDocument): string {
  if (budgets.length === 0) return '';
  const rows = budgets.map(({ label, limit, actual, margin, unit, status }) => [
    text(label),
    formatNumber(limit, unit),
    actual === null ? 'not measured' : formatNumber(actual, unit),
    margin === null ? '' : formatNumber(margin, unit),
    status === 'missed' ? '**missed**' : status.replace('-', ' '),
  ]);
  return `## Budgets\n\n${table(['', 'Limit', 'Actual', 'Margin', ''], rows, [1, 2, 3])}`;
}

function hintsOf({ hints }: ReportDocument): string {
  if (hints.length === 0) return '';
  return `## Where the difference comes from\n\n${hints.map(({ message }) => `- ${text(message)}`).join('\n')}`;
}

/** The layers with the largest error are enough to see where it comes from. */
const SATURATED_LAYERS = 10;

function saturationOf({ sections }: ReportDocument): string {
  const data = dataOf(sections.saturation);
  if (data === null) return '';
  const { agreement, change, samples, layers } = data;
  const found =
    agreement === null
      ? `the outputs change by ${formatElement(change)}`
      : `${formatShare(agreement.share)} of the answers stay the same (${formatRange(agreement.interval, 'share')})`;
  const head = `On x86 processors without VNNI ${found}, as emulated on ${plural(samples, 'sample')}; sums are cut off in ${plural(layers.length, 'layer')}.`;
  if (layers.length === 0) return head;
  const rows = layers
    .slice(0, SATURATED_LAYERS)
    .map(({ node, error, share }) => [text(node), formatShare(error), formatSmallShare(share)]);
  return folded(head, table(['Layer', 'Error of its sums', 'Pairs cut off'], rows, [1, 2]));
}

function passesOf({ sections }: ReportDocument): string {
  const passes = dataOf(sections.passes);
  if (passes === null) return '';
  const rows = passes.rows.map((row) => [
    text(row.title),
    row.status,
    text(resultOf(row)),
    `${row.nodesBefore} → ${row.nodesAfter}`,
    formatMs(row.ms),
  ]);
  const unused = passes.rows.flatMap(({ title, calibration }) =>
    calibration?.skipped === undefined
      ? []
      : [
          leftOut(
            `${text(title)}: ${plural(calibration.skipped.count, 'calibration sample')} left out`,
            calibration.skipped.listed,
            calibration.skipped.count,
          ),
        ],
  );
  return ['## Passes', table(['Pass', '', 'What it did', 'Nodes', 'Time'], rows, [3, 4]), ...unused].join('\n\n');
}

function resultOf({ counts, reason, error }: PassesSection['rows'][number]): string {
  const done = Object.entries(counts).map(([what, count]) => `${what}: ${count}`);
  // The reason of a failed pass is its error.
  const why = error?.message ?? reason;
  return [...done, ...(why === undefined ? [] : [why])].join('; ');
}

function reproduceOf({ sections }: ReportDocument): string {
  const data = dataOf(sections.reproduce);
  if (data === null) return '';
  const files = data.files.map(
    ({ name, content }) => `\`${name}\`:\n\n${fencedBlock('json', JSON.stringify(content, null, 2))}`,
  );
  return folded('How to do it again', [fencedBlock('sh', data.command), ...files].join('\n\n'));
}

function provenanceOf(report: ReportDocument): string {
  const models = dataOf(report.sections.models)?.files ?? [];
  const machine = dataOf(report.sections.environment)?.environment;
  const lines = models.map(
    (model) => `- ${text(model.label)}: ${formatBytes(model.bytes)}, SHA-256 \`${model.sha256}\``,
  );
  const place =
    machine === undefined
      ? []
      : [
          `- ${text(machine.cpu)}, ${machine.cores} cores, ${formatBytes(machine.memory)}; ${text(machine.os)}; ${text(machine.engine)}`,
        ];
  const run = `- Run ${text(report.run.id)}, ${text(report.run.created)}, Hone ${text(report.hone)}, report digest \`${report.digest}\``;
  return folded('Where and with what', [...lines, ...place, run].join('\n'));
}
