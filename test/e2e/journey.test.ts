/**
 * The main job as a user does it, with real workers: drop, inspect, choose, run, read the report, check it, run again, cancel,
 * resume, compare, open the saved report, delete. The same over every host. The steps build on each other, in one studio.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { servedStudio } from '../helpers/served-studio.ts';
import { ROOT, type StudioPage, studioHosts } from '../helpers/studio.ts';

const SAMPLE = join(ROOT, 'assets/samples/printed-letters');
const MODEL = join(SAMPLE, 'model.onnx');

describe.each(studioHosts())('the studio over the %s host', (host) => {
  const served = servedStudio(host);
  let folder: string;
  let studio: StudioPage;
  let first: string;
  let second: string;

  beforeAll(() => {
    ({ folder, studio } = served);
  });

  it('teaches on an empty library', async () => {
    await studio.heading('Drop a model here to begin').waitFor();
    await studio.screenshot('journey-empty');
  });

  it('shows what a dropped model is', async () => {
    await studio.openModel(MODEL);
    const inputs = studio.page.getByRole('region', { name: 'Inputs' });
    expect(await inputs.textContent()).toMatch(/float32.*3 × 32 × 32/);
    const tensors = studio.page.getByRole('table', { name: 'Largest tensors' });
    expect(await tensors.getByRole('row').count()).toBeGreaterThan(5);
    expect(await studio.page.getByRole('rowheader', { name: 'Conv' }).count()).toBe(1);
    await studio.screenshot('journey-model');
  });

  it('prepares a run: preset, data, preprocessing, time', async () => {
    await studio.choosePreset('INT8, dynamic');
    expect(await studio.page.getByRole('button', { name: /^Options|Clean up/ }).count()).toBeGreaterThan(0);
    await studio.evaluateOn(SAMPLE);
    await expect.poll(() => studio.page.getByLabel('Height', { exact: true }).inputValue()).toBe('32');
    await studio.button('Look at Evaluation').click();
    const preview = studio.page.getByRole('dialog');
    await preview.getByText('520 samples, labelled with 26 classes').waitFor();
    expect(await preview.getByRole('img').count()).toBe(24);
    await studio.screenshot('journey-preview');
    await studio.button('Close').click();
    await studio.fill('Most samples', '60');
    await studio.fill('Time for it', '2');
    await studio.page.getByRole('checkbox', { name: 'ONNX Runtime Mobile' }).click();
    await studio.button('Check coverage').click();
    await studio.page.getByText(/^Covers all \d+ nodes\.$/).waitFor();
    const sentence = await studio.page.locator('.bar-text').textContent();
    expect(sentence).toContain('compares before and after on test.zip');
    expect(sentence).toContain('for 2 s');
    expect(sentence).toContain('packages it for ONNX Runtime Mobile');
    await studio.screenshot('journey-recipe');
  });

  it('runs with live stages and shows the report at the end', async () => {
    first = await studio.run();
    await studio.page.getByRole('list').getByText('Optimize').first().waitFor();
    await studio.screenshot('journey-running');
    await studio.ended('Done');
    await studio.heading('Before and after').waitFor();
    const report = studio.page.getByRole('region', { name: 'Report', exact: true });
    expect(await report.textContent()).toContain('top-1');
    const checks = studio.page.getByRole('table', { name: /Each on its own runtime/ });
    for (const name of [/^ort, \S+(?<!opt)\.ort ONNX Runtime \d/, /^ort, \S+\.with_runtime_opt\.ort ONNX Runtime \d/])
      expect(await checks.getByRole('row', { name }).textContent()).toContain('passed');
    await studio.screenshot('journey-report');
  });

  it('verifies the report', async () => {
    await studio.button('Verify').click();
    await studio.page.getByText('Verified.', { exact: true }).waitFor();
    expect(await studio.page.locator('.verification').textContent()).toMatch(/(\d+) of \1 checks passed/);
    await studio.screenshot('journey-verified');
    await studio.button('Dismiss').click();
  });

  it.runIf(host === 'browser')('gives the report away in every format', async () => {
    for (const [item, end] of [
      [/Web page/, 'html'],
      [/Markdown/, 'md'],
      [/Table/, 'csv'],
      [/Data/, 'json'],
    ] as const) {
      await studio.button('Export').click();
      const download = studio.page.waitForEvent('download');
      await studio.page.getByRole('menuitem', { name: item }).click();
      const file = join(folder, `report.${end}`);
      await (await download).saveAs(file);
      expect((await readFile(file)).length).toBeGreaterThan(200);
    }
  });

  it('runs again from an earlier run, is cancelled, says so, and resumes', async () => {
    await studio.button('Use the recipe again').click();
    await studio.page.getByRole('tab', { name: 'Recipe and run' }).waitFor();
    await studio.page.getByText('test.zip', { exact: true }).waitFor();
    expect(await studio.page.getByRole('checkbox', { name: 'ONNX Runtime Mobile' }).isChecked()).toBe(true);
    expect(await studio.page.getByLabel('Most samples', { exact: true }).inputValue()).toBe('60');
    await studio.choosePreset('Clean up');
    // Long enough to be cancelled in.
    await studio.fill('Time for it', '15');
    second = await studio.run();
    expect(second).not.toBe(first);
    await studio.page.locator('.stage-running .stage-title', { hasText: 'Benchmark' }).waitFor();
    await studio.button('Cancel').click();
    await studio.ended('Cancelled');
    await studio.heading('The run was cancelled').waitFor();
    await studio.screenshot('journey-cancelled');
    expect(await studio.page.locator('.stage-done').count()).toBeGreaterThanOrEqual(2);
    await studio.page.getByRole('tab', { name: 'Report' }).click();
    await studio.screenshot('journey-no-report');
  });

  it('keeps the runs in the library, found by search', async () => {
    await studio.openLibrary();
    await studio.row(/INT8, dynamic/).waitFor();
    await studio.row(/Cancelled/).waitFor();
    await studio.page.getByRole('searchbox').fill('dynamic');
    await studio.row(/Cancelled/).waitFor({ state: 'detached' });
    expect(await studio.row(/INT8, dynamic/).count()).toBe(1);
    await studio.page.getByRole('searchbox').fill('no such run');
    await studio.heading(/No run matches/).waitFor();
    await studio.button('Clear the search').click();
    await studio.row(/Cancelled/).waitFor();
    await studio.screenshot('journey-library');
  });

  it('resumes the cancelled run after the page was loaded again', async () => {
    await studio.page.reload();
    await studio.openLibrary();
    await studio.row(/Cancelled/).click();
    await studio.heading('The run was cancelled').waitFor();
    // The log was written before this page was there.
    await studio.page.getByRole('log').getByText('inspect').first().waitFor();
    await studio.button('Resume').click();
    await studio.page.locator('.screen-head').getByText('Running', { exact: true }).waitFor();
    await studio.ended('Done');
    await studio.heading('Before and after').waitFor();
  });

  it('compares a run with the previous one of the same model', async () => {
    await studio.openLibrary();
    await studio
      .row(/Clean up/)
      .getByRole('button', { name: /^Actions/ })
      .click();
    await studio.page.getByRole('menuitem', { name: 'Compare with the previous run' }).click();
    await studio.heading('What was measured').waitFor();
    const differences = await studio.page.getByRole('region', { name: 'What differs' }).textContent();
    expect(differences).toContain('INT8, dynamic');
    expect(differences).toContain('Clean up');
    await studio.screenshot('journey-compare');
  });

  it('opens a saved report from its file', async () => {
    const saved = join(folder, 'from-elsewhere.json');
    await writeFile(saved, await readFile(join(folder, 'library/runs', first, 'report.json')));
    await studio.drop([saved]);
    await studio.heading('Opened report').waitFor();
    await studio.heading('Before and after').waitFor();
    await studio.button('Verify').click();
    await studio.page.getByText('Verified.', { exact: true }).waitFor();
  });

  it('refuses what is no report, and stays up', async () => {
    const wrong = join(folder, 'wrong.json');
    await writeFile(wrong, '{"kind":"something else"}');
    await studio.drop([wrong]);
    await studio.page.getByRole('alert').getByText('Not a report').waitFor();
    await studio.screenshot('journey-wrong-report');
  });

  it('refuses a damaged model with what to do, and stays up', async () => {
    const cut = join(folder, 'cut.onnx');
    await writeFile(cut, (await readFile(MODEL)).subarray(0, 300_000));
    await studio.drop([cut]);
    // The alert of the test before stays until this file was read, so the code is waited for.
    const alert = studio.page.getByRole('alert').filter({ hasText: /file-truncated|file-corrupt/ });
    await alert.waitFor();
    expect(await alert.textContent()).toContain('What to do');
    await studio.screenshot('journey-damaged');
  });

  it('deletes a run when asked twice', async () => {
    await studio.openLibrary();
    await studio.row(/Clean up/).focus();
    await studio.page.keyboard.press('Delete');
    const dialog = studio.page.getByRole('alertdialog');
    await studio.button('Cancel', dialog).click();
    expect(await studio.row(/Clean up/).count()).toBe(1);
    await studio.row(/Clean up/).focus();
    await studio.page.keyboard.press('Delete');
    await studio.button('Delete', dialog).click();
    await studio.row(/Clean up/).waitFor({ state: 'detached' });
    expect(await studio.row(/INT8, dynamic/).count()).toBe(1);
  });
});
