/** The run folders in test/golden/report, and the reports of them: real shapes, checked in, without a model. */
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { buildReport } from '../../native-workers/report/build.ts';
import type { ReportDocument } from '../../native-workers/report/document.ts';
import { readManifest, readStageFacts } from '../../native-workers/report/facts-files.ts';
import { readViewAssets, type ViewAssets } from '../../native-workers/report/html.ts';
import type { ReportManifest, StageFacts } from '../../native-workers/report/input.ts';
import { ROOT } from './sources.ts';

export const GOLDEN_RUNS = ['mobilenet-int8', 'resnet-float16', 'failed-hostile-names'] as const;
export type GoldenRun = (typeof GOLDEN_RUNS)[number];

export function goldenFolder(run: GoldenRun): string {
  return join(ROOT, 'test', 'golden', 'report', run);
}

export async function goldenInput(run: GoldenRun): Promise<{ manifest: ReportManifest; facts: StageFacts }> {
  return (await goldenReport(run)).evidence;
}

export async function goldenReport(run: GoldenRun): Promise<ReportDocument> {
  const manifest = await readManifest(goldenFolder(run));
  return buildReport(manifest, await readStageFacts(goldenFolder(run), manifest));
}

const VIEW = join(ROOT, 'dist', 'report-view');
const VIEW_SOURCES = ['renderer/report-view', 'renderer/charts', 'renderer/styles', 'native-workers/report'];

/** The report view as it ships; built first when its sources are newer than what was built. */
export async function builtViewAssets(): Promise<ViewAssets> {
  const built = modified(join(VIEW, 'report-view.js'));
  const files = VIEW_SOURCES.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(ROOT, folder, name)),
  );
  if (files.some((file) => modified(file) > built)) {
    // Vitest's own NODE_ENV would make this a build for development.
    const { NODE_ENV: _test, ...env } = process.env;
    const { status, stderr } = spawnSync(process.execPath, ['build.ts', 'report-view'], {
      cwd: ROOT,
      env,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`The report view could not be built: ${stderr}`);
  }
  return readViewAssets(VIEW);
}

function modified(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** A view that does nothing: for tests of the file around it. */
export const EMPTY_VIEW: ViewAssets = { script: 'void 0;', style: 'p{margin:0}' };
