import { formatBytes, formatCount } from '../../../native-workers/report/format.ts';
import { visible } from '../../../native-workers/report/text.ts';
import { type Artifact, nameOf } from '../packages/artifact.ts';
import { Files, Notes, Unsupported } from '../packages/contents.tsx';
import { Needs, Sizes } from '../packages/fit.tsx';
import { Verification } from '../packages/verification.tsx';
import { DataTable, Name, Pill } from '../parts.tsx';
import type { SectionProps, SectionView } from '../section-view.tsx';

export const packagesView: SectionView<'packages'> = { title: 'Packages for devices', View: Packages };

const MADE = { made: 'better', unsupported: 'warning', failed: 'danger' } as const;

function Packages({ data }: SectionProps<'packages'>) {
  const { artifacts, sizes } = data;
  return (
    <>
      <Made artifacts={artifacts} />
      <Verification artifacts={artifacts} />
      <Needs artifacts={artifacts} />
      <Sizes sizes={sizes} />
      {artifacts.map((artifact) => (
        <Unsupported key={nameOf(artifact)} artifact={artifact} />
      ))}
      {artifacts.map((artifact) => (
        <Files key={nameOf(artifact)} artifact={artifact} />
      ))}
      <Notes artifacts={artifacts} />
    </>
  );
}

function Made({ artifacts }: { readonly artifacts: readonly Artifact[] }) {
  return (
    <DataTable
      caption="What was made"
      columns={[
        { label: 'Target' },
        { label: 'Status' },
        { label: 'Size', numeric: true },
        { label: 'Nodes covered', numeric: true },
        { label: 'File' },
      ]}
      rows={artifacts.map(({ status, error, bytes, coverage, path, ...artifact }, place) => ({
        id: `${place} ${path}`,
        cells: [
          <Name
            key="target"
            text={artifact.model === undefined ? artifact.target : `${artifact.target}, ${artifact.model}`}
          />,
          <span key="status">
            <Pill tone={MADE[status]}>{status}</Pill> {error === undefined ? null : visible(error.message)}
          </span>,
          status === 'made' ? formatBytes(bytes) : '',
          `${formatCount(coverage.supported)} of ${formatCount(coverage.nodes)}`,
          <Name key="path" text={path} />,
        ],
      }))}
    />
  );
}
