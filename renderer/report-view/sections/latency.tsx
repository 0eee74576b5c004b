import { useCallback } from 'react';
import type { BenchmarkFacts } from '../../../native-workers/protocol/facts.ts';
import type { Stats } from '../../../native-workers/report/document.ts';
import {
  formatCount,
  formatMs,
  formatNumber,
  formatRatio,
  formatTimes,
  plural,
} from '../../../native-workers/report/format.ts';
import type { LatencySection } from '../../../native-workers/report/sections/latency.ts';
import { visible } from '../../../native-workers/report/text.ts';
import { blockTimeline } from '../../charts/block-timeline.ts';
import { Chart } from '../../charts/chart.tsx';
import { latencyDistribution } from '../../charts/latency-distribution.ts';
import { ratioInterval } from '../../charts/ratio-interval.ts';
import { sustainedCurve } from '../../charts/sustained-curve.ts';
import type { ChartTheme } from '../../charts/theme.ts';
import { DataTable, Details, Pill } from '../parts.tsx';
import type { SectionProps, SectionView } from '../section-view.tsx';

type Pair = LatencySection['pairs'][number];
type Variant = BenchmarkFacts['variants'][number];

export const latencyView: SectionView<'latency'> = { title: 'Latency', View: Latency };

function Latency({ data, report }: SectionProps<'latency'>) {
  const facts = report.evidence.facts.benchmark;
  const first = data.pairs[0];
  if (first === undefined || facts === null) return null;
  const before = facts.variants[first.before.variant];
  const after = facts.variants[first.after.variant];
  const compared = data.pairs.filter((pair) => pair.ratio !== null);
  return (
    <>
      {before !== undefined && after !== undefined && first.ratio !== null ? (
        <PairCharts pair={first} before={before} after={after} order={facts.order} />
      ) : null}
      {compared.length > 1 ? <Ratios pairs={compared} /> : null}
      <PairTable pairs={data.pairs} />
      {before?.sustained !== undefined && after?.sustained !== undefined ? (
        <Sustained before={before} after={after} />
      ) : null}
    </>
  );
}

const nameOf = ({ provider, threads, batch }: Pair): string =>
  `${visible(provider)}, ${plural(threads, 'thread')}, batch ${batch}`;

interface PairChartsProps {
  readonly pair: Pair;
  readonly before: Variant;
  readonly after: Variant;
  readonly order: readonly number[];
}

function PairCharts({ pair, before, after, order }: PairChartsProps) {
  const distribution = useCallback(
    (theme: ChartTheme) =>
      latencyDistribution(
        { label: 'Before', samples: before.blocks.flat() },
        { label: 'After', samples: after.blocks.flat() },
        theme,
      ),
    [before, after],
  );
  const timeline = useCallback(
    (theme: ChartTheme) =>
      blockTimeline(
        [
          { label: 'Before', variant: pair.before.variant, blocks: before.blocks },
          { label: 'After', variant: pair.after.variant, blocks: after.blocks },
        ],
        order,
        theme,
      ),
    [pair, before, after, order],
  );
  const [was, is] = [pair.before.stats, pair.after.stats];
  const words =
    was === null || is === null
      ? ''
      : `Median ${formatMs(was.p50)} before and ${formatMs(is.p50)} after; 95th percentile ${formatMs(was.p95)} before and ${formatMs(is.p95)} after.`;
  return (
    <div className="report-columns">
      <figure>
        <figcaption>Distribution of run times, {nameOf(pair)}</figcaption>
        <Chart description={`Distribution of run times. ${words}`} height={260} option={distribution} />
      </figure>
      <figure>
        <figcaption>Medians of the blocks in the order they ran: a slope of both is drift of the machine</figcaption>
        <Chart
          description={`Distance from the overall median of each of ${before.blocks.length + after.blocks.length} blocks in the order they ran. ${driftWords(pair)}`}
          height={260}
          option={timeline}
        />
      </figure>
    </div>
  );
}

function driftWords({ before, after }: Pair): string {
  if (before.noise === null || after.noise === null) return '';
  return `From the first third of the blocks to the last, the median changed to ${formatRatio(before.noise.drift)} before and ${formatRatio(after.noise.drift)} after.`;
}

function Ratios({ pairs }: { readonly pairs: readonly Pair[] }) {
  const option = useCallback(
    (theme: ChartTheme) =>
      ratioInterval(
        pairs.flatMap((pair) => (pair.ratio === null ? [] : [{ label: nameOf(pair), ratio: pair.ratio }])),
        theme,
      ),
    [pairs],
  );
  const words = pairs.map((pair) => `${nameOf(pair)}: ${pair.ratio === null ? '' : formatRatio(pair.ratio.value)}`);
  return (
    <figure>
      <figcaption>Ratio of run times with its 95 % interval</figcaption>
      <Chart
        description={`Ratios after/before. ${words.join('; ')}.`}
        height={80 + pairs.length * 44}
        option={option}
      />
    </figure>
  );
}

