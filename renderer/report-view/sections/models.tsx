import { formatBytes } from '../../../native-workers/report/format.ts';
import { DataTable, Name } from '../parts.tsx';
import type { SectionProps, SectionView } from '../section-view.tsx';

export const modelsView: SectionView<'models'> = { title: 'Model files', View: Models };

function Models({ data }: SectionProps<'models'>) {
  return (
    <DataTable
      caption="Each model file with its hash; made from the one named"
      columns={[
        { label: 'Model' },
        { label: 'Made from' },
        { label: 'Size', numeric: true },
        { label: 'SHA-256' },
        { label: 'Path' },
      ]}
      rows={data.files.map((file) => ({
        id: file.id,
        cells: [
          <Name key="label" text={file.label} />,
          file.parent === null ? file.depth === 0 ? 'the source' : 'source' : <Name key="parent" text={file.parent} />,
          formatBytes(file.bytes),
          <code key="hash" className="report-hash">
            {file.sha256}
          </code>,
          <Name key="path" text={file.path} />,
        ],
      }))}
    />
  );
}
