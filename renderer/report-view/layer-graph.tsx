/**
 * The graph of the layers, drawn: what reads what, from top to bottom. The drawing scrolls and zooms; only what is in sight is in
 * the page, so thousands of layers cost no more than a screen of them. The list beside it holds the same layers as text.
 */
import { type KeyboardEvent, type PointerEvent, useEffect, useMemo, useRef, useState } from 'react';
import { visible } from '../../native-workers/report/text.ts';
import {
  type GraphLayout,
  type GraphNode,
  type GraphSegment,
  layoutGraph,
  NODE,
  RANK_HEIGHT,
} from './layer-graph-layout.ts';
import { type LayerRow, shortName } from './layer-rows.ts';

const ZOOM = { least: 0.15, most: 2.5, step: 1.25 } as const;
/** Letters of a name that fit into a box. */
const NAME_LENGTH = 22;

interface LayerGraphProps {
  readonly rows: readonly LayerRow[];
  /** The largest harm of all: what a full bar stands for. */
  readonly most: number;
  readonly chosen: number;
  readonly onChoose: (place: number) => void;
}

export function LayerGraph({ rows, most, chosen, onChoose }: LayerGraphProps) {
  const layout = useMemo(() => layoutGraph(rows.map(({ after }) => after)), [rows]);
  const box = useRef<HTMLDivElement>(null);
  const [scale, setScale] = useState(1);
  const [sight, setSight] = useState({ top: 0, bottom: 800 });
  const look = (): void => {
    if (box.current !== null)
      setSight({ top: box.current.scrollTop, bottom: box.current.scrollTop + box.current.clientHeight });
  };
  const zoom = (factor: number): void =>
    setScale((before) => Math.min(ZOOM.most, Math.max(ZOOM.least, before * factor)));
  const fitWidth = (): void => {
    if (box.current !== null) setScale(Math.min(1, (box.current.clientWidth - 2) / layout.width));
  };
  useShown(box, layout.nodes[chosen], scale, look);
  useWheelZoom(box, zoom);

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const zoomed = { '+': ZOOM.step, '=': ZOOM.step, '-': 1 / ZOOM.step }[event.key];
    const next = neighbour(layout, rows, chosen, event.key);
    if (zoomed !== undefined) zoom(zoomed);
    else if (event.key === '0') fitWidth();
    else if (next === undefined) return;
    else if (next !== null) onChoose(next);
    event.preventDefault();
  };
  return (
    <div className="report-graph">
      <div
        ref={box}
        className="report-graph-box"
        role="application"
        aria-label="Graph of the layers. Arrow keys go along its links, plus and minus zoom, zero fits it in. The list of layers says the same as text."
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the drawing is moved in with the arrow keys
        tabIndex={0}
        onScroll={look}
        onKeyDown={onKeyDown}
        {...useDrag(box)}
      >
        <Drawing
          layout={layout}
          rows={rows}
          most={most}
          chosen={chosen}
          scale={scale}
          sight={sight}
          onChoose={onChoose}
        />
      </div>
      <div className="report-graph-tools">
        <button type="button" aria-label="Zoom in" title="Zoom in (+)" onClick={() => zoom(ZOOM.step)}>
          +
        </button>
        <button type="button" aria-label="Zoom out" title="Zoom out (−)" onClick={() => zoom(1 / ZOOM.step)}>
          −
        </button>
        <button type="button" aria-label="Fit the width" title="Fit the width (0)" onClick={fitWidth}>
          Fit
        </button>
      </div>
    </div>
  );
}

/** The place that a key leads to; null where there is nothing that way, undefined for other keys. */
function neighbour(
  { nodes, ranks }: GraphLayout,
  rows: readonly LayerRow[],
  chosen: number,
  key: string,
): number | null | undefined {
  if (key === 'ArrowUp') return rows[chosen]?.after.at(-1) ?? null;
  if (key === 'ArrowDown') {
    const below = rows.findIndex(({ after }) => after.includes(chosen));
    return below < 0 ? null : below;
  }
  if (key !== 'ArrowLeft' && key !== 'ArrowRight') return undefined;
  const row = ranks[nodes[chosen]?.rank ?? -1] ?? [];
  const at = row.findIndex(({ place }) => place === chosen);
  return row[at + (key === 'ArrowLeft' ? -1 : 1)]?.place ?? null;
}

/** Keeps the chosen layer in sight, and what is in sight known, when the zoom or the choice changes. */
function useShown(
  box: React.RefObject<HTMLDivElement | null>,
  node: GraphNode | undefined,
  scale: number,
  look: () => void,
): void {
  const looking = useRef(look);
  looking.current = look;
  useEffect(() => {
    const view = box.current;
    if (view === null || node === undefined) return;
    const [x, y] = [node.x * scale, node.y * scale];
    const margin = NODE.height * scale;
    if (y - margin < view.scrollTop || y + margin > view.scrollTop + view.clientHeight)
      view.scrollTop = y - view.clientHeight / 2;
    const half = (NODE.width * scale) / 2;
    if (x - half < view.scrollLeft || x + half > view.scrollLeft + view.clientWidth)
      view.scrollLeft = x - view.clientWidth / 2;
    looking.current();
  }, [box, node, scale]);
}

