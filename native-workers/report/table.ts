/** The before/after table: one line for each thing that a user optimises for, measured or not. */
import type { Cell, ComparisonRow, Judgement } from './document.ts';
import { labelOfMetric, unitOfMetric } from './metric.ts';
import { dataOf, type Outcome } from './outcome.ts';
import type { Sections } from './sections/registry.ts';

export function buildTable(sections: Sections): ComparisonRow[] {
  return [...sizeRows(sections), ...latencyRows(sections), ...memoryRows(sections), ...accuracyRows(sections)];
}

/** A change that is shown as 0.0 % is called none. */
const SAME_RATIO = 0.0005;

interface RatioRow {
  readonly id: string;
  readonly label: string;
  readonly unit: ComparisonRow['unit'];
  readonly before: Cell;
  readonly after: Cell;
  /** Less is better unless `higher`. */
  readonly better?: 'higher';
  readonly judgement?: Judgement;
  readonly interval?: ComparisonRow['interval'];
}

function ratioRow({ before, after, better, judgement, interval, ...rest }: RatioRow): ComparisonRow {
  const known = before.status === 'measured' && after.status === 'measured' && before.value !== 0;
  const ratio = known ? after.value / before.value : null;
  const byRatio = (value: number): Judgement => {
    if (Math.abs(value - 1) < SAME_RATIO) return 'same';
    return value < 1 === (better === undefined) ? 'better' : 'worse';
  };
  return {
    ...rest,
    before,
    after,
    ratio,
    delta: null,
    interval: interval ?? null,
    judgement: ratio === null ? 'not-judged' : (judgement ?? byRatio(ratio)),
  };
}

function sizeRows({ size }: Sections): ComparisonRow[] {
  const data = dataOf(size);
  const missing: Cell = { status: 'not-measured', reason: 'No model was made.' };
  const after = (value: number | undefined): Cell => (value === undefined ? missing : cell(value));
  const file = {
    id: 'size',
    label: 'Size on disk',
    unit: 'bytes' as const,
    before: cellOf(size, data?.before.file),
    after: data === null ? cellOf(size, undefined) : after(data.after?.file),
  };
  if (data === null) return [ratioRow(file)];
  const nodes = { id: 'nodes', label: 'Nodes', unit: 'count' as const, judgement: 'not-judged' as const };
  return [ratioRow(file), ratioRow({ ...nodes, before: cell(data.before.nodes), after: after(data.after?.nodes) })];
}

function latencyRows({ latency }: Sections): ComparisonRow[] {
  const pair = dataOf(latency)?.pairs[0];
  const [before, after] = [pair?.before.stats, pair?.after.stats];
  const verdict = pair?.ratio ?? null;
  const judgement: Judgement =
    verdict === null
      ? 'not-judged'
      : ({ faster: 'better', slower: 'worse', inconclusive: 'inconclusive' } as const)[verdict.verdict];
  const p50 = ratioRow({
    id: 'latency-p50',
    label: 'Latency, median',
    unit: 'ms',
    before: cellOf(latency, before?.p50),
    after: cellOf(latency, after?.p50),
    judgement,
    interval: verdict === null ? null : { low: verdict.low, high: verdict.high },
  });
  // The interval is that of the verdict's own ratio, so the row shows that one.
  const median = verdict === null || p50.ratio === null ? p50 : { ...p50, ratio: verdict.value };
  if (before === undefined || after === undefined || before === null || after === null) return [median];
  const plain = { judgement: 'not-judged' as const };
  return [
    median,
    ratioRow({
      id: 'latency-p95',
      label: 'Latency, 95th percentile',
      unit: 'ms',
      before: cell(before.p95),
      after: cell(after.p95),
      ...plain,
    }),
    ratioRow({
      id: 'throughput',
      label: 'Throughput',
      unit: 'runs/s',
      before: cell(before.throughput),
      after: cell(after.throughput),
      better: 'higher',
      ...plain,
    }),
  ];
}

function memoryRows({ coldStart, memory }: Sections): ComparisonRow[] {
  const start = dataOf(coldStart);
  const peak = dataOf(memory);
  return [
    ratioRow({
      id: 'cold-start',
      label: 'Cold start, to the first answer',
      unit: 'ms',
      before: cellOf(coldStart, start?.before.total.median),
      after: cellOf(coldStart, start?.after.total.median),
      judgement: 'not-judged',
    }),
    ratioRow({
      id: 'peak-memory',
      label: 'Peak memory',
      unit: 'bytes',
      before: cellOf(memory, peak?.before),
      after: cellOf(memory, peak?.after),
    }),
  ];
}

function accuracyRows({ accuracy, fidelity }: Sections): ComparisonRow[] {
  const data = dataOf(accuracy);
  const metrics = (data?.metrics ?? []).map(
    (metric): ComparisonRow => ({
      id: `metric-${metric.name}`,
      label: labelOfMetric(metric),
      unit: unitOfMetric(metric),
      before: cell(metric.before),
      after: cell(metric.after),
      ratio: null,
      delta: metric.delta,
      interval: metric.interval,
      judgement: metric.judgement,
    }),
  );
  const worst = dataOf(fidelity)?.worst;
  const itself: Cell = { status: 'not-applicable', reason: 'The original is the reference.' };
  const near = (id: string, label: string, unit: ComparisonRow['unit'], value: number | null): ComparisonRow[] =>
    value === null
      ? []
      : [
          {
            id,
            label,
            unit,
            before: itself,
            after: cell(value),
            ratio: null,
            delta: null,
            interval: null,
            judgement: 'not-judged',
          },
        ];
  if (worst === undefined) {
    const absent =
      metrics.length > 0
        ? []
        : [
            ratioRow({
              id: 'fidelity',
              label: 'Fidelity',
              unit: '1',
              before: cellOf(fidelity, undefined),
              after: cellOf(fidelity, undefined),
            }),
          ];
    return [...metrics, ...absent];
  }
  return [
    ...metrics,
    ...near('top1-agreement', 'Same answer as the original', 'share', worst.top1Agreement),
    ...near('cosine', 'Cosine to the original, worst output', '1', worst.cosine),
    ...near('sqnr', 'Signal to quantization noise, worst output', 'dB', worst.sqnrDb),
  ];
}

const cell = (value: number): Cell => ({ status: 'measured', value });

/** A number of a section, or why the section has none. */
function cellOf(outcome: Outcome<unknown>, value: number | null | undefined): Cell {
  if (value !== undefined && value !== null) return cell(value);
  switch (outcome.status) {
    case 'measured':
      return { status: 'not-measured', reason: 'It was not taken.' };
    case 'failed':
      return { status: 'failed', reason: outcome.error.message };
    default:
      return { status: outcome.status, reason: outcome.reason };
  }
}
