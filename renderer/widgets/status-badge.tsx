/** The status of a run or stage: a shape and a word, so that colour never stands alone. */
import { Ban, CircleCheck, CircleDashed, CircleMinus, CircleX, Loader, Unplug } from 'lucide-react';
import type { Manifest } from '../../native-workers/protocol/facts.ts';
import { RUN_STATUS, STAGE_NOT_RUN, STAGE_STATUS } from '../text/status.ts';

type StageStatus = Manifest['stages'][number]['status'];

const ICONS = {
  running: Loader,
  done: CircleCheck,
  failed: CircleX,
  cancelled: Ban,
  interrupted: Unplug,
  pending: CircleDashed,
  skipped: CircleMinus,
} as const;

export function RunStatus({ status }: { readonly status: Manifest['status'] }) {
  return (
    <span className={`status status-${status}`}>
      <StatusIcon status={status} />
      {RUN_STATUS[status]}
    </span>
  );
}

export interface StageStatusProps {
  readonly status: StageStatus;
  /** The run has ended: what waits will not run. */
  readonly ended: boolean;
}

export function StageStatus({ status, ended }: StageStatusProps) {
  const text = status === 'pending' && ended ? STAGE_NOT_RUN : STAGE_STATUS[status];
  return <span className={`status status-${status}`}>{text}</span>;
}

export function StatusIcon({ status }: { readonly status: keyof typeof ICONS }) {
  const Icon = ICONS[status];
  return <Icon className={`icon status-icon status-${status}`} aria-hidden />;
}
