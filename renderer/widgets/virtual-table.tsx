/**
 * A table of any length: only the rows in sight are in the page. One row is in the tab order; the arrow keys move it.
 * Columns are CSS grid tracks, so heads and cells share their widths.
 */
import { useVirtualizer } from '@tanstack/react-virtual';
import { ArrowDown, ArrowUp } from 'lucide-react';
import { type KeyboardEvent, type MouseEvent, type ReactNode, useEffect, useRef, useState } from 'react';

export interface Column<Row> {
  readonly id: string;
  readonly title: string;
  /** A CSS grid track: `minmax(12rem, 2fr)`. */
  readonly track: string;
  readonly cell: (row: Row) => ReactNode;
  readonly numeric?: boolean;
  /** The head is for screen readers only. */
  readonly hiddenTitle?: boolean;
  readonly onSort?: () => void;
  readonly sorted?: 'ascending' | 'descending' | undefined;
}

export interface VirtualTableProps<Row> {
  readonly label: string;
  readonly rows: readonly Row[];
  readonly columns: readonly Column<Row>[];
  readonly rowKey: (row: Row) => string;
  /** Pixels; must be what the style sheet gives a row. */
  readonly rowHeight: number;
  readonly onOpen?: (row: Row) => void;
  readonly onKey?: (row: Row, event: KeyboardEvent) => void;
  readonly isSelected?: (row: Row) => boolean;
}

/** Pixels; what the style sheet gives `.table-head`. */
const HEAD_HEIGHT = 28;

export function VirtualTable<Row>(props: VirtualTableProps<Row>) {
  const { label, rows, columns, rowKey, rowHeight, onOpen, onKey, isSelected } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const wantsFocus = useRef(false);
  const current = Math.min(active, rows.length - 1);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 12,
    scrollMargin: HEAD_HEIGHT,
    scrollPaddingStart: HEAD_HEIGHT,
  });
  const tracks = { gridTemplateColumns: columns.map((column) => column.track).join(' ') };

  // After every render: the row that wants the focus may only be there after the scroll.
  useEffect(() => {
    if (!wantsFocus.current) return;
    const row = scroller.current?.querySelector<HTMLElement>(`[data-index="${current}"]`);
    if (row === null || row === undefined) return;
    wantsFocus.current = false;
    row.focus({ preventScroll: true });
  });

  function move(index: number): void {
    const next = Math.max(0, Math.min(rows.length - 1, index));
    wantsFocus.current = true;
    virtual.scrollToIndex(next);
    setActive(next);
  }

  function onRowKey(event: KeyboardEvent, row: Row): void {
    // Keys of a control within the row are its own.
    if (event.target !== event.currentTarget) return;
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 1);
    const moves: Record<string, number> = {
      ArrowDown: current + 1,
      ArrowUp: current - 1,
      PageDown: current + page,
      PageUp: current - page,
      Home: 0,
      End: rows.length - 1,
    };
    const target = moves[event.key];
    if (target !== undefined) {
      event.preventDefault();
      move(target);
    } else if (event.key === 'Enter' && onOpen !== undefined) onOpen(row);
    else onKey?.(row, event);
  }

  return (
    <div className="table-scroll" ref={scroller}>
      {/* Laid out as grids: rows that are placed by their position cannot stay in a table's own layout. */}
      <table className="table" aria-label={label} aria-rowcount={rows.length + 1}>
        <thead className="table-head">
          <tr style={tracks}>
            {columns.map((column) => (
              <HeadCell key={column.id} column={column} />
            ))}
          </tr>
        </thead>
        <tbody className="table-body" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, start }) => {
            const row = rows[index];
            if (row === undefined) return null;
            return (
              <tr
                key={rowKey(row)}
                className={`table-row ${onOpen === undefined ? '' : 'table-row-opens'}`}
                data-index={index}
                aria-rowindex={index + 2}
                aria-selected={isSelected?.(row)}
                tabIndex={index === current ? 0 : -1}
                style={{ ...tracks, transform: `translateY(${start - HEAD_HEIGHT}px)`, height: rowHeight }}
                onFocus={() => setActive(index)}
                onClick={(event) => (isOwnClick(event) ? undefined : onOpen?.(row))}
                onKeyDown={(event) => onRowKey(event, row)}
              >
                {columns.map((column) => (
                  <td key={column.id} className={`table-cell ${column.numeric === true ? 'numeric' : ''}`}>
                    {column.cell(row)}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function HeadCell<Row>({ column }: { readonly column: Column<Row> }) {
  const { title, numeric, hiddenTitle, onSort, sorted } = column;
  const Arrow = sorted === 'ascending' ? ArrowUp : ArrowDown;
  return (
    <th
      scope="col"
      className={`table-cell ${numeric === true ? 'numeric' : ''}`}
      aria-sort={onSort === undefined ? undefined : (sorted ?? 'none')}
    >
      {onSort === undefined ? (
        <span className={hiddenTitle === true ? 'only-spoken' : ''}>{title}</span>
      ) : (
        <button type="button" className="table-sort" onClick={onSort}>
          {title}
          {sorted === undefined ? null : <Arrow className="icon icon-small" aria-hidden />}
        </button>
      )}
    </th>
  );
}

/** True when the click was meant for a control within the row, or for a menu that React hangs below it. */
function isOwnClick(event: MouseEvent): boolean {
  const { target, currentTarget } = event;
  return (
    !(target instanceof Element) ||
    !currentTarget.contains(target) ||
    target.closest('button, a, input, label, [role="checkbox"]') !== null
  );
}
