import { formatBytes, formatCount, plural } from '../../../native-workers/report/format.ts';
import { visible } from '../../../native-workers/report/text.ts';
import { type Artifact, nameOf } from '../packages/artifact.ts';
import { Files, Notes, Unsupported } from '../packages/contents.tsx';
import { Needs, Sizes } from '../packages/fit.tsx';
import { Verification } from '../packages/verification.tsx';
import { DataTable, Name, Pill } from '../parts.tsx';
import type { SectionProps, SectionView } from '../section-view.tsx';

export const packagesView: SectionView<'packages'> = { title: 'Packages for devices', View: Packages };

const MADE = { made: 'better', unsupported: 'warning', failed: 'danger', cancelled: 'neutral' } as const;

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
      rows={artifacts.map((artifact, place) => {
        const { status, bytes, coverage, path } = artifact;
        return {
          id: `${place} ${path}`,
          cells: [
            <Name key="target" text={nameOf(artifact)} />,
            <span key="status">
              <Pill tone={MADE[status]}>{status}</Pill> {whyNot(artifact)}
            </span>,
            status === 'made' ? formatBytes(bytes) : '',
            `${formatCount(coverage.supported)} of ${formatCount(coverage.nodes)}`,
            <Name key="path" text={path} />,
          ],
        };
      })}
    />
  );
}

/** In short; the nodes have a table of their own. */
function whyNot({ status, error, coverage }: Artifact): string {
  if (error !== undefined) return visible([error.message, error.hint ?? ''].join(' ').trim());
  return status === 'unsupported' ? `${plural(coverage.unsupported.length, 'node')} that its format cannot hold` : '';
}