/** React listens to wheels passively, where the page's own zoom cannot be held back. */
function useWheelZoom(box: React.RefObject<HTMLDivElement | null>, zoom: (factor: number) => void): void {
  useEffect(() => {
    const view = box.current;
    const onWheel = (event: WheelEvent): void => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoom(Math.exp(-event.deltaY / 300));
    };
    view?.addEventListener('wheel', onWheel, { passive: false });
    return () => view?.removeEventListener('wheel', onWheel);
  });
}

/** Dragging the ground moves the drawing. */
function useDrag(box: React.RefObject<HTMLDivElement | null>) {
  const from = useRef<{ x: number; y: number } | null>(null);
  return {
    onPointerDown: (event: PointerEvent): void => {
      if (event.pointerType !== 'mouse' || event.button !== 0) return;
      from.current = { x: event.clientX, y: event.clientY };
    },
    onPointerMove: (event: PointerEvent): void => {
      if (from.current === null || event.buttons !== 1) return;
      box.current?.scrollBy(from.current.x - event.clientX, from.current.y - event.clientY);
      from.current = { x: event.clientX, y: event.clientY };
    },
    onPointerUp: (): void => {
      from.current = null;
    },
  };
}

interface DrawingProps extends LayerGraphProps {
  readonly layout: GraphLayout;
  readonly scale: number;
  readonly sight: { readonly top: number; readonly bottom: number };
}

function Drawing({ layout, rows, most, chosen, scale, sight, onChoose }: DrawingProps) {
  const { width, height, ranks, segments, far } = layout;
  const first = Math.max(0, Math.floor(sight.top / scale / RANK_HEIGHT) - 1);
  const last = Math.ceil(sight.bottom / scale / RANK_HEIGHT) + 1;
  const links = segments.slice(Math.max(0, first - 1), last).flat();
  const arcs = far.filter(({ y1, y2 }) => y2 * scale >= sight.top && y1 * scale <= sight.bottom);
  return (
    <svg
      className="report-graph-drawing"
      width={Math.ceil(width * scale)}
      height={Math.ceil(height * scale)}
      viewBox={`0 0 ${Math.ceil(width)} ${Math.ceil(height)}`}
      aria-hidden="true"
    >
      {[...links, ...arcs].map((link) => (
        <path
          key={`${link.from} ${link.to} ${link.y1}`}
          className={link.from === chosen || link.to === chosen ? 'report-link report-link-chosen' : 'report-link'}
          d={link.end - link.y1 > 2 * RANK_HEIGHT ? arcOf(link) : curveOf(link)}
        />
      ))}
      {ranks
        .slice(first, last)
        .flatMap((rank) =>
          rank.map((node) => (
            <Box
              key={node.place}
              node={node}
              row={rows[node.place] as LayerRow}
              most={most}
              chosen={node.place === chosen}
              onChoose={onChoose}
            />
          )),
        )}
    </svg>
  );
}

function curveOf({ x1, y1, x2, y2, end }: GraphSegment): string {
  const middle = (y1 + y2) / 2;
  return `M${x1} ${y1}C${x1} ${middle} ${x2} ${middle} ${x2} ${y2}V${end}`;
}

function arcOf({ x1, y1, x2, end }: GraphSegment): string {
  const out = Math.min(x1, x2) - 10;
  return `M${x1} ${y1}C${out} ${y1} ${out} ${y1} ${out} ${y1 + RANK_HEIGHT}V${end - RANK_HEIGHT}C${out} ${end} ${out} ${end} ${x2} ${end}`;
}

interface BoxProps {
  readonly node: GraphNode;
  readonly row: LayerRow;
  readonly most: number;
  readonly chosen: boolean;
  readonly onChoose: (place: number) => void;
}

/** Reached with the keyboard by the arrow keys of the whole drawing, and in the list. */
function Box({ node: { place, x, y }, row, most, chosen, onChoose }: BoxProps) {
  const [left, top] = [x - NODE.width / 2, y - NODE.height / 2];
  const [name, short] = [visible(row.node), visible(shortName(row))];
  const share = most === 0 || row.harm === null ? 0 : Math.max(0, row.harm) / most;
  const kind = row.isFloat ? 'report-box report-box-float' : 'report-box';
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: hidden from screen readers, which have the list
    <g className={chosen ? `${kind} report-box-chosen` : kind} data-box={place} onClick={() => onChoose(place)}>
      <title>{`${name}, ${visible(row.operator)}${row.isFloat ? ', float' : ''}`}</title>
      <rect className="report-box-ground" x={left} y={top} width={NODE.width} height={NODE.height} rx="4" />
      <text x={left + 8} y={top + 13} className="report-box-name">
        {short.length > NAME_LENGTH ? `…${short.slice(1 - NAME_LENGTH)}` : short}
      </text>
      <text x={left + 8} y={top + 25} className="report-box-operator">
        {`${visible(row.operator)}${row.isFloat ? ' · float' : ''}`}
      </text>
      <rect
        className="report-box-harm"
        x={left + 1}
        y={top + NODE.height - 5}
        width={(NODE.width - 2) * share}
        height="4"
      />
    </g>
  );
}
