/** Blocks of Markdown that the parts of the report share. Cells are escaped by who makes them. */
import { escapeMarkdown as text } from './text.ts';

export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  numeric: readonly number[],
): string {
  const rule = head.map((_, column) => (numeric.includes(column) ? '---:' : '---'));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export function folded(summary: string, content: string): string {
  return `<details>\n<summary>${summary}</summary>\n\n${content}\n\n</details>`;
}

/** Samples that are named; the full report has the others. */
const MOST_SAMPLES = 20;

/** What could not be used, and why. `count`: how many there are, where not all are listed. */
export function leftOut(
  summary: string,
  samples: readonly { readonly sample: string; readonly reason: string }[],
  count: number = samples.length,
): string {
  const rows = samples.slice(0, MOST_SAMPLES).map(({ sample, reason }) => [text(sample), text(reason)]);
  const more = count > MOST_SAMPLES ? `\n\n${count - MOST_SAMPLES} more are in the full report.` : '';
  return folded(summary, table(['Sample', 'Why'], rows, []) + more);
}
