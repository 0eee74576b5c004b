/** A run as one line of a list: from its manifest, and the numbers from its report. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { toHoneError } from '../protocol/errors.ts';
import type { Manifest } from '../protocol/facts.ts';
import type { RunSummary } from '../protocol/studio.ts';
import { REPORT, readManifest } from './run-store.ts';

/** What a line shows of a `ReportDocument`; everything else may be of any version. */
const reportSchema = z.object({
  verdict: z.object({ speed: z.string() }),
  table: z.array(
    z.object({
      id: z.string(),
      before: z.object({ value: z.number().optional() }),
      after: z.object({ value: z.number().optional() }),
    }),
  ),
});
type ReportNumbers = z.infer<typeof reportSchema>;

const METRIC_ROW = 'metric-';
const verdictSchema = z.enum(['faster', 'slower', 'inconclusive']);

/** Never throws: a damaged run is a line too, so that it can be seen and deleted. */
export async function readSummary(folder: string, id: string): Promise<RunSummary> {
  try {
    return summarize(await readManifest(folder), await readReport(folder));
  } catch (thrown) {
    return damaged(id, toHoneError(thrown).message);
  }
}

async function readReport(folder: string): Promise<ReportNumbers | null> {
  try {
    return reportSchema.safeParse(JSON.parse(await readFile(join(folder, REPORT), 'utf8'))).data ?? null;
  } catch {
    // None yet, or damaged, which opening it will tell.
    return null;
  }
}

export function summarize(manifest: Manifest, report: ReportNumbers | null): RunSummary {
  const row = (id: string) => report?.table.find((entry) => entry.id === id);
  const size = row('size');
  const latency = row('latency-p50');
  const metric = report?.table.find((entry) => entry.id.startsWith(METRIC_ROW));
  const [before, after] = [metric?.before.value, metric?.after.value];
  return {
    id: manifest.id,
    title: manifest.title,
    status: manifest.status,
    created: manifest.created,
    model: manifest.source.name,
    modelSha256: manifest.source.sha256,
    recipe: manifest.recipe.title ?? manifest.recipe.name,
    sizeBefore: size?.before.value ?? manifest.source.bytes,
    sizeAfter: size?.after.value ?? manifest.models.findLast((model) => model.parent !== null)?.bytes ?? null,
    msBefore: latency?.before.value ?? null,
    msAfter: latency?.after.value ?? null,
    verdict: verdictSchema.safeParse(report?.verdict.speed).data ?? null,
    metric:
      metric === undefined || before === undefined || after === undefined
        ? null
        : { name: metric.id.slice(METRIC_ROW.length), before, after },
  };
}

function damaged(id: string, why: string): RunSummary {
  return {
    id,
    title: `${basename(id)}, damaged: ${why}`,
    status: 'failed',
    created: '',
    model: '',
    modelSha256: '',
    recipe: '',
    sizeBefore: null,
    sizeAfter: null,
    msBefore: null,
    msAfter: null,
    verdict: null,
    metric: null,
  };
}
