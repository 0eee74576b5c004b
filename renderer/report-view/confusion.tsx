/** Which class was taken for which: before, after, and the change, as a table that is coloured by its numbers. */
import { useState } from 'react';
import { formatCount, plural } from '../../native-workers/report/format.ts';
import type { AccuracySection } from '../../native-workers/report/sections/accuracy.ts';
import { visible } from '../../native-workers/report/text.ts';
import { DataTable, Details, Name } from './parts.tsx';

type Matrix = NonNullable<AccuracySection['confusion']>;

const SIDES = { before: 'Before', after: 'After', change: 'Change' } as const;
type Side = keyof typeof SIDES;

/** Of the ground, so that the text stays readable on it. */
const MOST_COLOUR = 55;

export function Confusion({ matrix }: { readonly matrix: Matrix }) {
  const [side, setSide] = useState<Side>('after');
  const { classes } = matrix;
  const cells = valuesOf(matrix, side);
  const wrong = cells.flatMap((row, label) => row.filter((_, answer) => answer !== label));
  const right = cells.map((row, label) => row[label] ?? 0);
  const most = { right: largest(right), wrong: largest(wrong) };
  // A caption is no wider than its table, and that of two classes is narrow: what is seen stands above it.
  const caption = `${side === 'change' ? 'Change of the samples' : 'Samples'} by label (row) and answer (column); framed: right answers`;
  return (
    <Details summary={`Confusion matrix: ${plural(classes.length, 'class', 'classes')}`}>
      <p className="report-switch">
        {Object.entries(SIDES).map(([key, word]) => (
          <button
            key={key}
            type="button"
            className="report-toggle"
            aria-pressed={key === side}
            onClick={() => setSide(key as Side)}
          >
            {word}
          </button>
        ))}
      </p>
      <p className="report-meta" aria-hidden="true">
        {caption}
      </p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region without it cannot be scrolled by keyboard */}
      <section className="report-table-box report-matrix-box" tabIndex={0} aria-label="Confusion matrix">
        <table className="report-confusion">
          <caption className="report-hidden">{caption}</caption>
          <thead>
            <tr>
              <td className="report-confusion-corner" />
              {classes.map((name) => (
                <th key={name} scope="col" className="report-confusion-answer" title={visible(name)}>
                  <bdi>{visible(name)}</bdi>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {cells.map((row, label) => (
              <tr key={classes[label]}>
                <th scope="row" className="report-confusion-label" title={visible(classes[label] ?? '')}>
                  <bdi>{visible(classes[label] ?? '')}</bdi>
                </th>
                {row.map((count, answer) => (
                  <td
                    key={classes[answer]}
                    className={answer === label ? 'report-cell-right' : undefined}
                    title={
                      count === 0
                        ? undefined
                        : `${visible(classes[label] ?? '')} answered as ${visible(classes[answer] ?? '')}`
                    }
                    style={{ background: colourOf(count, answer === label, most, side) }}
                  >
                    {wordOf(count, side)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </Details>
  );
}

/** For more classes than a matrix can show. */
export function ConfusedPairs({ confused }: { readonly confused: NonNullable<AccuracySection['confused']> }) {
  const { pairs, total } = confused;
  if (pairs.length === 0) return null;
  return (
    <Details summary={`The most confused classes: ${plural(pairs.length, 'pair')} of ${formatCount(total)}`}>
      <DataTable
        caption="Samples by label and wrong answer"
        columns={[
          { label: 'Label' },
          { label: 'Answer' },
          { label: 'Before', numeric: true },
          { label: 'After', numeric: true },
        ]}
        rows={pairs.map(({ label, answer, before, after }) => ({
          id: `${label} ${answer}`,
          cells: [
            <Name key="label" text={label} />,
            <Name key="answer" text={answer} />,
            formatCount(before),
            formatCount(after),
          ],
        }))}
      />
    </Details>
  );
}

function valuesOf({ before, after }: Matrix, side: Side): readonly (readonly number[])[] {
  if (side !== 'change') return side === 'before' ? before : after;
  return after.map((row, label) => row.map((count, answer) => count - (before[label]?.[answer] ?? 0)));
}

const largest = (counts: readonly number[]): number =>
  counts.reduce((most, count) => Math.max(most, Math.abs(count)), 1);

/** Right answers and mistakes have a scale each: else the diagonal would drown the mistakes. */
function colourOf(
  count: number,
  isRight: boolean,
  most: { readonly right: number; readonly wrong: number },
  side: Side,
): string | undefined {
  if (count === 0) return undefined;
  const share = Math.round((MOST_COLOUR * Math.abs(count)) / (isRight ? most.right : most.wrong));
  const isGood = side === 'change' ? isRight === count > 0 : isRight;
  return `color-mix(in srgb, var(${isGood ? '--better-soft' : '--worse-soft'}), var(${isGood ? '--better' : '--worse'}) ${Math.round(share / 2)}%)`;
}

function wordOf(count: number, side: Side): string {
  if (count === 0) return '';
  return side === 'change' && count > 0 ? `+${count}` : String(count).replace('-', '\u2212');
}
