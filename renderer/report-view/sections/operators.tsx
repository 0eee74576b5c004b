import { useCallback } from 'react';
import { formatMs } from '../../../native-workers/report/format.ts';
import { Chart } from '../../charts/chart.tsx';
import { groupedBars, groupedBarsHeight } from '../../charts/grouped-bars.ts';
import type { ChartTheme } from '../../charts/theme.ts';
import { DataTable, Details, Name } from '../parts.tsx';
import type { SectionProps, SectionView } from '../section-view.tsx';

export const operatorsView: SectionView<'operators'> = { title: 'Time by operator', View: Operators };

const MOST = 12;

function Operators({ data }: SectionProps<'operators'>) {
  const shown = data.rows.slice(0, MOST);
  const option = useCallback(
    (theme: ChartTheme) =>
      groupedBars(
        data.rows.slice(0, MOST).map(({ operator, before, after }) => ({
          name: operator,
          before: before?.ms ?? null,
          after: after?.ms ?? null,
        })),
        { title: 'Time a run, ms', format: formatMs },
        theme,
      ),
    [data],
  );
  const words = shown.map(
    (row) => `${row.operator} ${formatMs(row.before?.ms ?? 0)} before, ${formatMs(row.after?.ms ?? 0)} after`,
  );
  return (
    <>
      <p>
        From the engine's own profile, which slows the model a little: {formatMs(data.total.before)} a run before,{' '}
        {formatMs(data.total.after)} after.
      </p>
      <figure>
        <figcaption>Time a run by operator type</figcaption>
        <Chart description={`${words.join('; ')}.`} height={groupedBarsHeight(shown.length)} option={option} />
      </figure>
      <Details summary="Time by operator, all">
        <DataTable
          caption="Time a run by operator type"
          columns={[
            { label: 'Operator' },
            { label: 'Nodes before', numeric: true },
            { label: 'Nodes after', numeric: true },
            { label: 'Before', numeric: true },
            { label: 'After', numeric: true },
            { label: 'Change', numeric: true },
          ]}
          rows={data.rows.map(({ operator, before, after, delta }) => ({
            id: operator,
            cells: [
              <Name key="name" text={operator} />,
              before?.nodes ?? 'none',
              after?.nodes ?? 'none',
              before === null ? '' : formatMs(before.ms),
              after === null ? '' : formatMs(after.ms),
              formatMs(delta),
            ],
          }))}
        />
      </Details>
    </>
  );
}
