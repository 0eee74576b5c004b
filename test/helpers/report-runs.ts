/** The run folders in test/golden/report, and the reports of them: real shapes, checked in, without a model. */
import { join } from 'node:path';
import { build } from 'vite';
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

/** Builds the report view as `npm run build:report` does, into a folder of its own, and reads it. */
export async function buildViewAssets(folder: string): Promise<ViewAssets> {
  await build({
    configFile: false,
    root: ROOT,
    publicDir: false,
    logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"production"' },
    build: {
      target: 'es2022',
      outDir: folder,
      emptyOutDir: true,
      lib: {
        entry: 'renderer/report-view/standalone.tsx',
        name: 'honeReport',
        formats: ['iife'],
        fileName: () => 'report-view.js',
        cssFileName: 'report-view',
      },
    },
  });
  return readViewAssets(folder);
}

/** A view that does nothing: for tests of the file around it. */
export const EMPTY_VIEW: ViewAssets = { script: 'void 0;', style: 'p{margin:0}' };
