/** The report of a run in the library, or why there is none. */
import { FileChartColumn, FileClock } from 'lucide-react';
import { type ReactNode, useEffect } from 'react';
import type { Manifest } from '../../../native-workers/protocol/facts.ts';
import { preparePoint } from '../../stores/repeat.ts';
import { hasReport, loadReport, useReports } from '../../stores/reports.ts';
import { studio } from '../../stores/session.ts';
import { REPORT } from '../../text/run.ts';
import { EmptyState } from '../../widgets/empty-state.tsx';
import { InputPicture } from '../../widgets/sample-preview.tsx';
import { ReportPane } from './report-pane.tsx';
import { VerificationBanner } from './verification-banner.tsx';

export function RunReport({ id, manifest }: { readonly id: string; readonly manifest: Manifest }) {
  const report = useReports((state) => state.ofRuns[id]);
  const isThere = hasReport(manifest);
  useEffect(() => {
    if (isThere && report === undefined) void loadReport(id);
  }, [id, isThere, report]);
  if (!isThere) {
    return manifest.status === 'running' ? (
      <EmptyState icon={FileClock} title={REPORT.notYet}>
        {REPORT.notYetText}
      </EmptyState>
    ) : (
      <EmptyState icon={FileChartColumn} title={REPORT.none}>
        {REPORT.noneText}
      </EmptyState>
    );
  }
  const facts = report?.status === 'ready' ? report.document.evidence.facts.optimize : null;
  return (
    <>
      <VerificationBanner id={id} />
      <ReportPane
        report={report ?? { status: 'loading' }}
        onRetry={() => void loadReport(id)}
        pictures={(samples) => picturesOf(id, samples)}
        {...(facts === null ? {} : { makePoint: (place) => void preparePoint(id, manifest.recipe, facts, place) })}
      />
    </>
  );
}

async function picturesOf(id: string, samples: readonly string[]): Promise<ReadonlyMap<string, ReactNode>> {
  const found = await studio().call('runs.samples', { id, samples: [...samples] });
  return new Map(
    found.map(({ sample, inputs }) => [
      sample,
      inputs.map((input) => <InputPicture key={input.name} input={input} sample={sample} />),
    ]),
  );
}
