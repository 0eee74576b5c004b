/** The stages of the run: what was done, what was skipped and why, what failed. */
import type { ReportDocument } from '../../native-workers/report/document.ts';
import { formatBytes, formatMs } from '../../native-workers/report/format.ts';
import { DataTable, Name, Pill, type Tone } from './parts.tsx';

type Stage = ReportDocument['stages'][number];

const TONES: Record<Stage['status'], Tone> = {
  done: 'better',
  failed: 'danger',
  skipped: 'warning',
  cancelled: 'warning',
  pending: 'neutral',
  running: 'neutral',
};

const WORDS: Record<Stage['status'], string> = {
  done: 'done',
  failed: 'failed',
  skipped: 'skipped',
  cancelled: 'cancelled',
  pending: 'did not run',
  running: 'not finished',
};

export function Stages({ stages }: { readonly stages: readonly Stage[] }) {
  return (
    <DataTable
      caption="Stages of the run"
      quiet
      columns={[
        { label: 'Stage' },
        { label: 'Status' },
        { label: 'Time', numeric: true },
        { label: 'Peak memory', numeric: true },
        { label: 'Why' },
      ]}
      rows={stages.map(({ name, status, ms, peakRss, reason, error }) => ({
        id: name,
        cells: [
          name,
          <Pill key="status" tone={TONES[status]}>
            {WORDS[status]}
          </Pill>,
          ms === null ? '' : formatMs(ms),
          peakRss === null ? '' : formatBytes(peakRss),
          <Name key="why" text={error?.message ?? reason ?? ''} />,
        ],
      }))}
    />
  );
}
