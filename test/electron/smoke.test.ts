/**
 * What only a real Electron can show: the order of its start, the preload in its sandbox, the scheme, what a page cannot do. The
 * journeys of `test/e2e` run over Electron too where it is. Without a binary or a display this is skipped, loudly.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ElectronApplication, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findElectron } from '../../native-workers/host/desktop.ts';
import { electronArguments, electronObstacle, environment, launchElectron } from '../helpers/electron.ts';
import { ROOT } from '../helpers/studio.ts';

const obstacle = electronObstacle();
if (obstacle !== null) process.stderr.write(`\nELECTRON IS NOT TESTED HERE: ${obstacle}.\n\n`);

const MODEL = join(ROOT, 'assets/samples/printed-letters/model.onnx');

describe.skipIf(obstacle !== null)('the studio in Electron', () => {
  let folder: string;
  let app: ElectronApplication;
  let page: Page;
  const library = (): string => join(folder, 'library');
  const userData = (): string => join(folder, 'user-data');

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'hone-smoke-'));
    app = await launchElectron({ library: library(), userData: userData() });
    page = await app.firstWindow();
    await page.getByRole('navigation', { name: 'Navigation' }).waitFor();
  });

  afterAll(async () => {
    await app?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is a page of its own scheme', async () => {
    expect(new URL(page.url()).href).toMatch(/^app:\/\/studio\//);
    expect(await page.evaluate('location.origin')).toBe('app://studio');
    expect(await page.title()).toBe('Hone');
  });

  it('gives the page three functions and nothing of Node', async () => {
    expect(await page.evaluate('Object.keys(window.hone).sort()')).toEqual(['call', 'grantFiles', 'onEvent']);
    expect(await page.evaluate('Object.isFrozen(window.hone)')).toBe(true);
    expect(await page.evaluate('[typeof require, typeof process, typeof module, typeof Buffer]')).toEqual(
      new Array(4).fill('undefined'),
    );
  });

  it('answers calls, and refuses what the protocol does not have', async () => {
    expect(await page.evaluate("window.hone.call('hello', {})")).toMatchObject({
      ok: true,
      result: { host: 'electron' },
    });
    expect(await page.evaluate("window.hone.call('nonsense', {})")).toMatchObject({
      ok: false,
      error: { code: 'protocol-violation' },
    });
    expect(await page.evaluate("window.hone.grantFiles([new File(['x'], 'made-up.onnx')])")).toMatchObject({
      ok: false,
      error: { code: 'file-not-granted' },
    });
  });

  it('runs no code from texts and reaches no network', async () => {
    const tries = "(async () => { try { return await new Function('return 1')() } catch (e) { return e.name } })()";
    expect(await page.evaluate(tries)).toBe('EvalError');
    const fetched = (url: string): string => `fetch('${url}').then(() => 'reached', () => 'refused')`;
    for (const url of ['https://example.invalid/', 'http://127.0.0.1:1/', 'file:///etc/hosts', 'app://other/']) {
      expect(await page.evaluate(fetched(url)), url).toBe('refused');
    }
  });

  it('serves nothing outside the built page', async () => {
    for (const path of ['/../main.js', '/%2e%2e/electron/main.js', '/..%5celectron%5cmain.js', '/missing.js']) {
      expect(await page.evaluate(`fetch('app://studio${path}').then((answer) => answer.status)`), path).toBe(404);
    }
  });

  it('stays where it is, and opens no window', async () => {
    const before = page.url();
    await page.evaluate("void (location.href = 'http://example.invalid/?next=app://studio')");
    expect(await page.evaluate("window.open('https://example.invalid/')")).toBeNull();
    await page.evaluate('new Promise((done) => setTimeout(done, 300))');
    expect(page.url()).toBe(before);
    expect(app.windows()).toHaveLength(1);
  });

  it('gives no permission', async () => {
    expect(await page.evaluate('Notification.requestPermission()')).toBe('denied');
    const camera =
      "navigator.mediaDevices?.getUserMedia({ video: true }).then(() => 'given', () => 'refused') ?? 'refused'";
    expect(await page.evaluate(camera)).toBe('refused');
  });

  it('takes the file of a second start, which ends', async () => {
    const options = { library: library(), userData: userData(), args: [MODEL] };
    const second = spawn(findElectron() ?? '', electronArguments(options), {
      env: environment(library()),
      stdio: 'ignore',
    });
    expect(await new Promise((done) => second.once('close', done))).toBe(0);
    await page.getByRole('heading', { name: 'Summary' }).waitFor();
    expect(app.windows()).toHaveLength(1);
  });
});
