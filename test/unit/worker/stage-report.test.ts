import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openReport } from '../../../native-workers/report/read.ts';
import { verify } from '../../../native-workers/report/verify.ts';
import type { JobContext } from '../../../native-workers/worker/job.ts';
import { stageReport } from '../../../native-workers/worker/stage-report.ts';
import { type GoldenRun, goldenFolder, goldenReport } from '../../helpers/report-runs.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

async function runStage(run: GoldenRun, damage: (folder: string) => void = () => undefined): Promise<string> {
  const folder = temporaryFolder();
  cpSync(goldenFolder(run), folder, { recursive: true });
  damage(folder);
  const context = { progress: async () => undefined, log: () => undefined } as Partial<JobContext> as JobContext;
  const recipe = { schema: 1 as const, name: 'none', steps: [] };
  const request = { model: 'unused.onnx', recipe, seed: 0, benchmark: {}, budgets: {} };
  expect(await stageReport({ run: folder, file: join(folder, 'report.json'), request }, context)).toEqual({
    models: [],
  });
  return folder;
}

describe('stage-report', () => {
  it.each(['mobilenet-int8', 'failed-hostile-names'] as const)('writes the report of %s in every form', async (run) => {
    const folder = await runStage(run);
    const { document } = await openReport(join(folder, 'report.json'));
    expect(document.digest).toBe((await goldenReport(run)).digest);
    expect(readFileSync(join(folder, 'report.md'), 'utf8')).toContain(document.evidence.manifest.source.sha256);
    expect(JSON.parse(readFileSync(join(folder, 'recipe.json'), 'utf8'))).toEqual(document.evidence.manifest.recipe);
    if (existsSync(join(folder, 'report.html'))) {
      expect((await openReport(join(folder, 'report.html'))).document).toEqual(document);
    }
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    const { checks } = await verify(folder);
    expect(checks.filter(({ status }) => status === 'failed')).toEqual([]);
  });

  it('refuses facts that are not those of a stage', async () => {
    const damaged = runStage('mobilenet-int8', (folder) =>
      writeFileSync(join(folder, '04-benchmark.json'), '{"order":[]}'),
    );
    await expect(damaged).rejects.toMatchObject({
      code: 'run-corrupt',
      where: { file: expect.stringContaining('04-benchmark.json') },
    });
  });
});
