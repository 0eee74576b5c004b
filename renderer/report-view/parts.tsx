/** Small pieces that all parts of the report are made of. */
import type { ReactNode } from 'react';
import type { Judgement } from '../../native-workers/report/document.ts';
import { visible } from '../../native-workers/report/text.ts';

/** A name from a model or a file: isolated, since it may be in any script and direction, and without invisible characters. */
export function Name({ text }: { readonly text: string }) {
  return <bdi className="report-name">{visible(text)}</bdi>;
}

/** A value with its interval below it. */
export function WithInterval({ value, interval }: { readonly value: ReactNode; readonly interval: string }) {
  return (
    <>
      {value} <span className="report-interval">{interval}</span>
    </>
  );
}

export type Tone = 'better' | 'worse' | 'neutral' | 'warning' | 'danger';

/** A word that says how something came out; colour only repeats it. */
export function Pill({ tone, children }: { readonly tone: Tone; readonly children: ReactNode }) {
  return <span className={`report-pill report-tone-${tone}`}>{children}</span>;
}

const JUDGEMENTS: Record<Judgement, { readonly tone: Tone; readonly word: string } | null> = {
  better: { tone: 'better', word: 'better' },
  worse: { tone: 'worse', word: 'worse' },
  same: { tone: 'neutral', word: 'same' },
  inconclusive: { tone: 'neutral', word: 'inconclusive' },
  'not-judged': null,
};

export function JudgementPill({ judgement }: { readonly judgement: Judgement }) {
  const found = JUDGEMENTS[judgement];
  return found === null ? null : <Pill tone={found.tone}>{found.word}</Pill>;
}

export interface Column {
  readonly label: string;
  readonly numeric?: boolean;
}

export interface DataTableProps {
  readonly caption: string;
  /** The first column names the row. */
  readonly columns: readonly Column[];
  readonly rows: readonly { readonly id: string; readonly cells: readonly ReactNode[] }[];
  /** Hides the caption where a heading just above says the same; screen readers still have it. */
  readonly quiet?: boolean;
}

export function DataTable({ caption, columns, rows, quiet = false }: DataTableProps) {
  return (
    // Wide tables scroll by themselves; a scrolled region must be reachable by keyboard.
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region without it cannot be scrolled by keyboard
    <section className="report-table-box" tabIndex={0} aria-label={caption}>
      <table className="report-table">
        <caption className={quiet ? 'report-hidden' : undefined}>{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ label, numeric }) => (
              <th key={label} scope="col" className={numeric === true ? 'report-number' : undefined}>
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ id, cells: [first, ...rest] }) => (
            <tr key={id}>
              <th scope="row">{first}</th>
              {rest.map((cell, index) => {
                const column = columns[index + 1];
                return (
                  <td key={column?.label ?? index} className={column?.numeric === true ? 'report-number' : undefined}>
                    {cell}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** What few readers need at once, closed on the screen and open on paper. */
export function Details({ summary, children }: { readonly summary: string; readonly children: ReactNode }) {
  return (
    <details className="report-details">
      <summary>{summary}</summary>
      <div className="report-details-body">{children}</div>
    </details>
  );
}

export interface Fact {
  readonly label: string;
  readonly value: ReactNode;
}

/** Labels with their values, in as many columns as fit. */
export function Facts({ facts }: { readonly facts: readonly Fact[] }) {
  return (
    <dl className="report-facts">
      {facts.map(({ label, value }) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
