/**
 * The blocks of a benchmark in the order they ran, each as the distance of its median from the median of its variant: a
 * machine that drifts shows as a slope of both variants, a disturbance as a step or a spike.
 */
import type { EChartsOption } from 'echarts';
import { formatChange } from '../../native-workers/report/format.ts';
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
  /** Median of the block over the median of all runs of the variant. */
  readonly ratio: number;
}

/** The n-th occurrence of a variant in `order` is its n-th block. Blocks without samples have no point. */
export function blockPoints({ variant, blocks }: BlockVariant, order: readonly number[]): BlockPoint[] {
  const positions = order.flatMap((entry, index) => (entry === variant ? [index + 1] : []));
  const overall = quantile(sortedCopy(blocks.flat()), 0.5);
  return blocks.flatMap((samples, index) => {
    const position = positions[index];
    if (position === undefined || samples.length === 0) return [];
    return [{ position, ratio: quantile(sortedCopy(samples), 0.5) / overall }];
  });
}

export function blockTimeline(
  variants: readonly [BlockVariant, BlockVariant],
  order: readonly number[],
  theme: ChartTheme,
): EChartsOption {
  const points = variants.map((variant) => blockPoints(variant, order));
  const positions = points.flat().map(({ position }) => position);
  const series = (index: 0 | 1, color: string, symbol: string) => ({
    type: 'scatter' as const,
    name: variants[index].label,
    symbol,
    symbolSize: 7,
    itemStyle: { color },
    data: (points[index] ?? []).map(({ position, ratio }) => [position, (ratio - 1) * 100]),
  });
  const zero = {
    symbol: 'none',
    silent: true,
    data: [{ yAxis: 0 }],
    label: { show: false },
    lineStyle: { color: theme.border, type: 'dashed' as const, width: 1.25 },
  };
  return {
    ...baseOption(theme),
    legend: { ...legend(theme), icon: 'inherit' },
    tooltip: {
      ...baseOption(theme).tooltip,
      trigger: 'item',
      valueFormatter: (value) => formatChange(1 + Number(value) / 100),
    },
    xAxis: {
      type: 'value',
      ...axis(theme, 'x', 'Block, in the order they ran'),
      min: Math.min(...positions) - 1,
      max: Math.max(...positions) + 1,
      minInterval: 1,
      splitLine: { show: false },
      axisLabel: { color: theme.textMuted, hideOverlap: true, showMinLabel: false, showMaxLabel: false },
    },
    yAxis: {
      type: 'value',
      ...axis(theme, 'y', 'From the median, %'),
    },
    series: [{ ...series(0, theme.before, 'rect'), markLine: zero }, series(1, theme.after, 'circle')],
  };
}
