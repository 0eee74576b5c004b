import { formatBytes, formatChange } from '../../../native-workers/report/format.ts';
import { Facts } from '../parts.tsx';
import type { SectionProps, SectionView } from '../section-view.tsx';

export const memoryView: SectionView<'memory'> = { title: 'Peak memory', View: Memory };

function Memory({ data }: SectionProps<'memory'>) {
  return (
    <>
      <p>The largest resident memory of a process that only loaded and ran the model.</p>
      <Facts
        facts={[
          { label: 'Before', value: formatBytes(data.before) },
          { label: 'After', value: formatBytes(data.after) },
          { label: 'Change', value: formatChange(data.ratio) },
        ]}
      />
    </>
  );
}