const COLUMNS: readonly { readonly label: string; readonly of: (stats: Stats) => string }[] = [
  { label: 'p50', of: (stats) => formatMs(stats.p50) },
  { label: 'p90', of: (stats) => formatMs(stats.p90) },
  { label: 'p95', of: (stats) => formatMs(stats.p95) },
  { label: 'p99', of: (stats) => formatMs(stats.p99) },
  { label: 'Mean', of: (stats) => formatMs(stats.mean) },
  { label: 'Std', of: (stats) => formatMs(stats.std) },
  { label: 'Min', of: (stats) => formatMs(stats.min) },
  { label: 'Max', of: (stats) => formatMs(stats.max) },
  { label: 'Throughput', of: (stats) => formatNumber(stats.throughput, 'runs/s') },
  { label: 'Runs', of: (stats) => formatCount(stats.count) },
  { label: 'Warm-up', of: (stats) => formatCount(stats.warmup) },
];

function PairTable({ pairs }: { readonly pairs: readonly Pair[] }) {
  const rows = pairs.flatMap((pair, index) =>
    (['before', 'after'] as const).map((side) => {
      const { stats, error } = pair[side];
      const cells = COLUMNS.map(({ of }) => (stats === null ? (error?.code ?? 'no samples') : of(stats)));
      return {
        id: `${index} ${side}`,
        cells: [`${side === 'before' ? 'Before' : 'After'}${pairs.length > 1 ? `, ${nameOf(pair)}` : ''}`, ...cells],
      };
    }),
  );
  return (
    <>
      <DataTable
        caption="Time of one run"
        columns={[{ label: 'Variant' }, ...COLUMNS.map(({ label }) => ({ label, numeric: true }))]}
        rows={rows}
      />
      <RatioTable pairs={pairs} />
    </>
  );
}

const TONES = { faster: 'better', slower: 'worse', inconclusive: 'neutral' } as const;

function RatioTable({ pairs }: { readonly pairs: readonly Pair[] }) {
  return (
    <DataTable
      caption="Ratio of run times, after/before"
      columns={[
        { label: 'Conditions' },
        { label: 'Ratio', numeric: true },
        { label: '95 % interval', numeric: true },
        { label: 'Verdict' },
        { label: 'More runs to settle it', numeric: true },
        { label: 'Runs far out', numeric: true },
      ]}
      rows={pairs.map((pair, index) => {
        const { ratio, before, after } = pair;
        const outliers = `${before.noise?.outliers ?? 0} and ${after.noise?.outliers ?? 0}`;
        const cells =
          ratio === null
            ? ['not measured', '', '', '', outliers]
            : [
                formatRatio(ratio.value),
                `${formatRatio(ratio.low)} to ${formatRatio(ratio.high)}`,
                <Pill key="verdict" tone={TONES[ratio.verdict]}>
                  {ratio.verdict === 'inconclusive' ? '' : `${formatTimes(ratio.value)} `}
                  {ratio.verdict}
                </Pill>,
                ratio.moreRuns === undefined ? '' : formatCount(ratio.moreRuns),
                outliers,
              ];
        return { id: String(index), cells: [nameOf(pair), ...cells] };
      })}
    />
  );
}

function Sustained({ before, after }: { readonly before: Variant; readonly after: Variant }) {
  const points = { before: before.sustained ?? [], after: after.sustained ?? [] };
  const option = useCallback(
    (theme: ChartTheme) =>
      sustainedCurve(
        { label: 'Before', points: before.sustained ?? [] },
        { label: 'After', points: after.sustained ?? [] },
        theme,
      ),
    [before, after],
  );
  const rows = points.before.map(({ second, median }, index) => {
    const other = points.after[index]?.median;
    return {
      id: String(index),
      cells: [formatCount(second), formatMs(median), other === undefined ? '' : formatMs(other)],
    };
  });
  return (
    <figure>
      <figcaption>Sustained load</figcaption>
      <Chart
        description="Median run time over the seconds of sustained load; the table below has the numbers."
        height={220}
        option={option}
      />
      <Details summary="Data of the sustained load">
        <DataTable
          caption="Median time of one run by second"
          columns={[{ label: 'Second' }, { label: 'Before', numeric: true }, { label: 'After', numeric: true }]}
          rows={rows}
        />
      </Details>
    </figure>
  );
}
