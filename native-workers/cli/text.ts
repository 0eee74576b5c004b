/** Text for a terminal: tables, times and large counts. Other numbers are written as the report writes them. */
import { formatCount, formatPlain } from '../report/format.ts';
import { visible } from '../report/text.ts';

/** Milliseconds as a time of readable size: `320 µs`, `4.21 ms`, `12.5 s`, `3 min 20 s`. */
export function duration(ms: number): string {
  if (ms < 1) return `${formatPlain(ms * 1000)} µs`;
  if (ms < 1000) return `${formatPlain(ms)} ms`;
  if (ms < 60_000) return `${formatPlain(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Counts in short: `3.50 M`, `215 k`. */
export function shortCount(value: number): string {
  for (const [size, unit] of [
    [1e12, 'T'],
    [1e9, 'G'],
    [1e6, 'M'],
    [1e4, 'k'],
  ] as const) {
    if (value >= size) return `${formatPlain(unit === 'k' ? value / 1000 : value / size)} ${unit}`;
  }
  return formatCount(value);
}

/** Text of models and files, line by line, without what would drive the terminal or turn the reading direction. */
export function plain(text: string): string {
  return text.split('\n').map(visible).join('\n');
}

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** Rows under titles, columns as wide as their widest cell; lines carry no trailing blanks. No titles: no head. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...rows.map((row) => row[index]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align }, index) => {
        const cell = cells[index] ?? '';
        const width = widths[index] ?? 0;
        return align === 'right' ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  const titles = columns.map(({ title }) => title);
  // The last column is often a sentence: a rule of its width would only wrap.
  const rules = columns.map(({ title, align }, index) =>
    '-'.repeat(index === columns.length - 1 && align !== 'right' ? title.length : (widths[index] ?? 0)),
  );
  const head = titles.some((title) => title !== '') ? [line(titles), line(rules)] : [];
  return [...head, ...rows.map(line)].join('\n');
}

/** Names and values below each other: `format    onnx`. */
export function pairs(rows: readonly (readonly [string, string])[]): string {
  return table([{ title: '' }, { title: '' }], rows);
}
