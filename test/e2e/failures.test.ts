/** What goes wrong around a run, made on purpose with real processes: the studio says it, stays up, and loses nothing. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStudio, ROOT, type StudioPage, serve, studioHosts } from '../helpers/studio.ts';

const MODEL = join(ROOT, 'assets/samples/printed-letters/model.onnx');

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hone-e2e-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('the browser host', () => {
  it('does not start on a library that is a file, and says so', async () => {
    const library = join(folder, 'library');
    await writeFile(library, 'not a folder');
    await expect(serve(library)).rejects.toThrow(/no-permission/);
  });
});

describe.each(studioHosts())('the studio over the %s host', (host) => {
  let studio: StudioPage;

  beforeEach(async () => {
    studio = await openStudio(host, { library: join(folder, 'library') });
  });

  afterEach(async () => {
    await studio?.close();
  });

  it('shows the death of a worker as the end of its run, and resumes it', async () => {
    await studio.openModel(MODEL);
    await studio.choosePreset('Clean up');
    await studio.fill('Time for it', '8');
    await studio.run();
    await studio.page.locator('.stage-running .stage-title', { hasText: 'Benchmark' }).waitFor();
    await studio.page.locator('.stage-progress').getByText('/').waitFor();
    for (const worker of descendants(studio.pid)) kill(worker);
    const alert = studio.page.locator('.run-column').getByRole('alert').first();
    await alert.waitFor();
    expect(await alert.textContent()).toMatch(/worker-crashed|worker-out-of-memory/);
    await studio.screenshot('failures-worker');
    await studio.button('Resume').click();
    await studio.page.locator('.stage-running').waitFor();
    await studio.ended('Done');
    await studio.page.getByRole('tab', { name: 'Stages and log' }).click();
    expect(await studio.page.locator('.stage-done').count()).toBe(5);
    expect(policyTroubles(studio)).toEqual([]);
  });

  it('shows that the library is gone, and works again when it is back', async () => {
    await studio.openModel(MODEL);
    await studio.choosePreset('Clean up');
    await studio.fill('Time for it', '1');
    const library = join(folder, 'library');
    await rename(library, join(folder, 'elsewhere'));
    await writeFile(library, 'in the way');
    await studio.button('Run').click();
    await studio.page.getByRole('alert').getByText('What to do').waitFor();
    await studio.screenshot('failures-library');
    await rm(library);
    await rename(join(folder, 'elsewhere'), library);
    await studio.button('Dismiss').click();
    await studio.run();
    await studio.ended('Done');
    expect(policyTroubles(studio)).toEqual([]);
  });

  it('handles several runs at once, each with its own progress', async () => {
    await studio.openModel(MODEL);
    await studio.choosePreset('Clean up');
    await studio.fill('Time for it', '3');
    const first = await studio.run();
    await studio.link('New run').click();
    await studio.choosePreset('Float16, weights only');
    const second = await studio.run();
    expect(second).not.toBe(first);
    const running = studio.page.getByRole('region', { name: 'Running' }).getByRole('link');
    await expect.poll(() => running.count()).toBe(2);
    await studio.screenshot('failures-two-runs');
    await studio.ended('Done');
    await studio.openLibrary();
    await expect.poll(() => studio.row(/Done/).count(), { timeout: 60_000 }).toBe(2);
    expect(studio.troubles).toEqual([]);
  });

  it.runIf(host === 'browser')('keeps the screen when the engine is killed, and says so', async () => {
    await studio.openModel(MODEL);
    kill(studio.pid);
    await studio.page
      .getByRole('alert')
      .getByText(/connection to the engine is lost/)
      .waitFor();
    await studio.page.getByText('Connection lost').waitFor();
    await studio.heading('Summary').waitFor();
    await studio.page.getByRole('tab', { name: 'Recipe and run' }).click();
    expect(await studio.button('Run').isDisabled()).toBe(true);
    await studio.button('Connect now').click();
    await studio.screenshot('failures-lost');
    await studio.page.reload().catch(() => undefined);
    expect(policyTroubles(studio)).toEqual([]);
  });
});

/** A connection that is refused is an error of the console too; what must never be is a violation or a foreign request. */
function policyTroubles(studio: StudioPage) {
  return studio.troubles.filter((trouble) => trouble.kind !== 'console-error');
}

/** Processes below one, the deepest last. */
function descendants(pid: number): number[] {
  const rows = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const below = (parent: number): number[] =>
    rows.flatMap(([child = -1, its = -1]) => (its === parent ? [child, ...below(child)] : []));
  return below(pid);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
