/** The runs as a table: what went in, what came out, and how sure that is. */
import { ArrowRight, FolderOpen, GitCompareArrows, Repeat2, Trash2 } from 'lucide-react';
import type { KeyboardEvent } from 'react';
import type { RunSummary } from '../../../native-workers/protocol/studio.ts';
import { previousRun, type SortColumn, sortLibrary, toggleSelected, useLibrary } from '../../stores/library.ts';
import { formatRoute, navigate } from '../../stores/navigation.ts';
import { prepareAgain } from '../../stores/repeat.ts';
import {
  formatBytes,
  formatMs,
  formatPoints,
  formatRatio,
  formatShare,
  formatSpeed,
  formatWhen,
} from '../../text/format.ts';
import { LIBRARY } from '../../text/library.ts';
import { VERDICT } from '../../text/status.ts';
import { Cut } from '../../widgets/cut.tsx';
import { CheckboxBox } from '../../widgets/fields.tsx';
import { RowMenu } from '../../widgets/row-menu.tsx';
import { RunStatus } from '../../widgets/status-badge.tsx';
import { type Column, VirtualTable } from '../../widgets/virtual-table.tsx';

export interface RunTableProps {
  readonly runs: readonly RunSummary[];
  readonly onDelete: (run: RunSummary) => void;
}

const ROW_HEIGHT = 34;

export function RunTable({ runs, onDelete }: RunTableProps) {
  const selected = useLibrary((library) => library.selected);
  const sort = useLibrary((library) => library.sort);
  const now = Date.now();
  const sortable = (column: SortColumn) => ({
    title: LIBRARY.columns[column],
    onSort: () => sortLibrary(column),
    sorted: sort.column === column ? (sort.descending ? ('descending' as const) : ('ascending' as const)) : undefined,
  });
  const columns: readonly Column<RunSummary>[] = [
    {
      id: 'select',
      title: LIBRARY.columns.select,
      hiddenTitle: true,
      track: '2rem',
      cell: (run) => (
        <>
          <CheckboxBox
            checked={selected.includes(run.id)}
            label={LIBRARY.select(run.title)}
            onChange={() => toggleSelected(run.id)}
          />
        </>
      ),
    },
    {
      id: 'model',
      ...sortable('model'),
      track: 'minmax(7rem, 2fr)',
      cell: (run) => (
        <a className="run-link" href={formatRoute(routeOf(run))} tabIndex={-1}>
          <Cut text={run.model} />
        </a>
      ),
    },
    {
      id: 'recipe',
      ...sortable('recipe'),
      track: 'minmax(7.5rem, 2fr)',
      cell: (run) => <Cut text={run.recipe} />,
    },
    { id: 'status', ...sortable('status'), track: '6.5rem', cell: (run) => <RunStatus status={run.status} /> },
    {
      id: 'size',
      ...sortable('size'),
      track: 'minmax(7.5rem, 0.4fr)',
      numeric: true,
      cell: (run) => <Size run={run} />,
    },
    {
      id: 'latency',
      ...sortable('latency'),
      track: 'minmax(18rem, 0.6fr)',
      numeric: true,
      cell: (run) => <Latency run={run} />,
    },
    {
      id: 'accuracy',
      ...sortable('accuracy'),
      track: 'minmax(5rem, 0.3fr)',
      numeric: true,
      cell: (run) => <Accuracy run={run} />,
    },
    {
      id: 'created',
      ...sortable('created'),
      track: '6.5rem',
      numeric: true,
      cell: (run) => <span className="muted">{formatWhen(run.created, now)}</span>,
    },
    {
      id: 'actions',
      title: LIBRARY.columns.actions,
      hiddenTitle: true,
      track: '2.5rem',
      cell: (run) => (
        <>
          <RunActions run={run} runs={runs} onDelete={onDelete} />
        </>
      ),
    },
  ];
  return (
    <VirtualTable
      label={LIBRARY.title}
      rows={runs}
      columns={columns}
      rowKey={(run) => run.id}
      rowHeight={ROW_HEIGHT}
      onOpen={(run) => navigate(routeOf(run))}
      onKey={(run, event) => onRowKey(run, event, onDelete)}
      isSelected={(run) => selected.includes(run.id)}
    />
  );
}

function onRowKey(run: RunSummary, event: KeyboardEvent, onDelete: (run: RunSummary) => void): void {
  if (event.key === ' ') toggleSelected(run.id);
  else if (event.key === 'Delete' && run.status !== 'running') onDelete(run);
  else return;
  event.preventDefault();
}

function routeOf(run: RunSummary) {
  return { screen: 'run', id: run.id, tab: run.status === 'done' ? 'report' : 'progress' } as const;
}

function Size({ run }: { readonly run: RunSummary }) {
  if (run.sizeBefore === null) return <Nothing />;
  if (run.sizeAfter === null) return <span className="muted">{formatBytes(run.sizeBefore)}</span>;
  const factor = run.sizeAfter / run.sizeBefore;
  return (
    <span className="change change-size" title={`${formatBytes(run.sizeBefore)} → ${formatBytes(run.sizeAfter)}`}>
      <span>{formatBytes(run.sizeAfter)}</span>
      <span className={`change-factor ${factor === 1 ? '' : factor < 1 ? 'better' : 'worse'}`}>
        {formatRatio(factor)}
      </span>
    </span>
  );
}

function Latency({ run }: { readonly run: RunSummary }) {
  if (run.msBefore === null || run.msAfter === null) return <Nothing />;
  const tone = run.verdict === 'faster' ? 'better' : run.verdict === 'slower' ? 'worse' : 'neutral';
  return (
    <span className="change">
      <span className="change-before">{formatMs(run.msBefore)}</span>
      <ArrowRight className="icon icon-small change-arrow" aria-label="to" />
      <span>{formatMs(run.msAfter)}</span>
      <span className={`change-factor ${tone}`}>{formatSpeed(run.msBefore, run.msAfter, run.verdict)}</span>
      <span className={`change-verdict ${tone}`}>{run.verdict === null ? '' : VERDICT[run.verdict]}</span>
    </span>
  );
}

function Accuracy({ run }: { readonly run: RunSummary }) {
  if (run.metric === null) return <Nothing />;
  const { name, before, after } = run.metric;
  return <span title={`${name}: ${formatShare(before)} → ${formatShare(after)}`}>{formatPoints(after - before)}</span>;
}

function Nothing() {
  return <span className="muted">–</span>;
}

interface RunActionsProps {
  readonly run: RunSummary;
  readonly runs: readonly RunSummary[];
  readonly onDelete: (run: RunSummary) => void;
}

function RunActions({ run, runs, onDelete }: RunActionsProps) {
  const previous = previousRun(run, runs);
  return (
    <RowMenu
      label={LIBRARY.actions(run.title)}
      tabIndex={-1}
      entries={[
        { label: LIBRARY.open, icon: FolderOpen, onSelect: () => navigate(routeOf(run)) },
        {
          label: LIBRARY.comparePrevious,
          icon: GitCompareArrows,
          disabled: previous === null || run.status !== 'done',
          onSelect: () => {
            if (previous !== null) navigate({ screen: 'compare', before: previous.id, after: run.id });
          },
        },
        { label: LIBRARY.again, icon: Repeat2, onSelect: () => void prepareAgain(run.id, run.recipe) },
        {
          label: LIBRARY.delete,
          icon: Trash2,
          danger: true,
          disabled: run.status === 'running',
          onSelect: () => onDelete(run),
        },
      ]}
    />
  );
}
