/** What the optimised model answers, class by class: the changed samples, the classes, what is taken for what, the subgroups. */
import type { ReportDocument } from './document.ts';
import { formatDelta, formatDeltaRange, formatNumber, formatPoints, formatShare, plural } from './format.ts';
import { folded, leftOut, table } from './markdown-blocks.ts';
import { labelOfMetric, unitOfMetric } from './metric.ts';
import { dataOf } from './outcome.ts';
import type { AccuracySection } from './sections/accuracy.ts';
import { gapSentence } from './subgroups.ts';
import { escapeMarkdown as text } from './text.ts';

/** Rows of a table that grows with the samples or classes; the full report has the others. */
const MOST_ROWS = 20;
/** A matrix of more classes is wider than a page, and its pairs are listed instead. */
const MOST_COLUMNS = 12;

export function accuracyOf({ sections }: ReportDocument): string {
  const data = dataOf(sections.accuracy);
  if (data === null) return '';
  return [flipsOf(data), classesOf(data), confusionOf(data), iouOf(data), subgroupsOf(data), skippedOf(data)]
    .filter((block) => block !== '')
    .join('\n\n');
}

function flipsOf({ flips }: AccuracySection): string {
  if (flips.rows.length === 0) return '';
  const rows = flips.rows
    .slice(0, MOST_ROWS)
    .map(({ sample, kind, label, before, after }) => [
      text(sample),
      kind,
      text(label ?? ''),
      text(before),
      text(after),
    ]);
  const total = flips.broken + flips.fixed + flips.changed;
  const counts = `${flips.broken} broken, ${flips.fixed} fixed, ${flips.changed} changed otherwise, of ${flips.compared}`;
  return folded(
    `Samples whose answer changed: ${counts}`,
    table(['Sample', '', 'Label', 'Before', 'After'], rows, []) + remainder(total),
  );
}

function classesOf({ byClass }: AccuracySection): string {
  if (byClass === null) return '';
  const rows = byClass
    .slice(0, MOST_ROWS)
    .map(({ label, samples, recall, precision, f1 }) => [
      text(label),
      String(samples),
      formatShare(recall.before),
      formatShare(recall.after),
      formatPoints(recall.after - recall.before),
      formatShare(precision.before),
      formatShare(precision.after),
      formatShare(f1.before),
      formatShare(f1.after),
    ]);
  const head = [
    'Class',
    'Samples',
    'Recall before',
    'After',
    'Change',
    'Precision before',
    'After',
    'F1 before',
    'After',
  ];
  return folded(
    `Recall, precision and F1 of ${plural(byClass.length, 'class', 'classes')}, the largest losses of recall first`,
    table(head, rows, [1, 2, 3, 4, 5, 6, 7, 8]) + remainder(byClass.length),
  );
}

/** The whole matrix where it is narrow enough, each cell `after (before)`; else the pairs that are taken for each other most. */
function confusionOf({ confusion, confused }: AccuracySection): string {
  if (confusion !== null && confusion.classes.length <= MOST_COLUMNS) {
    const { classes, before, after } = confusion;
    const rows = classes.map((label, row) => [
      text(label),
      ...classes.map((_, answer) => {
        const [was, is] = [before[row]?.[answer] ?? 0, after[row]?.[answer] ?? 0];
        return was === is ? (is === 0 ? '' : String(is)) : `${is} (${was})`;
      }),
    ]);
    return folded(
      'Confusion matrix: samples by label (row) and answer (column), after, and before in brackets where it was another number',
      table(
        ['', ...classes.map(text)],
        rows,
        classes.map((_, column) => column + 1),
      ),
    );
  }
  if (confused === null || confused.pairs.length === 0) return '';
  const { pairs, total } = confused;
  const rows = pairs.map(({ label, answer, before, after }) => [
    text(label),
    text(answer),
    String(before),
    String(after),
  ]);
  const more = total > pairs.length ? `\n\n${total - pairs.length} more pairs are confused less.` : '';
  return folded('The most confused classes', table(['Label', 'Answer', 'Before', 'After'], rows, [2, 3]) + more);
}

function iouOf({ iouByClass }: AccuracySection): string {
  if (iouByClass === null) return '';
  const rows = iouByClass
    .slice(0, MOST_ROWS)
    .map(({ label, before, after }) => [
      text(label),
      formatShare(before),
      formatShare(after),
      formatPoints(after - before),
    ]);
  return folded(
    `Intersection over union of ${plural(iouByClass.length, 'class', 'classes')}, the largest losses first`,
    table(['Class', 'Before', 'After', 'Change'], rows, [1, 2, 3]) + remainder(iouByClass.length),
  );
}

function subgroupsOf({ subgroups, metrics }: AccuracySection): string {
  if (subgroups === null) return '';
  const { metric, groups } = subgroups;
  const unit = unitOfMetric(metrics.find(({ name }) => name === metric) ?? { unit: '1' });
  const rows = groups
    .slice(0, MOST_ROWS)
    .map(({ group, samples, before, after, delta, interval }) => [
      text(group),
      String(samples),
      formatNumber(before, unit),
      formatNumber(after, unit),
      `${formatDelta(delta, unit)} (${formatDeltaRange(interval, unit)})`,
    ]);
  const sentence = gapSentence(subgroups, unit);
  const head = ['Subgroup', 'Samples', 'Before', 'After', 'Change (95 % interval)'];
  return folded(
    `${text(labelOfMetric({ name: metric }))} by subgroup: ${plural(groups.length, 'group')}`,
    table(head, rows, [1, 2, 3, 4]) + remainder(groups.length) + (sentence === null ? '' : `\n\n${sentence}`),
  );
}

function skippedOf({ skipped }: AccuracySection): string {
  return skipped.length === 0 ? '' : leftOut(`${plural(skipped.length, 'sample')} could not be read`, skipped);
}

const remainder = (total: number): string =>
  total > MOST_ROWS ? `\n\n${total - MOST_ROWS} more are in the full report.` : '';
