import { formatCount, plural } from '../../../native-workers/report/format.ts';
import { visible } from '../../../native-workers/report/text.ts';
import { DataTable, Details, Name, Pill } from '../parts.tsx';
import type { SectionProps, SectionView } from '../section-view.tsx';

export const fusionView: SectionView<'fusion'> = { title: 'What the engine fused', View: Fusion };

const MOST_MISSING = 5;

function Fusion({ data }: SectionProps<'fusion'>) {
  return (
    <>
      {data.expected.length === 0 ? (
        <p>The recipe asks for no fused kernel.</p>
      ) : (
        <DataTable
          caption="Kernels that the recipe is meant to give, in the graph that the engine optimised"
          columns={[
            { label: 'Kernel' },
            { label: 'Meant', numeric: true },
            { label: 'Found', numeric: true },
            { label: 'Status' },
            { label: 'Not fused' },
          ]}
          rows={data.expected.map(({ kernel, expected, found, missing }) => ({
            id: kernel,
            cells: [
              <Name key="kernel" text={kernel.replace(/^:/, '')} />,
              formatCount(expected),
              formatCount(found),
              found >= expected ? (
                <Pill key="status" tone="better">
                  as meant
                </Pill>
              ) : (
                <Pill key="status" tone="warning">
                  {found === 0 ? 'none fused' : 'some unfused'}
                </Pill>
              ),
              <Name key="missing" text={listOf(missing)} />,
            ],
          }))}
        />
      )}
      {data.expected
        .filter(({ missing }) => missing.length > MOST_MISSING)
        .map(({ kernel, missing }) => (
          <Details
            key={kernel}
            summary={`All ${plural(missing.length, 'node')} that did not fuse to ${visible(kernel.replace(/^:/, ''))}`}
          >
            <ul className="report-names">
              {missing.map((node) => (
                <li key={node}>
                  <Name text={node} />
                </li>
              ))}
            </ul>
          </Details>
        ))}
      <Details summary="All kernels of the optimised graph">
        <DataTable
          caption="Kernels of the graph that the engine optimised"
          columns={[{ label: 'Kernel' }, { label: 'Nodes', numeric: true }]}
          rows={data.kernels.map(({ operator, nodes }) => ({
            id: operator,
            cells: [<Name key="name" text={operator.replace(/^:/, '')} />, formatCount(nodes)],
          }))}
        />
      </Details>
    </>
  );
}

function listOf(nodes: readonly string[]): string {
  const first = nodes.slice(0, MOST_MISSING).join(', ');
  return nodes.length > MOST_MISSING ? `${first} and ${nodes.length - MOST_MISSING} more` : first;
}
