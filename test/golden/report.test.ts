/** Reports of checked-in stage files, word for word: any change of what readers see is a change of these files. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderCsv } from '../../native-workers/report/csv.ts';
import { reportDocumentSchema } from '../../native-workers/report/document.ts';
import { renderMarkdown } from '../../native-workers/report/markdown.ts';
import { GOLDEN_RUNS, goldenFolder, goldenReport } from '../helpers/report-runs.ts';

const UPDATE = process.env['HONE_UPDATE_GOLDEN'] === '1';
const COMMAND = 'HONE_UPDATE_GOLDEN=1 npx vitest run test/golden/report.test.ts';

function expectGolden(path: string, text: string): void {
  if (UPDATE) writeFileSync(path, text);
  const golden = existsSync(path) ? readFileSync(path, 'utf8') : '';
  expect(text, `The report changed. If that is meant, run: ${COMMAND}`).toBe(golden);
}

describe.each(GOLDEN_RUNS)('report of %s', (run) => {
  it('is the golden document', async () => {
    const report = await goldenReport(run);
    expect(() => reportDocumentSchema.parse(JSON.parse(JSON.stringify(report)))).not.toThrow();
    // The evidence is the stage files themselves, which stand beside.
    const { evidence: _evidence, ...computed } = report;
    expectGolden(join(goldenFolder(run), 'report.golden.json'), `${JSON.stringify(computed, null, 1)}\n`);
  });

  it('is the golden Markdown', async () => {
    expectGolden(join(goldenFolder(run), 'report.golden.md'), renderMarkdown(await goldenReport(run)));
  });

  it('is the golden CSV', async () => {
    expectGolden(join(goldenFolder(run), 'report.golden.csv'), renderCsv(await goldenReport(run)));
  });
});
