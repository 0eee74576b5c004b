import { formatBytes, formatCount, formatPlain, plural } from '../../../native-workers/report/format.ts';
import type { PackagesSection } from '../../../native-workers/report/sections/packages.ts';
import { visible } from '../../../native-workers/report/text.ts';
import { DataTable, Details, Name, Pill } from '../parts.tsx';
import type { SectionProps, SectionView } from '../section-view.tsx';

export const packagesView: SectionView<'packages'> = { title: 'Packages for devices', View: Packages };

type Artifact = PackagesSection['artifacts'][number];

const MADE = { made: 'better', unsupported: 'warning', failed: 'danger' } as const;
const VERIFIED = {
  passed: { tone: 'better', word: 'passed' },
  failed: { tone: 'danger', word: 'failed' },
  refused: { tone: 'danger', word: 'refused' },
  'not-run': { tone: 'neutral', word: 'not run' },
} as const;

function Packages({ data }: SectionProps<'packages'>) {
  const incomplete = data.artifacts.filter(({ coverage }) => coverage.unsupported.length > 0);
  return (
    <>
      <DataTable
        caption="Artifacts, each run on its own runtime and compared with the model it was made from"
        columns={[
          { label: 'Target' },
          { label: 'Status' },
          { label: 'Size', numeric: true },
          { label: 'On its runtime' },
          { label: 'Largest error', numeric: true },
          { label: 'Cosine', numeric: true },
          { label: 'Samples', numeric: true },
          { label: 'Nodes covered', numeric: true },
          { label: 'Needs' },
        ]}
        rows={data.artifacts.map((artifact) => ({ id: artifact.target, cells: cellsOf(artifact) }))}
      />
      {data.artifacts.flatMap(({ target, notes }) =>
        notes.map((note) => (
          <p key={`${target} ${note}`}>
            {visible(target)}: {visible(note)}
          </p>
        )),
      )}
      {incomplete.map(({ target, coverage }) => (
        <Details
          key={target}
          summary={`${visible(target)}: ${plural(coverage.unsupported.length, 'node')} not covered`}
        >
          <DataTable
            caption={`Nodes that ${visible(target)} cannot express`}
            columns={[{ label: 'Node' }, { label: 'Operator' }, { label: 'Why' }]}
            rows={coverage.unsupported.map(({ node, type, reason }) => ({
              id: `${node} ${type}`,
              cells: [
                <Name key="node" text={node} />,
                <Name key="type" text={type} />,
                <Name key="reason" text={reason} />,
              ],
            }))}
          />
        </Details>
      ))}
      {data.sizes.length === 0 ? null : <Sizes sizes={data.sizes} />}
    </>
  );
}

function cellsOf({ target, status, error, bytes, verified, coverage, requires }: Artifact) {
  const plain = (value: number | null | undefined): string =>
    value === null || value === undefined ? '' : formatPlain(value);
  const needs = Object.entries(requires).map(([name, version]) => `${name} ${version}`);
  return [
    <Name key="target" text={target} />,
    <span key="status">
      <Pill tone={MADE[status]}>{status}</Pill> {error === undefined ? null : visible(error.message)}
    </span>,
    status === 'made' ? formatBytes(bytes) : '',
    verified === null ? (
      'not run'
    ) : (
      <span key="verified">
        <Pill tone={VERIFIED[verified.status].tone}>{VERIFIED[verified.status].word}</Pill> {visible(verified.runtime)}
        {verified.reason === undefined ? null : `: ${visible(verified.reason)}`}
      </span>
    ),
    plain(verified?.maxAbs),
    plain(verified?.cosine),
    verified === null ? '' : formatCount(verified.samples),
    `${formatCount(coverage.supported)} of ${formatCount(coverage.nodes)}`,
    <Name key="needs" text={needs.join(', ')} />,
  ];
}

function Sizes({ sizes }: { readonly sizes: PackagesSection['sizes'] }) {
  return (
    <DataTable
      caption="Size against the budgets of device profiles"
      columns={[
        { label: 'Device profile' },
        { label: 'Target' },
        { label: 'Size', numeric: true },
        { label: 'Budget', numeric: true },
        { label: 'Fits' },
      ]}
      rows={sizes.map(({ profile, target, bytes, budget, fits }) => ({
        id: `${profile} ${target}`,
        cells: [
          <Name key="profile" text={profile} />,
          <Name key="target" text={target} />,
          formatBytes(bytes),
          formatBytes(budget),
          <Pill key="fits" tone={fits ? 'better' : 'worse'}>
            {fits ? 'fits' : 'too large'}
          </Pill>,
        ],
      }))}
    />
  );
}
