/** What the running pass has found so far: ranges that grow with the samples, layers by their harm, models with the best of them. */
import type { Live } from '../../../native-workers/protocol/live.ts';
import { formatDifference } from '../../../native-workers/report/format.ts';
import { shortName } from '../../report-view/layer-rows.ts';
import { formatBytes } from '../../text/format.ts';
import { RUN } from '../../text/run.ts';
import { Cut } from '../../widgets/cut.tsx';

type LiveOf<Kind extends Live['kind']> = Extract<Live, { kind: Kind }>;

/** Targets have a table of their own; see `target-table.tsx`. */
export type PassLive = Exclude<Live, { kind: 'targets' }>;

export function LivePane({ live }: { readonly live: PassLive }) {
  return (
    <section className="pane" aria-labelledby="live">
      <h2 className="pane-title" id="live">
        {RUN.live[live.kind]} <span className="pane-detail">{detailOf(live)}</span>
      </h2>
      {live.kind === 'ranges' ? <Ranges live={live} /> : null}
      {live.kind === 'sensitivity' ? <Sensitivity live={live} /> : null}
      {live.kind === 'search' ? <Search live={live} /> : null}
    </section>
  );
}

function detailOf(live: PassLive): string {
  switch (live.kind) {
    case 'ranges':
      return RUN.live.rangesOf(live.ranges.length, live.total);
    case 'sensitivity':
      return RUN.live.sensitivityOf(live.total);
    case 'search':
      return live.points.length === 0 ? '' : RUN.live.searchOf(live.metric, live.maximumDrop);
  }
}

/** All on one scale, with a line at zero. */
function Ranges({ live: { ranges } }: { readonly live: LiveOf<'ranges'> }) {
  const least = Math.min(0, ...ranges.map(({ min }) => min));
  const most = Math.max(0, ...ranges.map(({ max }) => max));
  const width = most - least || 1;
  const at = (value: number): number => (100 * (value - least)) / width;
  return (
    <ul className="live">
      {ranges.map(({ value, min, max }) => (
        <li key={value} className="live-row">
          <Cut text={value} keepsEnd />
          <svg className="live-bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
            <rect className="live-range" x={at(min)} y="2" width={Math.max(0.5, at(max) - at(min))} height="6" />
            <rect className="live-zero" x={at(0)} y="0" width="0.4" height="10" />
          </svg>
          <span className="live-value numeric">
            {formatEnd(min)} … {formatEnd(max)}
          </span>
        </li>
      ))}
    </ul>
  );
}

function Sensitivity({ live: { layers } }: { readonly live: LiveOf<'sensitivity'> }) {
  const most = Math.max(Number.MIN_VALUE, ...layers.map(({ change }) => change));
  return (
    <ul className="live">
      {layers.map(({ node, change }) => (
        <li key={node} className="live-row">
          <Cut text={shortNode(node)} whole={node} keepsEnd />
          <svg className="live-bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
            <rect className="live-range" y="2" width={Math.max(0.5, (100 * Math.max(0, change)) / most)} height="6" />
          </svg>
          <span className="live-value numeric">{formatDifference(change)}</span>
        </li>
      ))}
    </ul>
  );
}

/** The best is the one with the most layers in INT8 that loses no more than is allowed; while there is none, the nearest to it. */
function Search({ live: { points, maximumDrop } }: { readonly live: LiveOf<'search'> }) {
  const within = points.filter(({ drop }) => drop <= maximumDrop);
  const best =
    within.length > 0
      ? within.reduce((first, point) => (point.float < first.float ? point : first))
      : points.toSorted((a, b) => a.drop - b.drop)[0];
  return (
    <ul className="live live-models">
      {points.map((point) => (
        <li key={point.float} className={point === best ? 'live-row live-best' : 'live-row'}>
          <span className="live-name">
            {RUN.live.float(point.float)}
            {point === best ? <span className="live-tag">{RUN.live.best}</span> : null}
          </span>
          <span className="live-value numeric">{point.drop.toFixed(2).replace('-', '\u2212')}</span>
          <span className="live-value numeric">{formatBytes(point.bytes)}</span>
        </li>
      ))}
    </ul>
  );
}

/** As the report names it. Which operator it is, is not told here: exporters end the name with it. */
function shortNode(node: string): string {
  const operator = /\/([A-Z][A-Za-z]*)$/.exec(node)?.[1] ?? '';
  return shortName({ node, operator });
}

function formatEnd(value: number): string {
  return Number(value.toPrecision(3)).toString().replace('-', '\u2212');
}
