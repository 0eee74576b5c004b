/**
 * Saved reports in a real browser, opened from the disk as a reader would: no request, no violation of the policy, nothing
 * run that a name carries, and usable by keyboard, by screen reader, on paper and without scripts.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { renderHtml, type ViewAssets } from '../../native-workers/report/html.ts';
import { verify } from '../../native-workers/report/verify.ts';
import { launchChromium } from '../helpers/chromium.ts';
import { builtViewAssets, GOLDEN_RUNS, type GoldenRun, goldenReport } from '../helpers/report-runs.ts';
import { temporaryFolder } from '../helpers/temp.ts';

let browser: Browser;
let view: ViewAssets;

beforeAll(async () => {
  view = await builtViewAssets();
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
});

interface Opened {
  readonly page: Page;
  readonly path: string;
  /** Everything that must not happen: requests besides the file, messages of the console, errors, dialogs. */
  readonly incidents: string[];
}

async function open(run: GoldenRun, options: BrowserContextOptions = {}): Promise<Opened> {
  const path = join(temporaryFolder(), 'report.html');
  writeFileSync(path, renderHtml(await goldenReport(run), view));
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const incidents: string[] = [];
  const url = pathToFileURL(path).href;
  page.on('request', (request) => {
    if (request.url() !== url && !request.url().startsWith('data:,'))
      incidents.push(`request ${request.url().slice(0, 200)}`);
  });
  page.on('console', (message) => incidents.push(`console ${message.text()}`));
  page.on('pageerror', (error) => incidents.push(`error ${error.message}`));
  page.on('dialog', async (dialog) => {
    incidents.push(`dialog ${dialog.message()}`);
    await dialog.dismiss();
  });
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => {
      const found: string[] = JSON.parse(document.documentElement.getAttribute('data-violations') ?? '[]');
      const words = `${event.violatedDirective} ${event.blockedURI}`;
      document.documentElement.setAttribute('data-violations', JSON.stringify([...found, words]));
    });
  });
  await page.goto(url);
  if (options.javaScriptEnabled !== false) {
    const shown = page.locator('article.report').waitFor({ timeout: 10_000 });
    await shown.catch(() => expect(incidents, 'The report was not shown.').toEqual(['a report']));
  }
  return { page, path, incidents };
}

const violationsOf = async (page: Page): Promise<string | null> => page.locator('html').getAttribute('data-violations');

describe.each(GOLDEN_RUNS)('report of %s on file://', (run) => {
  it('asks for nothing and violates nothing', async () => {
    const { page, path, incidents } = await open(run);
    await page.mouse.move(400, 400);
    for (const details of await page.locator('details').all())
      await details.evaluate((element) => element.setAttribute('open', ''));
    for (const chart of await page.locator('.chart').all()) await chart.hover();
    expect(incidents).toEqual([]);
    expect(await violationsOf(page)).toBeNull();
    expect((await verify(path)).status).toBe('verified');
  });

  it('has headings in order, landmarks, captions and described charts', async () => {
    const { page } = await open(run);
    const levels = await page
      .locator('h1,h2,h3,h4')
      .evaluateAll((all) => all.map((heading) => Number(heading.tagName[1])));
    expect(levels.filter((level) => level === 1)).toHaveLength(1);
    for (const [index, level] of levels.entries()) {
      expect(level, `heading ${index}`).toBeLessThanOrEqual((levels[index - 1] ?? 0) + 1);
    }
    expect(await page.locator('main').count()).toBe(1);
    expect(await page.locator('nav[aria-label]').count()).toBe(1);
    const unnamed = await page
      .locator('table')
      .evaluateAll((all) => all.filter((table) => !table.querySelector('caption')?.textContent).length);
    expect(unnamed).toBe(0);
    const bare = await page
      .locator('tbody tr')
      .evaluateAll((all) => all.filter((row) => row.querySelector('th[scope=row]') === null).length);
    expect(bare).toBe(0);
    const charts = await page
      .locator('.chart')
      .evaluateAll((all) =>
        all.map((chart) => [chart.getAttribute('role'), (chart.getAttribute('aria-label') ?? '').length > 20]),
      );
    expect(charts.every(([role, described]) => role === 'img' && described === true)).toBe(true);
    const ids = await page.locator('[id]').evaluateAll((all) => all.map((element) => element.id));
    expect(new Set(ids).size).toBe(ids.length);
    const targets = await page
      .locator('nav a')
      .evaluateAll((all) => all.map((link) => link.getAttribute('href')?.slice(1)));
    expect(targets.filter((id) => id === undefined || !ids.includes(id))).toEqual([]);
  });

  it('says what matters without scripts', async () => {
    const { page, incidents } = await open(run, { javaScriptEnabled: false });
    const report = await goldenReport(run);
    expect(await page.locator('.report-verdict').textContent()).toBe(report.verdict.sentence);
    expect(await page.locator('table caption').first().textContent()).toBe('Before and after');
    expect(incidents).toEqual([]);
  });
});

