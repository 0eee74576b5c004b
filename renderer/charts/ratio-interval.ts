/** Ratios of run times with their intervals against the line of no change: left of it is faster. */
import type { EChartsOption } from 'echarts';
import type { Verdict } from '../../native-workers/report/document.ts';
import { formatRatio } from '../../native-workers/report/format.ts';
import { axis, baseOption, type ChartTheme, short } from './theme.ts';

export interface RatioRow {
  readonly label: string;
  readonly ratio: Verdict;
}

export function ratioInterval(rows: readonly RatioRow[], theme: ChartTheme): EChartsOption {
  const colors = { faster: theme.better, slower: theme.worse, inconclusive: theme.neutral };
  const symbols = { faster: 'circle', slower: 'rect', inconclusive: 'diamond' };
  const reach = Math.max(1, ...rows.map(({ ratio }) => ratio.high));
  const least = Math.min(1, ...rows.map(({ ratio }) => ratio.low));
  const margin = Math.max(0.02, (reach - least) * 0.12);
  const intervals = rows.map(({ ratio }, row) => ({
    type: 'line' as const,
    symbol: 'none',
    silent: true,
    lineStyle: { color: colors[ratio.verdict], width: 3 },
    data: [
      [ratio.low, row],
      [ratio.high, row],
    ],
  }));
  const points = {
    type: 'scatter' as const,
    symbolSize: 11,
    data: rows.map(({ label, ratio }, row) => ({
      name: label,
      value: [ratio.value, row],
      symbol: symbols[ratio.verdict],
      itemStyle: { color: colors[ratio.verdict], borderColor: theme.surface, borderWidth: 1.5 },
      label: {
        show: true,
        position: 'top' as const,
        color: theme.text,
        formatter: `${formatRatio(ratio.value)} (${formatRatio(ratio.low)} to ${formatRatio(ratio.high)}), ${ratio.verdict}`,
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
  return {
    ...baseOption(theme),
    tooltip: { show: false },
    xAxis: {
      type: 'value',
      ...axis(theme, 'Time after / time before'),
      min: Math.max(0, least - margin),
      max: reach + margin,
      axisLabel: {
        color: theme.textMuted,
        hideOverlap: true,
        formatter: (value: number) => `${Number(value.toFixed(3))}×`,
      },
    },
    yAxis: {
      type: 'value',
      min: -0.6,
      max: rows.length - 0.2,
      inverse: true,
      interval: 1,
      axisLine: { show: false },
      splitLine: { show: false },
      axisTick: { show: false },
      axisLabel: {
        color: theme.text,
        formatter: (value: number) => short(rows[Math.round(value)]?.label ?? ''),
        showMinLabel: false,
        showMaxLabel: false,
      },
      // Ticks start at whole rows although the axis starts between them.
      ...(rows.length === 1 ? { axisLabel: { show: false } } : {}),
    },
    series: [...intervals, points],
  };
}
