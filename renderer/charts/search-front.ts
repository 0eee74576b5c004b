/** The mixed models that a search measured: what each loses against how long it runs; the area of a mark is its size on disk. */
import type { EChartsOption } from 'echarts';
import { formatBytes, formatCount, formatMs } from '../../native-workers/report/format.ts';
import { axis, baseOption, type ChartTheme, GRID, legend } from './theme.ts';

export interface SearchMark {
  /** Layers that stay float; null: the float model itself. */
  readonly float: number | null;
  readonly ms: number;
  readonly bytes: number;
  readonly metric: string;
  /** Percentage points lost. */
  readonly drop: number;
  readonly chosen: boolean;
}

/** Diameter in pixels of the mark of the largest model. */
const LARGEST = 26;
const SMALLEST = 9;

/** `picked`: the mark that is ringed, by its place. */
export function searchFront(marks: readonly SearchMark[], picked: number, theme: ChartTheme): EChartsOption {
  const most = Math.max(...marks.map(({ bytes }) => bytes), 1);
  const series = (name: string, color: string, symbol: string, members: readonly SearchMark[]) => ({
    type: 'scatter' as const,
    name,
    symbol,
    itemStyle: { color, opacity: 0.85, borderColor: theme.surface, borderWidth: 1 },
    cursor: 'pointer',
    data: members.map((mark) => ({
      name: nameOf(mark),
      place: marks.indexOf(mark),
      ...(marks[picked] === mark ? { itemStyle: { borderColor: theme.text, borderWidth: 2 } } : {}),
      value: [mark.drop, mark.ms],
      symbolSize: Math.max(SMALLEST, LARGEST * Math.sqrt(mark.bytes / most)),
      tooltip: { formatter: () => wordsOf(mark) },
    })),
  });
  const mixed = marks.filter(({ float, chosen }) => float !== null && !chosen);
  // Room for the marks at the edges.
  const scale = { type: 'value' as const, scale: true, boundaryGap: ['0%', '6%'] as [string, string] };
  return {
    ...baseOption(theme),
    // The shapes tell what the colours tell.
    legend: {
      ...legend(theme),
      itemHeight: 10,
      data: [
        { name: 'Mixed models', icon: 'circle' },
        { name: 'Float', icon: 'rect' },
        { name: 'Chosen', icon: 'diamond' },
      ],
    },
    tooltip: { ...baseOption(theme).tooltip, trigger: 'item' },
    grid: { ...GRID, right: 28 },
    xAxis: { ...scale, ...axis(theme, 'x', `Loss of ${marks[0]?.metric ?? 'accuracy'} in points`) },
    yAxis: { ...scale, ...axis(theme, 'y', 'Median time of a run in ms') },
    series: [
      {
        type: 'line',
        name: 'Best of their loss',
        symbol: 'none',
        silent: true,
        step: 'end',
        lineStyle: { color: theme.neutral, width: 1.25, type: 'dashed' },
        itemStyle: { color: theme.neutral },
        data: frontOf(marks).map(({ drop, ms }) => [drop, ms]),
      },
      series('Mixed models', theme.neutral, 'circle', mixed),
      series(
        'Float',
        theme.before,
        'rect',
        marks.filter(({ float, chosen }) => float === null && !chosen),
      ),
      series(
        'Chosen',
        theme.after,
        'diamond',
        marks.filter(({ chosen }) => chosen),
      ),
    ],
  };
}

/** Those that no other beats in both, by falling time: the choices that are worth a thought. */
export function frontOf<Mark extends Pick<SearchMark, 'drop' | 'ms'>>(marks: readonly Mark[]): Mark[] {
  const front: Mark[] = [];
  for (const mark of [...marks].sort((a, b) => a.drop - b.drop || a.ms - b.ms)) {
    if (mark.ms < (front.at(-1)?.ms ?? Number.POSITIVE_INFINITY)) front.push(mark);
  }
  return front;
}

export function nameOf({ float }: Pick<SearchMark, 'float'>): string {
  if (float === null) return 'the float model';
  return float === 0 ? 'all layers INT8' : `${formatCount(float)} ${float === 1 ? 'layer' : 'layers'} float`;
}

function wordsOf(mark: SearchMark): string {
  return [
    `${nameOf(mark)}${mark.chosen ? ' (chosen)' : ''}`,
    `${Math.abs(mark.drop).toFixed(2)} points of ${mark.metric} ${mark.drop < 0 ? 'gained' : 'lost'}`,
    formatMs(mark.ms),
    formatBytes(mark.bytes),
  ].join('\n');
}
