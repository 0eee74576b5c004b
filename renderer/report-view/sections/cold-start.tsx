import { formatMs, formatRatio } from '../../../native-workers/report/format.ts';
import type { ColdStartSection } from '../../../native-workers/report/sections/cold-start.ts';
import { DataTable } from '../parts.tsx';
import type { SectionProps, SectionView } from '../section-view.tsx';

export const coldStartView: SectionView<'coldStart'> = { title: 'Cold start', View: ColdStart };

type Spread = ColdStartSection['before']['load'];

const PARTS = [
  ['load', 'Start the process, load the runtime'],
  ['create', 'Read the model, create the session'],
  ['firstRun', 'First run'],
  ['total', 'Total'],
] as const;

function ColdStart({ data }: SectionProps<'coldStart'>) {
  return (
    <DataTable
      caption={`Median of ${data.before.processes} fresh processes (from fastest to slowest)`}
      columns={[
        { label: 'Part' },
        { label: 'Before', numeric: true },
        { label: 'After', numeric: true },
        { label: 'Ratio', numeric: true },
      ]}
      rows={PARTS.map(([part, label]) => ({
        id: part,
        cells: [label, words(data.before[part]), words(data.after[part]), ratioOf(data.before[part], data.after[part])],
      }))}
    />
  );
}

function words({ median, min, max }: Spread): string {
  return `${formatMs(median)} (${formatMs(min)} to ${formatMs(max)})`;
}

function ratioOf(before: Spread, after: Spread): string {
  return before.median === 0 ? '' : formatRatio(after.median / before.median);
}
