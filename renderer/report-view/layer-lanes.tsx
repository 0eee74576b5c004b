/** The graph beside the list of layers: a dot for each row, a line to the row that feeds it, an arc where others lie between. */
import type { LayerRow } from './layer-rows.ts';

/** As `--layer-row` in report.css, in pixels. */
const ROW = 26;
const WIDTH = 44;
const DOT = { x: 36, radius: 4 };

interface LayerLanesProps {
  readonly rows: readonly LayerRow[];
  /** Places of the rows from top to bottom. */
  readonly order: readonly number[];
  /** Draw what feeds what: only in the order of the graph, where lines go down. */
  readonly linked: boolean;
  readonly chosen: number;
}

export function LayerLanes({ rows, order, linked, chosen }: LayerLanesProps) {
  const height = order.length * ROW;
  const y = (line: number): number => line * ROW + ROW / 2;
  return (
    <svg className="report-lanes" width={WIDTH} height={height} viewBox={`0 0 ${WIDTH} ${height}`} aria-hidden="true">
      {linked
        ? order.flatMap((place, line) =>
            (rows[place]?.after ?? [])
              .filter((from) => from < place)
              .map((from) => (
                <path
                  key={`${from} ${place}`}
                  className={place === chosen || from === chosen ? 'report-lane report-lane-chosen' : 'report-lane'}
                  d={laneOf(y(from), y(line), line - from)}
                />
              )),
          )
        : null}
      {order.map((place, line) => (
        <circle
          key={place}
          className={`report-dot${rows[place]?.isFloat === true ? ' report-dot-hollow' : ''}${place === chosen ? ' report-dot-chosen' : ''}`}
          cx={DOT.x}
          cy={y(line)}
          r={DOT.radius}
        />
      ))}
    </svg>
  );
}

/** The more rows an arc leaps over, the further out it goes. */
function laneOf(from: number, to: number, rows: number): string {
  const { x, radius } = DOT;
  if (rows === 1) return `M${x} ${from + radius}V${to - radius}`;
  const out = x - Math.min(DOT.x - 4, 8 + 5 * Math.log2(rows));
  const bend = ROW * 0.7;
  return `M${x - radius} ${from}C${out} ${from} ${out} ${from} ${out} ${from + bend}V${to - bend}C${out} ${to} ${out} ${to} ${x - radius} ${to}`;
}
