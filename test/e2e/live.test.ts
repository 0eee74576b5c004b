/** What a run shows of itself while it works. The messages are made up, the host and the page are the real ones. */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Live } from '../../native-workers/protocol/live.ts';
import { launchChromium } from '../helpers/chromium.ts';
import { grant, type MadeUpStudio, manifest, startMadeUpStudio } from '../helpers/made-up-studio.ts';
import { StudioPage } from '../helpers/studio.ts';

let browser: Browser;
let made: MadeUpStudio;
let studio: StudioPage;

beforeAll(async () => {
  browser = await launchChromium();
});

afterAll(() => browser.close());

beforeEach(async () => {
  made = await startMadeUpStudio({
    'files.grantPath': ({ path }) => grant(path),
    'runs.manifest': () => manifest('run-x', 1, 'running'),
  });
  const page = await browser.newPage({ viewport: { width: 1000, height: 800 } });
  studio = new StudioPage(page, process.pid, () => page.close());
  await page.goto(made.host.address);
  await page.getByRole('navigation', { name: 'Navigation' }).waitFor();
  await page.goto(`${new URL(made.host.address).origin}/#/run/run-x/progress`);
  await studio.heading('Stages').waitFor();
});

afterEach(async () => {
  await studio.close();
  await made.close();
  expect(studio.troubles).toEqual([]);
});

function tell(phase: string, live?: Live): void {
  made.emit({
    type: 'progress',
    run: 'run-x',
    stage: 'optimize',
    progress: { phase, done: 1, total: 4, detail: 'working', ...(live === undefined ? {} : { live }) },
  });
}

const pane = (name: RegExp) => studio.page.getByRole('region', { name });

describe('a running pass', () => {
  it('shows its ranges as they grow, until it does something else', async () => {
    tell('Static INT8', { kind: 'ranges', total: 30, ranges: [{ value: 'relu', min: 0, max: 2.5 }] });
    await pane(/^Ranges so far/)
      .getByText('0 … 2.5')
      .waitFor();
    tell('Static INT8', { kind: 'ranges', total: 30, ranges: [{ value: 'relu', min: 0, max: 3.5 }] });
    await pane(/^Ranges so far/)
      .getByText('0 … 3.5')
      .waitFor();
    // Steps that tell nothing leave what was seen.
    tell('Static INT8');
    await pane(/^Ranges so far/)
      .getByText('0 … 3.5')
      .waitFor();
    tell('writing the model');
    await pane(/^Ranges so far/).waitFor({ state: 'detached' });
  });

  it('shows the most sensitive layers, whatever they are called', async () => {
    const node = `"><img src=x onerror=alert(1)>${'long/'.repeat(60)}`;
    tell('INT8 with search', { kind: 'sensitivity', total: 5, layers: [{ node, change: 0.25 }] });
    await pane(/^Most sensitive layers so far of 5 measured/)
      .getByText('0.25')
      .waitFor();
    expect(await studio.page.locator('img[src="x"]').count()).toBe(0);
    expect(await studio.page.evaluate(() => document.documentElement.scrollWidth)).toBe(1000);
  });

  it('marks the best model so far: the most in INT8 that keeps the accuracy, else the nearest to it', async () => {
    const search = (drops: readonly number[]): Live => ({
      kind: 'search',
      metric: 'top-1',
      maximumDrop: 0.2,
      points: drops.map((drop, float) => ({ float, drop, bytes: 1e6 })),
    });
    const best = pane(/^Models so far/)
      .getByRole('listitem')
      .filter({ hasText: 'best so far' });
    tell('INT8 with search', search([0.9, 0.4]));
    await expect.poll(() => best.textContent()).toContain('1 layer float');
    tell('INT8 with search', search([0.9, 0.4, 0.1, 0]));
    await expect.poll(() => best.textContent()).toContain('2 layers float');
    expect(await best.count()).toBe(1);
    await studio.screenshot('run-live-search');
  });
});
