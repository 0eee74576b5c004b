/** The report stage of a run: computes the report from the facts of the earlier stages and writes it in every form. */
import { basename, join } from 'node:path';
import { writeFileAtomic } from '../lib/atomic-file.ts';
import { reportViewFolder } from '../lib/program-files.ts';
import { toHoneError } from '../protocol/errors.ts';
import { buildReport } from '../report/build.ts';
import { readManifest, readStageFacts } from '../report/facts-files.ts';
import { readViewAssets, renderHtml } from '../report/html.ts';
import { renderMarkdown } from '../report/markdown.ts';
import { dataOf } from '../report/outcome.ts';
import type { Job } from './job.ts';

export const stageReport: Job<'stage-report'> = async ({ run, file }, context) => {
  await context.progress({ phase: 'reading the facts', done: 0, total: 2 });
  const manifest = await readManifest(run);
  const report = buildReport(manifest, await readStageFacts(run, manifest));

  await context.progress({ phase: 'writing the report', done: 1, total: 2 });
  await writeFileAtomic(join(run, basename(file)), JSON.stringify(report));
  await writeFileAtomic(join(run, 'report.md'), renderMarkdown(report));
  for (const { name, content } of dataOf(report.sections.reproduce)?.files ?? []) {
    await writeFileAtomic(join(run, name), `${JSON.stringify(content, null, 2)}\n`);
  }
  try {
    await writeFileAtomic(join(run, 'report.html'), renderHtml(report, await readViewAssets(reportViewFolder())));
  } catch (thrown) {
    // The numbers are safe in report.json; a page can be made of it at any time.
    const error = toHoneError(thrown);
    if (error.code !== 'studio-not-built') throw error;
    context.log(
      'warning',
      `report.html was not written: ${error.message} Build it with npm run build:report, then use hone report.`,
    );
  }
  return { models: [] };
};
