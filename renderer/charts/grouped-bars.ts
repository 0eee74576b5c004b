/** Before and after side by side for each of some names: time by operator, bytes by operator. */
import type { EChartsOption } from 'echarts';
import { axis, baseOption, type ChartTheme, legend, short } from './theme.ts';

export interface BarRow {
  readonly name: string;
  /** null: it does not occur on that side. */
  readonly before: number | null;
  readonly after: number | null;
}

export interface BarScale {
  /** What the axis shows, with the unit. */
  readonly title: string;
  format(value: number): string;
}

/** Rows from top to bottom as they come. */
export function groupedBars(rows: readonly BarRow[], scale: BarScale, theme: ChartTheme): EChartsOption {
  const series = (name: string, color: string, values: readonly (number | null)[]) => ({
    type: 'bar' as const,
    name,
    itemStyle: { color },
    barMaxWidth: 10,
    barGap: '10%',
    data: values.map((value) => value ?? '-'),
  });
  return {
    ...baseOption(theme),
    legend: legend(theme),
    tooltip: {
      ...baseOption(theme).tooltip,
      trigger: 'axis',
      axisPointer: { type: 'none' },
      valueFormatter: (value) => (typeof value === 'number' ? scale.format(value) : 'none'),
    },
    xAxis: {
      type: 'value',
      ...axis(theme, 'x', scale.title),
      axisLabel: { color: theme.textMuted, hideOverlap: true, formatter: scale.format },
    },
    yAxis: {
      type: 'category',
      inverse: true,
      data: rows.map(({ name }) => short(name)),
      axisLine: { lineStyle: { color: theme.border } },
      axisTick: { show: false },
      axisLabel: { color: theme.text },
    },
    series: [
      series(
        'Before',
        theme.before,
        rows.map((row) => row.before),
      ),
      series(
        'After',
        theme.after,
        rows.map((row) => row.after),
      ),
    ],
  };
}

/** Height in pixels that keeps the bars readable. */
export function groupedBarsHeight(rows: number): number {
  return 80 + rows * 30;
}
