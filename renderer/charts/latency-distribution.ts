/** Run times of two variants as overlaid histograms on one axis, with the medians and 95th percentiles marked. */
import type { EChartsOption } from 'echarts';
import { formatMs, formatShare } from '../../native-workers/report/format.ts';
import { quantile, sortedCopy } from './quantile.ts';
import { axis, baseOption, type ChartTheme, legend } from './theme.ts';

export interface Distribution {
  readonly label: string;
  /** Milliseconds. */
  readonly samples: readonly number[];
}

const BINS = 80;

export interface Bins {
  /** Lower edge of the first bin, and the width of each, in ms. */
  readonly start: number;
  readonly width: number;
  readonly count: number;
}

/**
 * Bins over both variants. They end a little above the larger 99th percentile, so that one stray run does not squeeze all
 * the others into a corner; what is above counts in the last bin.
 */
export function binsFor(variants: readonly (readonly number[])[]): Bins {
  const sorted = variants.filter((samples) => samples.length > 0).map(sortedCopy);
  const start = Math.min(...sorted.map((samples) => samples[0] ?? 0));
  const end = Math.max(...sorted.map((samples) => quantile(samples, 0.99)));
  const width = ((end - start) * 1.05) / BINS;
  return { start, width: width > 0 ? width : Math.max(start, 1) / 1000, count: BINS };
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

export function latencyDistribution(before: Distribution, after: Distribution, theme: ChartTheme): EChartsOption {
  const bins = binsFor([before.samples, after.samples]);
  const series = (
    [
      [before, theme.before],
      [after, theme.after],
    ] as const
  ).map(([variant, color], index) => ({
    type: 'line' as const,
    name: variant.label,
    step: 'end' as const,
    symbol: 'none',
    lineStyle: { color, width: 1.5 },
    itemStyle: { color },
    areaStyle: { color, opacity: 0.22 },
    data: outline(histogram(variant.samples, bins), bins),
    markLine: quantileMarks(variant, color, index, theme),
  }));
  return {
    ...baseOption(theme),
    legend: legend(theme),
    tooltip: { ...baseOption(theme).tooltip, trigger: 'axis', valueFormatter: (value) => formatShare(Number(value)) },
    xAxis: {
      type: 'value',
      ...axis(theme, 'Time of one run, ms'),
      min: bins.start,
      max: bins.start + bins.width * bins.count,
      splitLine: { show: false },
      axisPointer: { label: { formatter: ({ value }) => formatMs(Number(value)) } },
      axisLabel: { color: theme.textMuted, hideOverlap: true, showMinLabel: false, showMaxLabel: false },
    },
    yAxis: {
      type: 'value',
      ...axis(theme, 'Share of runs'),
      axisLabel: { color: theme.textMuted, formatter: (value: number) => `${Math.round(value * 100)} %` },
    },
    series,
  };
}

/** A step goes on to the next point, so one more closes the last bin. */
function outline(shares: readonly number[], { start, width }: Bins): [number, number][] {
  const points = shares.map((share, bin): [number, number] => [start + bin * width, share]);
  return [...points, [start + shares.length * width, shares.at(-1) ?? 0]];
}

/** Labels of the two variants stand on two lines, so that near medians do not cover each other. */
function quantileMarks({ samples }: Distribution, color: string, line: number, theme: ChartTheme) {
  const sorted = sortedCopy(samples);
  const mark = (name: string, q: number, type: 'solid' | 'dashed') => ({
    xAxis: quantile(sorted, q),
    lineStyle: { color, type, width: 1.25 },
    label: { formatter: `${name} ${formatMs(quantile(sorted, q))}` },
  });
  return {
    symbol: 'none',
    silent: true,
    label: { color: theme.text, fontSize: 11, distance: [0, 2 + line * 14] as [number, number] },
    data: [mark('p50', 0.5, 'solid'), mark('p95', 0.95, 'dashed')],
  };
}