describe('hostile names', () => {
  it('are text wherever they stand', async () => {
    const { page } = await open('failed-hostile-names');
    for (const details of await page.locator('details').all())
      await details.evaluate((element) => element.setAttribute('open', ''));
    expect(await page.locator('img, iframe, object, embed, a[href^="javascript"]').count()).toBe(0);
    const text = await page.locator('article').textContent();
    expect(text).toContain('</script><img src=x onerror=alert(1)>');
    expect(text).toContain('[U+202E]');
    expect(text).not.toContain('\u202e');
  });

  it('do not widen the page', async () => {
    for (const width of [1280, 800, 400]) {
      const { page } = await open('failed-hostile-names', { viewport: { width, height: 800 } });
      for (const details of await page.locator('details').all())
        await details.evaluate((element) => element.setAttribute('open', ''));
      expect(await page.evaluate(() => document.documentElement.scrollWidth), `${width} px`).toBeLessThanOrEqual(width);
    }
  });
});

describe('the page', () => {
  it('draws its charts as text and shapes', async () => {
    const { page } = await open('mobilenet-int8');
    const charts = await page.locator('.chart').all();
    expect(charts.length).toBeGreaterThanOrEqual(6);
    for (const chart of charts) expect(await chart.locator('svg path').count()).toBeGreaterThan(0);
    expect(await page.locator('.chart').first().textContent()).toContain('p50');
  });

  it('follows the system and its own switch, charts too', async () => {
    const { page } = await open('mobilenet-int8', { colorScheme: 'dark' });
    const ground = (): Promise<string> =>
      page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const label = (): Promise<string | null> => page.locator('.chart svg text').first().getAttribute('fill');
    const [darkGround, darkLabel] = [await ground(), await label()];
    await page.getByRole('radio', { name: 'Light' }).check();
    await expect.poll(label).not.toBe(darkLabel);
    expect(await ground()).not.toBe(darkGround);
  });

  it('is reached by keyboard from top to bottom', async () => {
    const { page } = await open('mobilenet-int8');
    const reached = new Set<string>();
    for (let press = 0; press < 60; press++) {
      await page.keyboard.press('Tab');
      reached.add(await page.evaluate(() => document.activeElement?.tagName ?? ''));
    }
    expect([...reached]).toEqual(expect.arrayContaining(['INPUT', 'A', 'SECTION', 'SUMMARY']));
    await page.locator('summary').first().focus();
    await page.keyboard.press('Enter');
    expect(await page.locator('details').first().getAttribute('open')).not.toBeNull();
  });

  it('prints light, without controls, and no wider than the paper', async () => {
    const { page } = await open('mobilenet-int8', { colorScheme: 'dark', viewport: { width: 660, height: 900 } });
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    expect(await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)).toBe(
      'rgb(255, 255, 255)',
    );
    expect(await page.locator('.report-theme').isVisible()).toBe(false);
    expect(await page.locator('nav').isVisible()).toBe(false);
    await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(660);
    expect((await page.pdf({ format: 'A4' })).byteLength).toBeGreaterThan(10_000);
  });
});

describe('the size of a report', () => {
  it('stays below a megabyte without its data', () => {
    // React and ECharts are nearly all of it; a new import that adds a tenth is worth a thought.
    expect(Buffer.byteLength(view.script) + Buffer.byteLength(view.style)).toBeLessThan(900_000);
  });
});
