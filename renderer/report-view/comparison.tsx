/** The before/after table, the budgets, and the causes that were found. */
import type { BudgetRow, Cell, ComparisonRow, Hint } from '../../native-workers/report/document.ts';
import { formatCell, formatNumber, formatRowChange } from '../../native-workers/report/format.ts';
import type { Unit } from '../../native-workers/report/parts.ts';
import { visible } from '../../native-workers/report/text.ts';
import { DataTable, JudgementPill, Name, Pill } from './parts.tsx';

export function Comparison({ rows }: { readonly rows: readonly ComparisonRow[] }) {
  return (
    <DataTable
      caption="Before and after"
      quiet
      columns={[
        { label: 'What' },
        { label: 'Before', numeric: true },
        { label: 'After', numeric: true },
        { label: 'Change (95 % interval)', numeric: true },
        { label: 'Judgement' },
      ]}
      rows={rows.map((row) => ({
        id: row.id,
        cells: [
          <Name key="label" text={row.label} />,
          <CellValue key="before" cell={row.before} unit={row.unit} />,
          <CellValue key="after" cell={row.after} unit={row.unit} />,
          formatRowChange(row),
          <JudgementPill key="judgement" judgement={row.judgement} />,
        ],
      }))}
    />
  );
}

function CellValue({ cell, unit }: { readonly cell: Cell; readonly unit: Unit }) {
  if (cell.status === 'measured') return formatCell(cell, unit);
  return (
    <span className="report-absent" title={visible(cell.reason)}>
      {formatCell(cell, unit)}
    </span>
  );
}

const STATUSES = {
  met: { tone: 'better', word: 'met' },
  missed: { tone: 'worse', word: 'missed' },
  'not-measured': { tone: 'danger', word: 'not measured' },
} as const;

export function BudgetTable({ rows }: { readonly rows: readonly BudgetRow[] }) {
  return (
    <DataTable
      caption="Budgets"
      quiet
      columns={[
        { label: 'Budget' },
        { label: 'Limit', numeric: true },
        { label: 'Actual', numeric: true },
        { label: 'Margin', numeric: true },
        { label: 'Status' },
      ]}
      rows={rows.map(({ id, label, limit, actual, margin, unit, status }) => ({
        id,
        cells: [
          <Name key="label" text={label} />,
          formatNumber(limit, unit),
          actual === null ? 'not measured' : formatNumber(actual, unit),
          margin === null ? '' : formatNumber(margin, unit),
          <Pill key="status" tone={STATUSES[status].tone}>
            {STATUSES[status].word}
          </Pill>,
        ],
      }))}
    />
  );
}

export function Hints({ hints }: { readonly hints: readonly Hint[] }) {
  return (
    <ul className="report-hints">
      {hints.map(({ code, direction, message }) => (
        <li key={`${code} ${message}`}>
          <Pill tone={direction === 'faster' ? 'better' : 'worse'}>{direction}</Pill> <span>{visible(message)}</span>
        </li>
      ))}
    </ul>
  );
}
