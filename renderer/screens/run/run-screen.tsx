/** One run: its stages and log while it works, its report when it is done, and what to do when it ended early. */
import { Tabs } from '@base-ui/react/tabs';
import { Ban, Repeat2, RotateCw } from 'lucide-react';
import { useEffect, useRef } from 'react';
import type { Manifest } from '../../../native-workers/protocol/facts.ts';
import { navigate, useRoute } from '../../stores/navigation.ts';
import { notify, reportFailure } from '../../stores/notices.ts';
import { prepareAgain } from '../../stores/repeat.ts';
import { forgetReport, hasReport } from '../../stores/reports.ts';
import { cancelRun, loadRun, resumeRun, useRuns } from '../../stores/runs.ts';
import { RUN } from '../../text/run.ts';
import { SHELL } from '../../text/shell.ts';
import { Button } from '../../widgets/button.tsx';
import { Cut } from '../../widgets/cut.tsx';
import { ErrorCard } from '../../widgets/error-card.tsx';
import { ProgressBar } from '../../widgets/progress-bar.tsx';
import { RunStatus } from '../../widgets/status-badge.tsx';
import { ReportActions } from '../report/report-actions.tsx';
import { RunReport } from '../report/run-report.tsx';
import { RunProgress } from './run-progress.tsx';

export function RunScreen() {
  const route = useRoute((state) => state.route);
  const id = route.screen === 'run' ? route.id : '';
  const tab = route.screen === 'run' ? route.tab : 'progress';
  const run = useRuns((state) => state.runs[id]);
  const manifest = run?.manifest ?? null;

  useEffect(() => {
    if (id !== '' && manifest === null) void loadRun(id);
  }, [id, manifest]);
  useReportWhenDone(manifest, tab === 'progress');

  if (manifest === null) {
    return run?.error === null || run === undefined ? (
      <div className="waiting" role="status">
        <p>{RUN.loading}</p>
        <ProgressBar label={RUN.loading} done={0} total={null} />
      </div>
    ) : (
      <div className="pane-padded">
        <ErrorCard error={run.error} actions={<Button onClick={() => void loadRun(id)}>{SHELL.tryAgain}</Button>} />
      </div>
    );
  }
  return (
    <Tabs.Root
      className="screen"
      value={tab}
      onValueChange={(next: 'progress' | 'report') => navigate({ screen: 'run', id, tab: next })}
    >
      <header className="screen-head">
        <h1 className="screen-title">
          <Cut text={manifest.source.name} />
        </h1>
        <span className="screen-subject">
          <Cut text={manifest.recipe.title ?? manifest.recipe.name} className="muted" />
        </span>
        <RunStatus status={manifest.status} />
        <span className="grow" />
        {manifest.status !== 'running' && hasReport(manifest) ? <ReportActions id={id} /> : null}
        <RunActions manifest={manifest} cancelling={run?.cancelling ?? false} />
      </header>
      <Tabs.List className="tabs" aria-label={manifest.title}>
        <Tabs.Tab className="tab" value="progress">
          {RUN.tabs.progress}
        </Tabs.Tab>
        <Tabs.Tab className="tab" value="report">
          {RUN.tabs.report}
        </Tabs.Tab>
        <Tabs.Indicator className="tab-indicator" />
      </Tabs.List>
      <Tabs.Panel className="tab-panel" value="progress">
        {run === undefined ? null : <RunProgress run={run} manifest={manifest} />}
      </Tabs.Panel>
      <Tabs.Panel className="tab-panel" value="report">
        <RunReport id={id} manifest={manifest} />
      </Tabs.Panel>
    </Tabs.Root>
  );
}

/** Who watches a run to its end is shown its report. */
function useReportWhenDone(manifest: Manifest | null, watching: boolean): void {
  const seen = useRef<{ id: string; status: Manifest['status'] } | null>(null);
  useEffect(() => {
    const before = seen.current;
    seen.current = manifest === null ? null : { id: manifest.id, status: manifest.status };
    if (manifest === null || before === null || before.id !== manifest.id || !watching) return;
    if (before.status === 'running' && manifest.status === 'done') {
      navigate({ screen: 'run', id: manifest.id, tab: 'report' });
    }
  }, [manifest, watching]);
}

const WHOLE: ReadonlySet<string> = new Set(['done', 'skipped']);

interface RunActionsProps {
  readonly manifest: Manifest;
  readonly cancelling: boolean;
}

function RunActions({ manifest, cancelling }: RunActionsProps) {
  const { id, status } = manifest;
  const isWhole = status === 'done' && manifest.stages.every((stage) => WHOLE.has(stage.status));
  if (status === 'running') {
    return (
      <Button icon={Ban} disabled={cancelling} onClick={() => void cancelRun(id).catch(reportFailure)}>
        {cancelling ? RUN.cancelling : RUN.cancel}
      </Button>
    );
  }
  return (
    <>
      <Button icon={Repeat2} onClick={() => void prepareAgain(id, manifest.recipe.title ?? manifest.recipe.name)}>
        {RUN.again}
      </Button>
      {isWhole ? null : (
        <Button weight="primary" icon={RotateCw} onClick={() => void resume(id)}>
          {RUN.resume}
        </Button>
      )}
    </>
  );
}

async function resume(id: string): Promise<void> {
  try {
    forgetReport(id);
    await resumeRun(id);
    notify(RUN.resumed);
    navigate({ screen: 'run', id, tab: 'progress' });
  } catch (error) {
    reportFailure(error);
  }
}
