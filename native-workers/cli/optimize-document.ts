/** `hone optimize --json` (and `resume`, and `show`), from the manifest of a run and its report. */
import { isAbsolute, join } from 'node:path';
import { type ErrorData, exitCodeOf } from '../protocol/errors.ts';
import type { Manifest, ModelFile } from '../protocol/facts.ts';
import type { Artifact, PackageFacts } from '../protocol/package-facts.ts';
import type { BudgetRow, ReportDocument, Stats, Verdict } from '../report/document.ts';
import { dataOf, type Outcome } from '../report/outcome.ts';
import { packSucceeded } from './pack-text.ts';

interface MetricRow {
  readonly name: string;
  readonly before: number;
  readonly after: number;
  readonly delta: number;
  readonly interval: { readonly low: number; readonly high: number };
  readonly p: number | null;
  readonly samples: number;
}

export interface OptimizeDocument {
  /** Present when the run failed, was cancelled, or one of its stages failed. */
  readonly error?: ErrorData;
  readonly run: string;
  readonly folder: string;
  readonly status: Manifest['status'];
  readonly recipe: Manifest['recipe'];
  /** Paths are absolute. */
  readonly models: readonly ModelFile[];
  readonly stages: readonly {
    readonly name: string;
    readonly status: string;
    readonly reason?: string;
    readonly error?: ErrorData;
    readonly ms: number | null;
    readonly peakRss: number | null;
  }[];
  readonly passes: readonly { readonly pass: string; readonly status: string; readonly reason?: string }[];
  /** null when it was not measured; `absent` says why. The worst over all outputs. */
  readonly fidelity: {
    readonly cosine: number | null;
    readonly sqnrDb: number | null;
    readonly maxAbs: number | null;
    readonly top1Agreement?: number;
    readonly samples: number;
    readonly inputs: string;
  } | null;
  /** The first metric; all of them are in `allMetrics`. */
  readonly metrics?: MetricRow;
  readonly allMetrics?: readonly MetricRow[];
  readonly latency: {
    readonly provider: string;
    readonly threads: number;
    readonly batch: number;
    readonly before: Stats | null;
    readonly after: Stats | null;
    readonly ratio: Verdict | null;
  } | null;
  readonly size: { readonly before: number; readonly after: number | null; readonly ratio: number | null } | null;
  readonly budgets: readonly BudgetRow[];
  /** Where targets were asked for; paths are in the folder `package` of the run. */
  readonly artifacts?: readonly Artifact[];
  readonly verdict: ReportDocument['verdict'] | null;
  /** Why a part is null: its status and reason. */
  readonly absent: Readonly<Record<string, { readonly status: string; readonly reason: string }>>;
  /** Path of `report.json`; null when the run made none. */
  readonly report: string | null;
}

/** `packages`: of a run without a report. */
export function optimizeDocument(
  folder: string,
  manifest: Manifest,
  report: ReportDocument | null,
  packages: PackageFacts | null = null,
): OptimizeDocument {
  const error = errorOf(manifest);
  const sections = report?.sections;
  const parts = {
    fidelity: sections?.fidelity,
    metrics: sections?.accuracy,
    latency: sections?.latency,
    size: sections?.size,
  };
  const metrics = metricRows(report);
  const [first] = metrics;
  return {
    ...(error === null ? {} : { error }),
    run: manifest.id,
    folder,
    status: manifest.status,
    recipe: manifest.recipe,
    models: manifest.models.map((model) => ({
      ...model,
      path: isAbsolute(model.path) ? model.path : join(folder, model.path),
    })),
    stages: manifest.stages.map(({ name, status, reason, error: failure, ms, peakRss }) => ({
      name,
      status,
      ...(reason === undefined ? {} : { reason }),
      ...(failure === undefined ? {} : { error: failure }),
      ms,
      peakRss,
    })),
    passes: passRows(report),
    fidelity: fidelityOf(report),
    ...(first === undefined ? {} : { metrics: first, allMetrics: metrics }),
    latency: latencyOf(report),
    size: sizeOf(report),
    budgets: report?.budgets ?? [],
    ...(packages === null ? artifactsOf(report) : { artifacts: packages.artifacts }),
    verdict: report?.verdict ?? null,
    absent: Object.fromEntries(Object.entries(parts).flatMap(([name, part]) => absence(name, part))),
    report: report === null ? null : join(folder, 'report.json'),
  };
}

/** 0, or the exit code of what failed, or 1 when a budget was missed or could not be checked, or an artifact is not right. */
export function exitCodeOfRun({ error, budgets, artifacts = [] }: OptimizeDocument): number {
  if (error !== undefined) return exitCodeOf(error.code);
  if (!packSucceeded({ artifacts: [...artifacts], sizes: [] })) return 1;
  return budgets.every(({ status }) => status === 'met') ? 0 : 1;
}

/** The error that ended the run, or that of the first stage that failed. */
function errorOf(manifest: Manifest): ErrorData | null {
  if (manifest.error !== undefined) return manifest.error;
  if (manifest.status === 'cancelled') {
    return {
      code: 'cancelled',
      kind: 'cancelled',
      message: 'The run was cancelled.',
      hint: `Resume it with: hone resume ${manifest.id}`,
    };
  }
  return manifest.stages.find(({ status }) => status === 'failed')?.error ?? null;
}

function passRows(report: ReportDocument | null): OptimizeDocument['passes'] {
  const rows = report === null ? [] : (dataOf(report.sections.passes)?.rows ?? []);
  return rows.map(({ pass, status, reason, counts, error }) => ({
    pass,
    status,
    ...(reason === undefined ? {} : { reason }),
    counts,
    ...(error === undefined ? {} : { error }),
  }));
}

function fidelityOf(report: ReportDocument | null): OptimizeDocument['fidelity'] {
  const data = report === null ? null : dataOf(report.sections.fidelity);
  if (data === null) return null;
  const { cosine, sqnrDb, maxAbs, top1Agreement } = data.worst;
  const { samples, inputs } = data;
  return { cosine, sqnrDb, maxAbs, ...(top1Agreement === null ? {} : { top1Agreement }), samples, inputs };
}

function metricRows(report: ReportDocument | null): MetricRow[] {
  const data = report === null ? null : dataOf(report.sections.accuracy);
  return (data?.metrics ?? []).map(({ name, before, after, delta, interval, p, samples }) => ({
    name,
    before,
    after,
    delta,
    interval,
    p,
    samples,
  }));
}

function latencyOf(report: ReportDocument | null): OptimizeDocument['latency'] {
  const pair = report === null ? undefined : dataOf(report.sections.latency)?.pairs[0];
  if (pair === undefined) return null;
  const { provider, threads, batch, before, after, ratio } = pair;
  return { provider, threads, batch, before: before.stats, after: after.stats, ratio };
}

function artifactsOf(report: ReportDocument | null): { artifacts?: readonly Artifact[] } {
  const data = report === null ? null : dataOf(report.sections.packages);
  return data === null ? {} : { artifacts: data.artifacts };
}

function sizeOf(report: ReportDocument | null): OptimizeDocument['size'] {
  const data = report === null ? null : dataOf(report.sections.size);
  if (data === null) return null;
  return { before: data.before.file, after: data.after?.file ?? null, ratio: data.ratio };
}

function absence(name: string, part: Outcome<unknown> | undefined): [string, { status: string; reason: string }][] {
  if (part === undefined) return [[name, { status: 'not-measured', reason: 'The run made no report.' }]];
  if (part.status === 'measured') return [];
  const reason = part.status === 'failed' ? part.error.message : part.reason;
  return [[name, { status: part.status, reason }]];
}
