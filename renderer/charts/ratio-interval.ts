/** Ratios of run times with their intervals against the line of no change: left of it is faster. */
import type { EChartsOption } from 'echarts';
import type { Verdict } from '../../native-workers/report/document.ts';
import { formatRatio, formatTimes } from '../../native-workers/report/format.ts';
import { axis, baseOption, type ChartTheme, GRID, short } from './theme.ts';

export interface RatioRow {
  readonly label: string;
  readonly ratio: Verdict;
}

const COLORS = { faster: 'better', slower: 'worse', inconclusive: 'neutral' } as const;
const SYMBOLS = { faster: 'circle', slower: 'rect', inconclusive: 'diamond' } as const;

export function ratioInterval(rows: readonly RatioRow[], theme: ChartTheme): EChartsOption {
  const high = Math.max(1, ...rows.map(({ ratio }) => ratio.high));
  const low = Math.min(1, ...rows.map(({ ratio }) => ratio.low));
  const margin = Math.max(0.02, (high - low) * 0.1);
  return {
    ...baseOption(theme),
    tooltip: { show: false },
    grid: { ...GRID, top: 18 },
    xAxis: {
      type: 'value',
      ...axis(theme, 'x', 'Time after / time before'),
      min: Math.max(0, low - margin),
      // Words stand right of the marks.
      max: high + Math.max(margin, (high - low) * 0.45),
      axisLabel: {
        color: theme.textMuted,
        hideOverlap: true,
        formatter: (value: number) => `${Number(value.toFixed(2))}×`,
        showMinLabel: false,
        showMaxLabel: false,
      },
    },
    yAxis: {
      type: 'category',
      inverse: true,
      data: rows.map(({ label }) => short(label)),
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: { color: theme.text },
    },
    series: [...rows.map(({ ratio }, row) => intervalLine(ratio, row, theme)), points(rows, theme)],
  };
}

function intervalLine(ratio: Verdict, row: number, theme: ChartTheme) {
  return {
    type: 'line' as const,
    symbol: 'none',
    silent: true,
    lineStyle: { color: theme[COLORS[ratio.verdict]], width: 3 },
    data: [
      [ratio.low, row],
      [ratio.high, row],
    ],
  };
}

function points(rows: readonly RatioRow[], theme: ChartTheme) {
  return {
    type: 'scatter' as const,
    symbolSize: 11,
    data: rows.map(({ label, ratio }, row) => ({
      name: label,
      value: [ratio.value, row],
      symbol: SYMBOLS[ratio.verdict],
      itemStyle: { color: theme[COLORS[ratio.verdict]], borderColor: theme.surface, borderWidth: 1.5 },
      label: {
        show: true,
        position: 'right' as const,
        distance: 10,
        color: theme.text,
        formatter: wordsOf(ratio),
      },
    })),
    markLine: {
      symbol: 'none',
      silent: true,
      data: [{ xAxis: 1 }],
      lineStyle: { color: theme.border, type: 'dashed' as const, width: 1.25 },
      label: { formatter: 'no change', color: theme.textMuted, fontSize: 11, position: 'end' as const },
    },
  };
}

/** `1.70× faster (0.58× to 0.60×)`: the interval is of the axis, the factor as one says it. */
function wordsOf({ value, low, high, verdict }: Verdict): string {
  const factor = verdict === 'inconclusive' ? formatRatio(value) : formatTimes(value);
  return `${factor} ${verdict} (${formatRatio(low)} to ${formatRatio(high)})`;
}
