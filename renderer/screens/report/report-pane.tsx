/** A report that is being read, could not be read, or is there. The view is loaded when it is first needed: it carries the charts. */
import { lazy, Suspense } from 'react';
import { type SamplePictures, SamplePicturesContext } from '../../report-view/flip-gallery.tsx';
import { type MakePoint, MakePointContext } from '../../report-view/search-choice.tsx';
import type { LoadedReport } from '../../stores/reports.ts';
import { REPORT } from '../../text/run.ts';
import { SHELL } from '../../text/shell.ts';
import { Button } from '../../widgets/button.tsx';
import { ErrorCard } from '../../widgets/error-card.tsx';
import { ProgressBar } from '../../widgets/progress-bar.tsx';

const ReportView = lazy(async () => {
  const [{ ReportView: view }] = await Promise.all([
    import('../../report-view/ReportView.tsx'),
    import('../../report-view/report.css'),
  ]);
  return { default: view };
});

export interface ReportPaneProps {
  readonly report: LoadedReport;
  readonly onRetry: () => void;
  /** Shows samples of the data, where it can be reached. */
  readonly pictures?: SamplePictures;
  /** Makes another model of a search, where its recipe can be run. */
  readonly makePoint?: MakePoint;
}

export function ReportPane({ report, onRetry, pictures, makePoint }: ReportPaneProps) {
  if (report.status === 'failed') {
    return (
      <div className="pane-padded">
        <ErrorCard error={report.error} actions={<Button onClick={onRetry}>{SHELL.tryAgain}</Button>} />
      </div>
    );
  }
  if (report.status === 'loading') return <Loading />;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard.
    <section className="report-scroll" tabIndex={0} aria-label={REPORT.title}>
      <Suspense fallback={<Loading />}>
        <SamplePicturesContext value={pictures ?? null}>
          <MakePointContext value={makePoint ?? null}>
            <ReportView report={report.document} />
          </MakePointContext>
        </SamplePicturesContext>
      </Suspense>
    </section>
  );
}

function Loading() {
  return (
    <div className="waiting" role="status">
      <p>{REPORT.loading}</p>
      <ProgressBar label={REPORT.loading} done={0} total={null} />
    </div>
  );
}
