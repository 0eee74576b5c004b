/** The blocks of a benchmark in the order they ran: a machine that drifts shows as a slope, a disturbance as a step. */
import type { EChartsOption } from 'echarts';
import { formatMs } from '../../native-workers/report/format.ts';
import { quantile, sortedCopy } from './quantile.ts';
import { axis, baseOption, type ChartTheme, legend } from './theme.ts';

export interface BlockVariant {
  readonly label: string;
  /** Index in the benchmark's variants, as `order` names it. */
  readonly variant: number;
  /** Milliseconds, by block. */
  readonly blocks: readonly (readonly number[])[];
}

export interface BlockPoint {
  /** Place among all blocks of the benchmark, from 1. */
  readonly position: number;
  readonly p50: number;
  readonly p95: number;
}

/** The n-th occurrence of a variant in `order` is its n-th block. Blocks without samples have no point. */
export function blockPoints({ variant, blocks }: BlockVariant, order: readonly number[]): BlockPoint[] {
  const positions = order.flatMap((entry, index) => (entry === variant ? [index + 1] : []));
  return blocks.flatMap((samples, index) => {
    const position = positions[index];
    if (position === undefined || samples.length === 0) return [];
    const sorted = sortedCopy(samples);
    return [{ position, p50: quantile(sorted, 0.5), p95: quantile(sorted, 0.95) }];
  });
}

export function blockTimeline(
  variants: readonly [BlockVariant, BlockVariant],
  order: readonly number[],
  theme: ChartTheme,
): EChartsOption {
  const colors = [theme.before, theme.after];
  return {
    ...baseOption(theme),
    legend: {
      ...legend(theme),
      data: variants.flatMap(({ label }) => [`${label}, median`, `${label}, p95`]),
      icon: 'circle',
    },
    tooltip: { ...baseOption(theme).tooltip, trigger: 'item', valueFormatter: (value) => formatMs(Number(value)) },
    xAxis: {
      type: 'value',
      ...axis(theme, 'Block, in the order they ran'),
      min: 0,
      max: order.length + 1,
      minInterval: 1,
      splitLine: { show: false },
    },
    yAxis: { type: 'value', ...axis(theme, 'Time of one run, ms'), min: 0 },
    series: variants.flatMap((variant, index) => {
      const color = colors[index] ?? theme.neutral;
      const points = blockPoints(variant, order);
      return [
        {
          type: 'scatter' as const,
          name: `${variant.label}, median`,
          symbol: 'circle',
          symbolSize: 6,
          itemStyle: { color },
          data: points.map(({ position, p50 }) => [position, p50]),
        },
        {
          type: 'scatter' as const,
          name: `${variant.label}, p95`,
          symbol: 'circle',
          symbolSize: 5,
          itemStyle: { color: 'transparent', borderColor: color, borderWidth: 1 },
          data: points.map(({ position, p95 }) => [position, p95]),
        },
      ];
    }),
  };
}
