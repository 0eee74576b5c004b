/** Sustained load: the median run time of each slice of time, which rises where a machine heats up. */
import type { EChartsOption } from 'echarts';
import { formatMs } from '../../native-workers/report/format.ts';
import { axis, baseOption, type ChartTheme, legend } from './theme.ts';

export interface SustainedVariant {
  readonly label: string;
  readonly points: readonly { readonly second: number; readonly median: number }[];
}

export function sustainedCurve(before: SustainedVariant, after: SustainedVariant, theme: ChartTheme): EChartsOption {
  const line = ({ label, points }: SustainedVariant, color: string) => ({
    type: 'line' as const,
    name: label,
    symbol: 'none',
    lineStyle: { color, width: 1.75 },
    itemStyle: { color },
    data: points.map(({ second, median }) => [second, median]),
  });
  return {
    ...baseOption(theme),
    legend: legend(theme),
    tooltip: { ...baseOption(theme).tooltip, trigger: 'axis', valueFormatter: (value) => formatMs(Number(value)) },
    xAxis: { type: 'value', ...axis(theme, 'x', 'Seconds under load'), splitLine: { show: false } },
    yAxis: { type: 'value', ...axis(theme, 'y', 'Median time of one run, ms'), min: 0 },
    series: [line(before, theme.before), line(after, theme.after)],
  };
}
