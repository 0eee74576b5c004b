/**
 * Packages for devices as they are made, with real workers and runtimes: the table fills while it is watched, is there again when the
 * page is loaded during the run, and keeps what was made of a run that is cancelled.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type PackageFacts, packageFactsSchema } from '../../native-workers/protocol/package-facts.ts';
import { servedStudio } from '../helpers/served-studio.ts';
import { ROOT, type StudioPage, studioHosts } from '../helpers/studio.ts';

const SAMPLE = join(ROOT, 'assets/samples/printed-letters');
const TARGETS = ['ONNX Runtime Mobile', 'TensorFlow Lite', 'Core ML'];

describe.each(studioHosts())('packages in the studio over the %s host', (host) => {
  const served = servedStudio(host);
  let folder: string;
  let studio: StudioPage;

  beforeAll(async () => {
    ({ folder, studio } = served);
    await studio.openModel(join(SAMPLE, 'model.onnx'));
    await studio.choosePreset('Clean up');
    await studio.evaluateOn(SAMPLE);
    await studio.fill('Most samples', '60');
    await studio.fill('Time for it', '1');
    for (const name of TARGETS) await studio.page.getByRole('checkbox', { name }).click();
  });

  const table = () => studio.page.getByRole('region', { name: /^Targets/ });
  const row = (name: RegExp) => table().getByRole('row', { name });
  const factsOf = async (run: string): Promise<PackageFacts> =>
    packageFactsSchema.parse(JSON.parse(await readFile(join(folder, 'library/runs', run, '05-package.json'), 'utf8')));

  it('fills the table while it is watched, and again after the page was loaded', async () => {
    await studio.run();
    await row(/^Core ML Waiting/).waitFor({ timeout: 110_000 });
    await row(/^ONNX Runtime \d.* Running/).waitFor();
    await row(/^ONNX Runtime Mobile all \d+ nodes, [\d.]+ MB Done/).waitFor();
    await row(/^top-1 on your data 9\d\.\d+ % → 9\d\.\d+ %/)
      .first()
      .waitFor();
    await studio.screenshot('packages-running');
    await studio.page.reload();
    // It was done before this page was there.
    await row(/^ONNX Runtime Mobile all \d+ nodes, [\d.]+ MB Done/).waitFor();
    await row(/^LiteRT .* 11 .* Passed/).waitFor();
    await studio.ended('Done');
    await studio.heading('Packages for devices').waitFor();
    const checks = studio.page.getByRole('table', { name: /Each on its own runtime/ });
    expect(await checks.getByRole('row', { name: /passed/ }).count()).toBeGreaterThanOrEqual(3);
    const { artifacts } = await factsOf(studio.runId());
    expect(artifacts.map(({ status, verified }) => [status, verified?.status])).toEqual(
      TARGETS.map(() => ['made', 'passed']),
    );
    await studio.page.getByRole('heading', { name: 'Packages for devices' }).scrollIntoViewIfNeeded();
    await studio.screenshot('packages-report');
  });

  it('keeps what was made of a run that is cancelled, and shows it to whoever comes later', async () => {
    await studio.button('Use the recipe again').click();
    await studio.page.getByRole('tab', { name: 'Recipe and run' }).waitFor();
    await studio.page.getByText('test.zip', { exact: true }).waitFor();
    const run = await studio.run();
    await row(/^ONNX Runtime Mobile .* Done/).waitFor({ timeout: 110_000 });
    await studio.button('Cancel').click();
    await studio.ended('Cancelled');
    const { artifacts } = await factsOf(run);
    expect(artifacts.map(({ target }) => target)).toEqual(['ort', 'tflite', 'coreml']);
    expect([artifacts[0]?.status, artifacts[0]?.verified?.status]).toEqual(['made', 'passed']);
    expect(artifacts[2]?.status).toBe('cancelled');
    await studio.page.reload();
    await row(/^ONNX Runtime Mobile .* Done/).waitFor();
    await row(/^Core ML Not made/).waitFor();
    await studio.page.getByRole('region', { name: /^Targets [12] of 3 done/ }).waitFor();
    await studio.screenshot('packages-cancelled');
    await studio.button('Resume').click();
    await studio.ended('Done');
    expect((await factsOf(run)).artifacts.map(({ status }) => status)).toEqual(['made', 'made', 'made']);
  });
});
