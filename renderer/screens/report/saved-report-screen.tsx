/** A report opened from a file: of this library, of another machine, of years ago. */
import { FileChartColumn, FolderOpen } from 'lucide-react';
import { pickAndTake } from '../../stores/intake.ts';
import { useReports, verifySavedReport } from '../../stores/reports.ts';
import { REPORT } from '../../text/run.ts';
import { Button } from '../../widgets/button.tsx';
import { Cut } from '../../widgets/cut.tsx';
import { EmptyState } from '../../widgets/empty-state.tsx';
import { Words } from '../../widgets/words.tsx';
import { VerifyButton } from './report-actions.tsx';
import { ReportPane } from './report-pane.tsx';
import { VerificationBanner } from './verification-banner.tsx';

export function SavedReportScreen() {
  const saved = useReports((state) => state.saved);
  const choose = (): void => void pickAndTake('report');
  return (
    <div className="screen">
      <header className="screen-head">
        <h1 className="screen-title">{REPORT.saved}</h1>
        {saved === null ? null : (
          <span className="screen-subject">
            <Cut text={saved.file.name} className="muted" />
          </span>
        )}
        <span className="grow" />
        {saved === null ? null : <VerifyButton verify={() => verifySavedReport(saved.file)} />}
        <Button icon={FolderOpen} onClick={choose}>
          {REPORT.choose}
        </Button>
      </header>
      {saved === null ? (
        <EmptyState icon={FileChartColumn} title={REPORT.noSaved}>
          {REPORT.noSavedText}
        </EmptyState>
      ) : (
        <>
          <p className="screen-note">
            <Words text={REPORT.savedHint} />
          </p>
          <VerificationBanner id={saved.file.id} />
          <ReportPane report={saved.report} onRetry={choose} />
        </>
      )}
    </div>
  );
}
