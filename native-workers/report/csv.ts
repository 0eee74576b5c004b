/**
 * The report as CSV for spreadsheets and scripts: summary rows, then every raw sample. One table with the columns
 * `kind, name, provider, threads, batch, variant, block, index, value, unit`; what does not apply is empty.
 */
import type { Cell, ComparisonRow, ReportDocument } from './document.ts';
import { dataOf } from './outcome.ts';
import { csvField } from './text.ts';

const COLUMNS = ['kind', 'name', 'provider', 'threads', 'batch', 'variant', 'block', 'index', 'value', 'unit'] as const;

type Row = Partial<Record<(typeof COLUMNS)[number], string | number | null>>;

export function renderCsv(report: ReportDocument): string {
  const rows = [
    ...report.table.flatMap(summaryRows),
    ...layerRows(report),
    ...saturationRows(report),
    ...packageRows(report),
    ...metricRows(report),
    ...sampleRows(report),
  ];
  const lines = rows.map((row) => COLUMNS.map((column) => csvField(row[column] ?? null)).join(','));
  return `${[COLUMNS.join(','), ...lines].join('\r\n')}\r\n`;
}

function summaryRows({ id, unit, before, after, ratio, delta, interval }: ComparisonRow): Row[] {
  const one = (variant: string, cell: Cell): Row => ({
    kind: 'summary',
    name: id,
    variant,
    value: cell.status === 'measured' ? cell.value : cell.status,
    unit: cell.status === 'measured' ? unit : null,
  });
  const change = ratio === null ? 'delta' : 'ratio';
  const changeUnit = ratio === null ? unit : 'ratio';
  const extra: [string, number | null][] = [
    [change, ratio ?? delta],
    [`${change}-low`, interval?.low ?? null],
    [`${change}-high`, interval?.high ?? null],
  ];
  return [
    one('before', before),
    one('after', after),
    ...extra.flatMap(([variant, value]): Row[] =>
      value === null ? [] : [{ kind: 'summary', name: id, variant, value, unit: changeUnit }],
    ),
  ];
}

function layerRows({ sections }: ReportDocument): Row[] {
  const data = dataOf(sections.quantization);
  if (data === null) return [];
  const layers = data.passes.flatMap(({ layers: found }) => found);
  return [
    ...layers.flatMap(({ node, sqnrDb, weightError, clipped }): Row[] => {
      const row = (variant: string, value: number | null, unit: string): Row[] =>
        value === null ? [] : [{ kind: 'layer', name: node, variant, value, unit }];
      return [
        ...row('sqnr', sqnrDb, 'dB'),
        ...row('weight-error', weightError, 'share'),
        ...row('clipped', clipped, 'share'),
      ];
    }),
    ...data.left.map(({ node, reason }): Row => ({ kind: 'layer', name: node, variant: 'left-float', value: reason })),
  ];
}

function saturationRows({ sections }: ReportDocument): Row[] {
  const data = dataOf(sections.saturation);
  if (data === null) return [];
  const { agreement, change, layers } = data;
  return [
    { kind: 'saturation', name: 'change', value: change },
    ...(agreement === null
      ? []
      : [{ kind: 'saturation', name: 'agreement', value: agreement.share, unit: 'share' } satisfies Row]),
    ...layers.flatMap(({ node, error, share }): Row[] => [
      { kind: 'saturation', name: node, variant: 'error', value: error, unit: 'share' },
      { kind: 'saturation', name: node, variant: 'pairs', value: share, unit: 'share' },
    ]),
  ];
}

function packageRows({ sections }: ReportDocument): Row[] {
  return (dataOf(sections.packages)?.artifacts ?? []).flatMap(({ target, model, status, bytes, verified }): Row[] => {
    const row = (variant: string, value: string | number | null, unit: string | null = null): Row => ({
      kind: 'package',
      name: model === undefined ? target : `${target}, ${model}`,
      variant,
      value,
      unit,
    });
    return [
      row('status', status),
      ...(status === 'made' ? [row('size', bytes, 'bytes')] : []),
      ...(verified === null
        ? []
        : [
            row('check', verified.status),
            row('largest-difference', verified.maxAbs),
            row('cosine', verified.cosine),
            ...(verified.top1Agreement === null ? [] : [row('agreement', verified.top1Agreement, 'share')]),
            ...(verified.metrics ?? []).map(({ name, after, unit }) => row(name, after, unit)),
          ]),
    ];
  });
}

function metricRows({ evidence }: ReportDocument): Row[] {
  return (evidence.facts.evaluate?.predictions ?? []).flatMap(({ sample, before, after, label }, index): Row[] => [
    ...(label === null
      ? []
      : [{ kind: 'prediction', name: sample, variant: 'label', index, value: label, unit: 'class' }]),
    ...before
      .slice(0, 1)
      .map((value): Row => ({ kind: 'prediction', name: sample, variant: 'before', index, value, unit: 'class' })),
    ...after
      .slice(0, 1)
      .map((value): Row => ({ kind: 'prediction', name: sample, variant: 'after', index, value, unit: 'class' })),
  ]);
}

function sampleRows({ evidence }: ReportDocument): Row[] {
  return (evidence.facts.benchmark?.variants ?? []).flatMap((variant) => {
    const { label, provider, threads, batch } = variant;
    const common = { provider, threads, batch, variant: label, unit: 'ms' };
    const runs = variant.blocks.flatMap((samples, block) =>
      samples.map((value, index): Row => ({ kind: 'sample', name: 'run', ...common, block, index, value })),
    );
    const starts = variant.coldStart.flatMap((start, index): Row[] =>
      (['load', 'create', 'firstRun'] as const).map((part) => ({
        kind: 'cold-start',
        name: part,
        ...common,
        index,
        value: start[part],
      })),
    );
    return [...runs, ...starts];
  });
}
