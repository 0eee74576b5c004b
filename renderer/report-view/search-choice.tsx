/** The models that a search measured, to choose another one from: the chart, its table, and what becomes of the one picked. */
import { createContext, useCallback, useContext, useState } from 'react';
import { formatBytes, formatMs, plural } from '../../native-workers/report/format.ts';
import type { QuantizationSection } from '../../native-workers/report/sections/quantization.ts';
import { visible } from '../../native-workers/report/text.ts';
import { Chart } from '../charts/chart.tsx';
import { nameOf, searchFront } from '../charts/search-front.ts';
import type { ChartTheme } from '../charts/theme.ts';
import { DataTable, Pill } from './parts.tsx';

type Point = QuantizationSection['search'][number];

/** Prepares the model of a point, by its place among the points. Whoever can run a recipe provides it; a saved report cannot. */
export type MakePoint = (place: number) => void;

export const MakePointContext = createContext<MakePoint | null>(null);

export function SearchChoice({ points }: { readonly points: readonly Point[] }) {
  const make = useContext(MakePointContext);
  const [picked, setPicked] = useState(() => points.findIndex(({ chosen }) => chosen));
  const option = useCallback((theme: ChartTheme) => searchFront(points, picked, theme), [points, picked]);
  const chosen = points.find((point) => point.chosen);
  const point = points[picked];
  return (
    <div className="report-columns report-columns-chart">
      <figure>
        <figcaption>
          What the search had to choose from: further left is more accurate, further down is faster. The dashed line
          joins those that no other beats in both
        </figcaption>
        <Chart
          description={`${plural(points.length, 'model')} measured.${chosen === undefined ? '' : ` Chosen: ${wordsOf(chosen)}`}`}
          height={320}
          option={option}
          onPick={setPicked}
        />
      </figure>
      <div className="report-choice">
        <DataTable
          caption={`Candidates that the search measured, with their loss of ${visible(points[0]?.metric ?? 'accuracy')}`}
          columns={[
            { label: 'Model' },
            { label: 'Median time', numeric: true },
            { label: 'Size', numeric: true },
            { label: 'Points lost', numeric: true },
          ]}
          rows={points.map((row, place) => ({
            id: String(place),
            cells: [
              <span key="name">
                <button
                  type="button"
                  className="report-pick"
                  aria-pressed={place === picked}
                  onClick={() => setPicked(place)}
                >
                  {nameOf(row)}
                </button>{' '}
                {row.chosen ? <Pill tone="better">chosen</Pill> : null}
              </span>,
              formatMs(row.ms),
              formatBytes(row.bytes),
              formatDrop(row.drop),
            ],
          }))}
        />
        {point === undefined ? null : (
          <p className="report-picked" role="status">
            <span>
              <strong>{nameOf(point)}</strong>: {formatMs(point.ms)}, {formatBytes(point.bytes)}, {lossOf(point)}.
            </span>
            {point.chosen ? <span>It is the result of this run.</span> : null}
            {make === null || point.chosen || point.float === null ? null : (
              <button type="button" className="report-toggle" onClick={() => make(picked)}>
                Make this model
              </button>
            )}
          </p>
        )}
      </div>
    </div>
  );
}

function wordsOf(point: Point): string {
  return `${nameOf(point)}, ${formatMs(point.ms)}, ${formatBytes(point.bytes)}, ${lossOf(point)}.`;
}

const lossOf = ({ drop, metric }: Point): string =>
  drop < 0 ? `${formatDrop(-drop)} points of ${metric} gained` : `${formatDrop(drop)} points of ${metric} lost`;

const formatDrop = (drop: number): string => drop.toFixed(2).replace('-', '\u2212');
