/** How far a run is: its stages at the left, its log at the right, and above both how it ended. */
import { Ban, CircleCheck, TriangleAlert, Unplug } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Manifest } from '../../../native-workers/protocol/facts.ts';
import { navigate } from '../../stores/navigation.ts';
import { type LiveRun, runningStage } from '../../stores/runs.ts';
import { RUN } from '../../text/run.ts';
import { stageTitle } from '../../text/status.ts';
import { Button } from '../../widgets/button.tsx';
import { ErrorCard } from '../../widgets/error-card.tsx';
import { useThrottled } from '../../widgets/use-throttled.ts';
import { LivePane } from './live-pane.tsx';
import { RunFacts } from './run-facts.tsx';
import { RunLog } from './run-log.tsx';
import { StageList } from './stage-list.tsx';
import { TargetTable } from './target-table.tsx';

export interface RunProgressProps {
  readonly run: LiveRun;
  readonly manifest: Manifest;
}

export function RunProgress({ run, manifest }: RunProgressProps) {
  const live = run.progress?.value.live;
  return (
    <div className="run-view">
      <div className="run-column">
        <Ending manifest={manifest} />
        <section className="pane" aria-labelledby="stages">
          <h2 className="pane-title" id="stages">
            {RUN.stages}
          </h2>
          <StageList run={run} manifest={manifest} />
        </section>
        {live === undefined || live.kind === 'targets' || manifest.status !== 'running' ? null : (
          <LivePane live={live} />
        )}
        <RunFacts manifest={manifest} />
      </div>
      {live?.kind === 'targets' ? <TargetTable live={live} /> : null}
      <RunLog log={run.log} running={manifest.status === 'running'} />
      <Spoken run={run} manifest={manifest} />
    </div>
  );
}

function Ending({ manifest }: { readonly manifest: Manifest }) {
  const done = manifest.stages.filter((stage) => stage.status === 'done' || stage.status === 'skipped').length;
  const total = manifest.stages.length;
  switch (manifest.status) {
    case 'running':
      return null;
    case 'failed':
      return manifest.error === undefined ? null : <ErrorCard error={manifest.error} />;
    case 'cancelled':
      return (
        <Outcome icon={<Ban className="icon" aria-hidden />} title={RUN.cancelled.title}>
          {RUN.cancelled.text(done, total)}
        </Outcome>
      );
    case 'interrupted':
      return (
        <Outcome icon={<Unplug className="icon" aria-hidden />} title={RUN.interrupted.title} tone="warning">
          {RUN.interrupted.text(done, total)}
        </Outcome>
      );
    case 'done': {
      const partial = manifest.stages.some((stage) => stage.status === 'failed');
      return (
        <Outcome
          icon={partial ? <TriangleAlert className="icon" aria-hidden /> : <CircleCheck className="icon" aria-hidden />}
          title={partial ? RUN.partial : RUN.doneTitle}
          tone={partial ? 'warning' : 'good'}
          action={
            <Button weight="primary" onClick={() => navigate({ screen: 'run', id: manifest.id, tab: 'report' })}>
              {RUN.openReport}
            </Button>
          }
        >
          {partial ? RUN.partialText : RUN.doneText}
        </Outcome>
      );
    }
  }
}

interface OutcomeProps {
  readonly icon: ReactNode;
  readonly title: string;
  readonly tone?: 'good' | 'warning';
  readonly action?: ReactNode;
  readonly children: ReactNode;
}

function Outcome({ icon, title, tone, action, children }: OutcomeProps) {
  return (
    <section className={`outcome outcome-${tone ?? 'neutral'}`} role="status">
      <h2 className="outcome-title">
        {icon}
        {title}
      </h2>
      <p className="outcome-text">{children}</p>
      {action}
    </section>
  );
}

/** Screen readers are told at most this often, in milliseconds. */
const SPEAK_EVERY = 5000;

function Spoken({ run, manifest }: RunProgressProps) {
  const stage = runningStage(manifest);
  const progress = run.progress?.value;
  const words =
    stage === null || progress === undefined
      ? ''
      : RUN.announce(stageTitle(stage), progress.phase, progress.done, progress.total);
  const spoken = useThrottled(words, SPEAK_EVERY);
  return (
    <div className="only-spoken" role="status">
      {spoken}
    </div>
  );
}
