/** The stages of a run in their order: what each does, how far it is, how long it took, and why not. */
import type { Manifest } from '../../../native-workers/protocol/facts.ts';
import type { LiveRun } from '../../stores/runs.ts';
import { formatBytes, formatCount, formatElapsed, formatMs } from '../../text/format.ts';
import { RUN } from '../../text/run.ts';
import { STAGE_SUMMARY, STAGE_TITLE } from '../../text/status.ts';
import { Cut } from '../../widgets/cut.tsx';
import { ErrorCard } from '../../widgets/error-card.tsx';
import { ProgressBar } from '../../widgets/progress-bar.tsx';
import { StageStatus, StatusIcon } from '../../widgets/status-badge.tsx';
import { useNow } from '../../widgets/use-now.ts';

type StageRow = Manifest['stages'][number];

export function StageList({ run, manifest }: { readonly run: LiveRun; readonly manifest: Manifest }) {
  return (
    <ol className="stages">
      {manifest.stages.map((stage) => (
        <li key={stage.name} className={`stage stage-${stage.status}`}>
          <StatusIcon status={stage.status} />
          <div className="stage-body">
            <div className="stage-head">
              <span className="stage-title">{STAGE_TITLE[stage.name]}</span>
              <StageTime stage={stage} since={run.stageSince} ended={manifest.status !== 'running'} />
            </div>
            <StageDetail stage={stage} run={run} runError={manifest.error?.message} />
          </div>
        </li>
      ))}
    </ol>
  );
}

interface StageTimeProps {
  readonly stage: StageRow;
  readonly since: number | null;
  /** The run has ended. */
  readonly ended: boolean;
}

function StageTime({ stage, since, ended }: StageTimeProps) {
  const running = stage.status === 'running';
  const now = useNow(running);
  if (running) return <span className="stage-time tabular">{since === null ? '' : formatElapsed(now - since)}</span>;
  if (stage.status !== 'done' || stage.ms === null) {
    return (
      <span className="stage-time">
        <StageStatus status={stage.status} ended={ended} />
      </span>
    );
  }
  return (
    <span className="stage-time" title={stage.peakRss === null ? '' : `${RUN.peak} ${formatBytes(stage.peakRss)}`}>
      {formatMs(stage.ms)}
    </span>
  );
}

interface StageDetailProps {
  readonly stage: StageRow;
  readonly run: LiveRun;
  /** An error that the run shows already is not shown again. */
  readonly runError: string | undefined;
}

function StageDetail({ stage, run, runError }: StageDetailProps) {
  if (stage.status === 'running') {
    const value = run.progress?.stage === stage.name ? run.progress.value : undefined;
    return (
      <div className="stage-progress">
        <ProgressBar label={STAGE_TITLE[stage.name]} done={value?.done ?? 0} total={value?.total ?? null} />
        <div className="stage-phase">
          <Cut text={value?.phase ?? STAGE_SUMMARY[stage.name]} />
          <span className="numeric">
            {value === undefined || value.total === null
              ? ''
              : `${formatCount(value.done)} / ${formatCount(value.total)}`}
          </span>
        </div>
        {value?.detail === undefined ? null : <Cut text={value.detail} className="stage-note muted" />}
      </div>
    );
  }
  if (stage.status === 'failed' && stage.error !== undefined && stage.error.message !== runError) {
    return <ErrorCard error={stage.error} />;
  }
  if (stage.reason !== undefined) return <p className="stage-note">{stage.reason}</p>;
  return stage.status === 'pending' ? <p className="stage-note muted">{STAGE_SUMMARY[stage.name]}</p> : null;
}
