import { useCallback } from 'react';
import { formatBytes, formatCount, plural } from '../../../native-workers/report/format.ts';
import type { SizeLedger, SizeSection } from '../../../native-workers/report/sections/size.ts';
import { Chart } from '../../charts/chart.tsx';
import { groupedBars, groupedBarsHeight } from '../../charts/grouped-bars.ts';
import { sizeLedger, sizeParts } from '../../charts/size-ledger.ts';
import type { ChartTheme } from '../../charts/theme.ts';
import { DataTable, Details, Name } from '../parts.tsx';
import type { SectionProps, SectionView } from '../section-view.tsx';

export const sizeView: SectionView<'size'> = { title: 'Size', View: Size };

const MOST_OPERATORS = 8;

function Size({ data }: SectionProps<'size'>) {
  const { before, after } = data;
  const parts = sizeParts(before, after);
  const byDtype = useCallback((theme: ChartTheme) => sizeLedger(sizeParts(data.before, data.after), theme), [data]);
  const operators = operatorRows(data);
  const byOperator = useCallback(
    (theme: ChartTheme) =>
      groupedBars(
        operatorRows(data).slice(0, MOST_OPERATORS),
        { title: 'Bytes of weights', format: formatBytes },
        theme,
      ),
    [data],
  );
  const words = parts.map(
    (part) => `${part.name} ${formatBytes(part.before)} before, ${formatBytes(part.after)} after`,
  );
  return (
    <>
      <div className="report-columns">
        <figure>
          <figcaption>Bytes on disk: weights by type, and the graph with its names</figcaption>
          <Chart description={`${words.join('; ')}.`} height={170} option={byDtype} />
          <DataTable
            caption="Bytes by what they hold"
            quiet
            columns={[{ label: 'Part' }, { label: 'Before', numeric: true }, { label: 'After', numeric: true }]}
            rows={[
              ...parts.map((part) => ({
                id: part.name,
                cells: [
                  <Name key="name" text={part.name} />,
                  formatBytes(part.before),
                  after === null ? 'no model' : formatBytes(part.after),
                ],
              })),
              {
                id: 'file',
                cells: [
                  'File, with external data',
                  formatBytes(before.file),
                  after === null ? 'no model' : formatBytes(after.file),
                ],
              },
            ]}
          />
        </figure>
        <figure>
          <figcaption>Weights by the operator that reads them</figcaption>
          <Chart
            description={operators
              .slice(0, MOST_OPERATORS)
              .map((row) => `${row.name} ${formatBytes(row.before ?? 0)} before, ${formatBytes(row.after ?? 0)} after`)
              .join('; ')}
            height={groupedBarsHeight(Math.min(operators.length, MOST_OPERATORS))}
            option={byOperator}
          />
        </figure>
      </div>
      <p>
        {duplicateWords('before', before)} {after === null ? null : duplicateWords('after', after)}
      </p>
      <Details summary="Weights by operator, all">
        <DataTable
          caption="Weights by the operator that reads them"
          columns={[{ label: 'Operator' }, { label: 'Before', numeric: true }, { label: 'After', numeric: true }]}
          rows={operators.map((row) => ({
            id: row.name,
            cells: [
              <Name key="name" text={row.name} />,
              row.before === null ? 'none' : formatBytes(row.before),
              row.after === null ? 'none' : formatBytes(row.after),
            ],
          }))}
        />
      </Details>
      <Details summary="Largest tensors before">
        <TensorTable caption="Largest tensors of the original" ledger={before} />
      </Details>
      {after === null ? null : (
        <Details summary="Largest tensors after">
          <TensorTable caption="Largest tensors of the optimised model" ledger={after} />
        </Details>
      )}
    </>
  );
}

function operatorRows({ before, after }: SizeSection): { name: string; before: number | null; after: number | null }[] {
  const names = new Set([...before.byOperator, ...(after?.byOperator ?? [])].map(({ operator }) => operator));
  const bytes = (ledger: SizeLedger | null, name: string): number | null =>
    ledger?.byOperator.find((row) => row.operator === name)?.bytes ?? null;
  return [...names]
    .map((name) => ({ name, before: bytes(before, name), after: bytes(after, name) }))
    .sort((a, b) => Math.max(b.before ?? 0, b.after ?? 0) - Math.max(a.before ?? 0, a.after ?? 0));
}

function duplicateWords(when: string, { duplicates }: SizeLedger): string {
  if (duplicates.tensors === 0) return `No duplicate among the listed tensors ${when}.`;
  return `${plural(duplicates.tensors, 'listed tensor')} ${when} ${duplicates.tensors === 1 ? 'repeats' : 'repeat'} bytes of another: ${formatBytes(duplicates.bytes)}.`;
}

function TensorTable({ caption, ledger }: { readonly caption: string; readonly ledger: SizeLedger }) {
  return (
    <DataTable
      caption={caption}
      columns={[
        { label: 'Tensor' },
        { label: 'Type' },
        { label: 'Shape' },
        { label: 'Bytes', numeric: true },
        { label: 'Used by' },
        { label: 'Same bytes as' },
      ]}
      rows={ledger.largest.map((tensor) => ({
        id: tensor.name,
        cells: [
          <Name key="name" text={tensor.name} />,
          tensor.dtype,
          tensor.shape.length === 0 ? 'scalar' : tensor.shape.map(formatCount).join(' × '),
          formatBytes(tensor.bytes),
          <Name key="users" text={usersOf(tensor.usedBy)} />,
          tensor.duplicateOf === undefined ? '' : <Name key="duplicate" text={tensor.duplicateOf} />,
        ],
      }))}
    />
  );
}

function usersOf(nodes: readonly string[]): string {
  const first = nodes.slice(0, 2).join(', ');
  return nodes.length > 2 ? `${first} and ${nodes.length - 2} more` : first;
}
