/** How the numbers of an activation are spread, and where its codes end: what stands outside of the lines is clipped. */
import type { EChartsOption } from 'echarts';
import { formatCount, formatElement } from '../../native-workers/report/format.ts';
import { axis, baseOption, type ChartTheme, GRID } from './theme.ts';

export interface ValueHistogram {
  /** By even steps from `min` to `max`. */
  readonly counts: readonly number[];
  readonly min: number;
  readonly max: number;
  /** The range of the codes. */
  readonly kept: { readonly min: number; readonly max: number } | null;
}

/** Counts span many powers of ten, and empty bins occur: the height of a bar is log10 of one more than its count. */
export function valueHistogram({ counts, min, max, kept }: ValueHistogram, theme: ChartTheme): EChartsOption {
  const width = (max - min) / Math.max(1, counts.length);
  const low = Math.min(min, kept?.min ?? min);
  const high = Math.max(max, kept?.max ?? max);
  return {
    ...baseOption(theme),
    tooltip: { ...baseOption(theme).tooltip, trigger: 'item' },
    grid: { ...GRID, top: 22 },
    xAxis: {
      type: 'value',
      min: low,
      max: high,
      ...axis(theme, 'x', 'Value'),
      axisLabel: { color: theme.textMuted, hideOverlap: true, formatter: (value: number) => formatElement(value) },
    },
    yAxis: {
      type: 'value',
      ...axis(theme, 'y', 'Elements'),
      minInterval: 1,
      axisLabel: { color: theme.textMuted, formatter: (value: number) => shortPower(value) },
    },
    series: [
      {
        type: 'bar',
        barWidth: '100%',
        barMinWidth: 2,
        barMaxWidth: 14,
        itemStyle: { color: theme.after },
        data: counts.map((count, bin) => {
          const from = min + bin * width;
          return {
            value: [from + width / 2, Math.log10(1 + count)],
            tooltip: {
              formatter: () =>
                `${formatElement(from)} to ${formatElement(from + width)}\n${formatCount(count)} elements`,
            },
          };
        }),
        ...(kept === null
          ? {}
          : {
              markLine: {
                symbol: 'none',
                silent: true,
                lineStyle: { color: theme.worse, width: 1.25, type: 'dashed' as const },
                label: { show: false },
                data: [{ xAxis: kept.min }, { xAxis: kept.max }],
              },
            }),
      },
    ],
  };
}

/** `10^3` as `1k`. */
function shortPower(power: number): string {
  if (power === 0) return '0';
  const units = ['', 'k', 'M', 'G', 'T'];
  const group = Math.floor(power / 3);
  return `${10 ** (power - 3 * group)}${units[group] ?? ''}`;
}
