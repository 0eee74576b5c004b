/** The report of a run in the library, or why there is none. */
import { FileChartColumn, FileClock } from 'lucide-react';
import { useEffect } from 'react';
import type { Manifest } from '../../../native-workers/protocol/facts.ts';
import { hasReport, loadReport, useReports } from '../../stores/reports.ts';
import { REPORT } from '../../text/run.ts';
import { EmptyState } from '../../widgets/empty-state.tsx';
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
  return (
    <>
      <VerificationBanner id={id} />
      <ReportPane report={report ?? { status: 'loading' }} onRetry={() => void loadReport(id)} />
    </>
  );
}
