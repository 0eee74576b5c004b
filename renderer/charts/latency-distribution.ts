/**
 * Run times of two variants as histograms, with the medians and 95th percentiles marked: overlaid where they meet, side by
 * side on axes of their own where they are far apart, since on one axis both would be needles.
 */
import type { EChartsOption } from 'echarts';
import { formatMs, formatShare } from '../../native-workers/report/format.ts';
import { quantile, sortedCopy } from './quantile.ts';
import { axis, baseOption, type ChartTheme, GRID, legend } from './theme.ts';

export interface Distribution {
  readonly label: string;
  /** Milliseconds. */
  readonly samples: readonly number[];
}

/** More samples carry finer bins: twice the Rice rule, within bounds that can be drawn. */
function binCount(samples: number): number {
  return Math.min(60, Math.max(12, Math.round(4 * Math.cbrt(samples))));
}

export interface Bins {
  /** Lower edge of the first bin, and the width of each, in ms. */
  readonly start: number;
  readonly width: number;
  readonly count: number;
}

/**
 * Bins over all the given samples, with a little room at the left. They end where the bulk does, so that stray runs do not
 * squeeze all the others into a corner; what is above counts in the last bin.
 */
export function binsFor(variants: readonly (readonly number[])[]): Bins {
  const sorted = variants.filter((samples) => samples.length > 0).map(sortedCopy);
  const low = Math.min(...sorted.map((samples) => quantile(samples, 0)));
  const high = Math.max(...sorted.map(bulkEnd));
  const room = (high - low) * 0.05 || Math.max(high, 1) / 1000;
  const count = binCount(Math.min(...sorted.map((samples) => samples.length)));
  return { start: low - room, width: (high - low + 2 * room) / count, count };
}

/** The 99th percentile, or six times the width of the middle half above the median where that is less. */
function bulkEnd(sorted: readonly number[]): number {
  const median = quantile(sorted, 0.5);
  const width = Math.max(quantile(sorted, 0.75) - quantile(sorted, 0.25), 0.02 * median);
  return Math.min(quantile(sorted, 0.99), median + 6 * width);
}

/** Share of the samples in each bin; the shares add up to 1. */
export function histogram(samples: readonly number[], { start, width, count }: Bins): number[] {
  const shares = new Array<number>(count).fill(0);
  for (const sample of samples) {
    const bin = Math.min(count - 1, Math.max(0, Math.floor((sample - start) / width)));
    shares[bin] = (shares[bin] ?? 0) + 1 / samples.length;
  }
  return shares;
}

/** Whether the bulk of one lies wholly below the other. */
export function areApart(one: readonly number[], other: readonly number[]): boolean {
  const [a, b] = [sortedCopy(one), sortedCopy(other)];
  return bulkEnd(a) < quantile(b, 0) || bulkEnd(b) < quantile(a, 0);
}

export function latencyDistribution(before: Distribution, after: Distribution, theme: ChartTheme): EChartsOption {
  const variants = [
    { ...before, color: theme.before },
    { ...after, color: theme.after },
  ];
  const panels = areApart(before.samples, after.samples) ? variants.map((variant) => [variant]) : [variants];
  const bins = panels.map((panel) => binsFor(panel.map((variant) => variant.samples)));
  return {
    ...baseOption(theme),
    legend: legend(theme),
    tooltip: { ...baseOption(theme).tooltip, trigger: 'axis', valueFormatter: (value) => formatShare(Number(value)) },
    grid: panels.map((_, index) => ({
      ...GRID,
      top: panels.length === 1 ? 80 : 54,
      ...(panels.length === 1 ? {} : index === 0 ? { right: '52%' } : { left: '52%' }),
    })),
    xAxis: bins.map((panel, gridIndex) => ({ gridIndex, ...timeAxis(panel, theme) })),
    yAxis: panels.map((_, gridIndex) => ({
      type: 'value',
      gridIndex,
      ...axis(theme, 'y', gridIndex === 0 ? 'Share of runs' : ''),
      axisLabel: {
        color: theme.textMuted,
        showMaxLabel: false,
        formatter: (value: number) => `${Math.round(value * 100)} %`,
      },
    })),
    series: panels.flatMap((panel, index) =>
      panel.map((variant, place) =>
        histogramSeries(variant, bins[index] ?? binsFor([variant.samples]), index, place, theme),
      ),
    ),
  };
}

function timeAxis({ start, width, count }: Bins, theme: ChartTheme) {
  return {
    type: 'value' as const,
    ...axis(theme, 'x', 'Time of one run, ms'),
    min: start,
    max: start + width * count,
    splitLine: { show: false },
    axisPointer: { label: { formatter: ({ value }: { value: unknown }) => formatMs(Number(value)) } },
    axisLabel: { color: theme.textMuted, hideOverlap: true, showMinLabel: false, showMaxLabel: false },
  };
}

interface Colored extends Distribution {
  readonly color: string;
}

function histogramSeries(variant: Colored, bins: Bins, panel: number, place: number, theme: ChartTheme) {
  const { label, samples, color } = variant;
  return {
    type: 'line' as const,
    name: label,
    xAxisIndex: panel,
    yAxisIndex: panel,
    step: 'end' as const,
    symbol: 'none',
    lineStyle: { color, width: 1.5 },
    itemStyle: { color },
    areaStyle: { color, opacity: 0.25 },
    data: outline(histogram(samples, bins), bins),
    markLine: quantileMarks(variant, bins, place, theme),
  };
}

/** A step goes on to the next point, so one more closes the last bin. */
function outline(shares: readonly number[], { start, width }: Bins): [number, number][] {
  const points = shares.map((share, bin): [number, number] => [start + bin * width, share]);
  return [...points, [start + shares.length * width, shares.at(-1) ?? 0]];
}

/**
 * Each label has a row of its own above the plot, and stands on the side of its line where there is more room. A quantile
 * beyond the plot is named at its edge, with an arrow.
 */
function quantileMarks({ samples, color }: Colored, { start, width, count }: Bins, row: number, theme: ChartTheme) {
  const sorted = sortedCopy(samples);
  const end = start + width * count;
  const mark = (name: string, q: number, type: 'solid' | 'dashed', above: number) => {
    const value = quantile(sorted, q);
    const isBeyond = value > end;
    return {
      xAxis: Math.min(value, end),
      lineStyle: { color, type, width: isBeyond ? 0 : 1.25 },
      label: {
        formatter: ` ${name} ${formatMs(value)}${isBeyond ? ' →' : ''} `,
        align: (value < start + 0.55 * (end - start) ? 'left' : 'right') as 'left' | 'right',
        distance: 2 + 13 * above,
      },
    };
  };
  return {
    symbol: 'none',
    silent: true,
    label: { position: 'end' as const, color: theme.text, fontSize: 11 },
    data: [mark('p50', 0.5, 'solid', 2 * row + 1), mark('p95', 0.95, 'dashed', 2 * row)],
  };
}
