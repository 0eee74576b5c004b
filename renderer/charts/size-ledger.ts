/** Bytes of a model before and after, as two bars stacked by what they hold. */
import type { EChartsOption } from 'echarts';
import { formatBytes } from '../../native-workers/report/format.ts';
import { axis, baseOption, type ChartTheme, legend, short } from './theme.ts';

export interface SizePart {
  readonly name: string;
  readonly before: number;
  readonly after: number;
}

interface Ledger {
  readonly structure: number;
  readonly byDtype: readonly { readonly dtype: string; readonly bytes: number }[];
}

/** The weights by dtype, those of either side, and the rest of the file. Largest first. */
export function sizeParts(before: Ledger, after: Ledger | null): SizePart[] {
  const bytes = (ledger: Ledger | null, dtype: string): number =>
    ledger?.byDtype.find((row) => row.dtype === dtype)?.bytes ?? 0;
  const dtypes = new Set([...before.byDtype, ...(after?.byDtype ?? [])].map(({ dtype }) => dtype));
  const parts = [...dtypes].map((dtype) => ({
    name: dtype,
    before: bytes(before, dtype),
    after: bytes(after, dtype),
  }));
  const rest = { name: 'graph', before: before.structure, after: after?.structure ?? 0 };
  return [...parts, rest].sort((a, b) => Math.max(b.before, b.after) - Math.max(a.before, a.after));
}

export function sizeLedger(parts: readonly SizePart[], theme: ChartTheme): EChartsOption {
  return {
    ...baseOption(theme),
    legend: legend(theme),
    tooltip: { ...baseOption(theme).tooltip, trigger: 'item', valueFormatter: (value) => formatBytes(Number(value)) },
    xAxis: {
      type: 'value',
      ...axis(theme, 'x', 'Bytes on disk'),
      axisLabel: { color: theme.textMuted, hideOverlap: true, formatter: (value: number) => formatBytes(value) },
    },
    yAxis: {
      type: 'category',
      data: ['Before', 'After'],
      inverse: true,
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: { color: theme.text },
    },
    series: parts.map(({ name, before, after }, index) => ({
      type: 'bar' as const,
      name: short(name),
      stack: 'bytes',
      barWidth: 22,
      itemStyle: {
        color: theme.palette[index % theme.palette.length] ?? theme.neutral,
        borderColor: theme.surface,
        borderWidth: 1,
      },
      data: [before, after],
    })),
  };
}
