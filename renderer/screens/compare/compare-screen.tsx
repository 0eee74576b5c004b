/** Two runs side by side: what differs in what was done, then what each did to its source model. */
import { ArrowLeft } from 'lucide-react';
import { useEffect } from 'react';
import type { ComparisonRow, ReportDocument } from '../../../native-workers/report/document.ts';
import {
  formatCell,
  formatChange,
  formatChangeRange,
  formatDelta,
  formatDeltaRange,
} from '../../../native-workers/report/format.ts';
import { formatRoute, navigate, useRoute } from '../../stores/navigation.ts';
import { loadReport, useReports } from '../../stores/reports.ts';
import { formatWhen } from '../../text/format.ts';
import { COMPARE } from '../../text/run.ts';
import { Button } from '../../widgets/button.tsx';
import { ReportPane } from '../report/report-pane.tsx';
import { compareRows, differencesOf } from './comparison.ts';

export function CompareScreen() {
  const route = useRoute((state) => state.route);
  const before = route.screen === 'compare' ? route.before : '';
  const after = route.screen === 'compare' ? route.after : '';
  const earlier = useReports((state) => state.ofRuns[before]);
  const later = useReports((state) => state.ofRuns[after]);
  useEffect(() => {
    if (before !== '' && earlier === undefined) void loadReport(before);
    if (after !== '' && later === undefined) void loadReport(after);
  }, [before, after, earlier, later]);
  const failed = [earlier, later].find((report) => report?.status === 'failed');
  return (
    <div className="screen">
      <header className="screen-head">
        <h1 className="screen-title">{COMPARE.title}</h1>
        <span className="grow" />
        <Button icon={ArrowLeft} onClick={() => navigate({ screen: 'library' })}>
          {COMPARE.back}
        </Button>
      </header>
      {earlier?.status === 'ready' && later?.status === 'ready' ? (
        <Comparison earlier={earlier.document} later={later.document} />
      ) : (
        <ReportPane
          report={failed ?? { status: 'loading' }}
          onRetry={() => {
            void loadReport(before);
            void loadReport(after);
          }}
        />
      )}
    </div>
  );
}

interface PairProps {
  readonly earlier: ReportDocument;
  readonly later: ReportDocument;
}

function Comparison({ earlier, later }: PairProps) {
  const sameSource = earlier.evidence.manifest.source.sha256 === later.evidence.manifest.source.sha256;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard.
    <section className="compare" tabIndex={0} aria-label={COMPARE.title}>
      {sameSource ? null : <p className="banner banner-warning">{COMPARE.otherSource}</p>}
      <Differences earlier={earlier} later={later} />
      <section className="pane" aria-labelledby="measured">
        <h2 className="pane-title" id="measured">
          {COMPARE.measured}
        </h2>
        <div className="compare-scroll">
          <table className="compare-table">
            <thead className="compare-head">
              <tr>
                <td />
                <RunHead report={earlier} title={COMPARE.earlier} />
                <RunHead report={later} title={COMPARE.later} />
              </tr>
              <tr>
                <th scope="col">{COMPARE.measure}</th>
                <SideHeads />
                <SideHeads />
              </tr>
            </thead>
            <tbody>
              {compareRows(earlier, later).map((row) => (
                <tr key={row.id}>
                  <th scope="row">{row.label}</th>
                  <Side row={row.earlier} />
                  <Side row={row.later} />
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        <p className="pane-text muted">{COMPARE.caution}</p>
      </section>
    </section>
  );
}

function RunHead({ report, title }: { readonly report: ReportDocument; readonly title: string }) {
  const { id, created } = report.run;
  return (
    <th scope="colgroup" colSpan={3} className="compare-run">
      <span className="muted">{title}</span>{' '}
      <a href={formatRoute({ screen: 'run', id, tab: 'report' })}>
        {report.evidence.manifest.recipe.title ?? report.evidence.manifest.recipe.name}
      </a>{' '}
      <span className="muted">{formatWhen(created, Date.now())}</span>
    </th>
  );
}

function SideHeads() {
  return (
    <>
      <th scope="col" className="numeric compare-first">
        {COMPARE.source}
      </th>
      <th scope="col" className="numeric">
        {COMPARE.after}
      </th>
      <th scope="col" className="numeric">
        {COMPARE.change}
      </th>
    </>
  );
}

const TONE = { better: 'better', worse: 'worse', same: '', inconclusive: 'muted', 'not-judged': '' } as const;

function Side({ row }: { readonly row: ComparisonRow | null }) {
  if (row === null) {
    return (
      <td colSpan={3} className="muted compare-first">
        {COMPARE.notMeasured}
      </td>
    );
  }
  const { unit, before, after, judgement } = row;
  return (
    <>
      <td className="numeric compare-first muted">{formatCell(before, unit)}</td>
      <td className="numeric">{formatCell(after, unit)}</td>
      <td className="numeric">
        <span className={TONE[judgement]}>{changeOf(row)}</span>
        <span className="compare-judgement">{uncertaintyOf(row)}</span>
      </td>
    </>
  );
}

function changeOf({ ratio, delta, unit }: ComparisonRow): string {
  if (ratio !== null) return formatChange(ratio);
  return delta === null ? '' : formatDelta(delta, unit);
}

/** The 95 % interval, and that nothing is proven where nothing is. */
function uncertaintyOf({ ratio, interval, unit, judgement }: ComparisonRow): string {
  const range =
    interval === null
      ? ''
      : ratio === null
        ? formatDeltaRange(interval, unit)
        : formatChangeRange(interval.low, interval.high);
  return [range, judgement === 'inconclusive' ? COMPARE.inconclusive : ''].filter((part) => part !== '').join(', ');
}

function Differences({ earlier, later }: PairProps) {
  const differences = differencesOf(earlier, later);
  return (
    <section className="pane" aria-labelledby="differences">
      <h2 className="pane-title" id="differences">
        {COMPARE.differences}
      </h2>
      {differences.length === 0 ? (
        <p className="pane-text muted">{COMPARE.same}</p>
      ) : (
        <table className="difference-table">
          <thead className="only-spoken">
            <tr>
              <td />
              <th scope="col">{COMPARE.earlier}</th>
              <th scope="col">{COMPARE.later}</th>
            </tr>
          </thead>
          <tbody>
            {differences.map((difference) => (
              <tr key={difference.label}>
                <th scope="row">{difference.label}</th>
                <td>{difference.earlier}</td>
                <td>{difference.later}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
