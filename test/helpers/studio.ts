/**
 * The studio as a test drives it, over either host: Chromium on `hone serve`, or Electron where its binary is. Everything is
 * found by role and name, as a screen reader finds it. Every page is watched: errors, violations of the content security
 * policy and requests to anywhere else are kept, for the test to find none.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Browser, Locator, Page } from 'playwright-core';
import { launchChromium } from './chromium.ts';
import { electronObstacle, launchElectron } from './electron.ts';

export const ROOT = join(import.meta.dirname, '../..');

export type StudioHost = 'browser' | 'electron';

/** The hosts that can be driven here; says loudly what is left out. */
export function studioHosts(): StudioHost[] {
  const obstacle = electronObstacle();
  if (obstacle === null) return ['browser', 'electron'];
  process.stderr.write(`e2e: the studio is only driven in the browser and not in Electron: ${obstacle}.\n`);
  return ['browser'];
}

export interface StudioOptions {
  readonly library: string;
  readonly viewport?: { readonly width: number; readonly height: number };
  readonly colorScheme?: 'light' | 'dark';
}

export interface Trouble {
  readonly kind: 'page-error' | 'console-error' | 'policy' | 'foreign-request';
  readonly text: string;
}

export class StudioPage {
  readonly page: Page;
  readonly troubles: Trouble[] = [];
  readonly #close: () => Promise<void>;
  /** The process of the host. */
  readonly pid: number;

  constructor(page: Page, pid: number, close: () => Promise<void>) {
    this.page = page;
    this.pid = pid;
    this.#close = close;
    // A machine of two cores may be busy with a job: a wait that ends too soon says nothing about the studio.
    page.setDefaultTimeout(60_000);
    page.on('pageerror', (error) => this.troubles.push({ kind: 'page-error', text: error.message }));
    page.on('console', (message) => {
      if (message.type() !== 'error') return;
      const kind = /content security policy/i.test(message.text()) ? 'policy' : 'console-error';
      this.troubles.push({ kind, text: message.text() });
    });
    page.on('request', (request) => {
      const url = new URL(request.url());
      const own = url.protocol === 'app:' || url.protocol === 'blob:' || url.protocol === 'data:';
      if (!own && url.hostname !== '127.0.0.1') this.troubles.push({ kind: 'foreign-request', text: request.url() });
    });
  }

  button(name: string | RegExp, within: Page | Locator = this.page): Locator {
    return within.getByRole('button', { name, ...(typeof name === 'string' ? { exact: true } : {}) });
  }

  link(name: string | RegExp): Locator {
    return this.page.getByRole('navigation', { name: 'Navigation' }).getByRole('link', { name });
  }

  heading(name: string | RegExp): Locator {
    return this.page.getByRole('heading', { name });
  }

  /** Drops files or folders of this machine, as the system's file manager does. */
  async drop(paths: readonly string[], on?: Locator): Promise<void> {
    const box = (await on?.boundingBox()) ?? { x: 640, y: 300, width: 0, height: 0 };
    const at = { x: Math.round(box.x + box.width / 2), y: Math.round(box.y + box.height / 2) };
    const session = await this.page.context().newCDPSession(this.page);
    const data = { items: [], files: [...paths], dragOperationsMask: 1 };
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
      await session.send('Input.dispatchDragEvent', { type, ...at, data });
    }
    await session.detach();
  }

  async openLibrary(): Promise<void> {
    await this.link('Library').click();
    await this.heading('Library').waitFor();
  }

  /** Drops a model and waits until it was looked at. */
  async openModel(path: string): Promise<void> {
    // Chromium loses a made-up drop now and then when the machine is busy; a person would drop the file again.
    for (let attempt = 1; attempt < 4; attempt++) {
      await this.drop([path]);
      const seen = await this.heading('Summary')
        .waitFor({ timeout: 12_000 })
        .then(() => true)
        .catch(() => false);
      if (seen) return;
      await this.page.reload();
      await this.link('Library').waitFor();
    }
    await this.drop([path]);
    await this.heading('Summary').waitFor();
  }

  async choosePreset(title: string): Promise<void> {
    await this.page.getByRole('tab', { name: 'Recipe and run' }).click();
    await this.page.getByRole('region', { name: 'Presets' }).getByRole('button', { name: title }).click();
  }

  async fill(label: string, value: string): Promise<void> {
    await this.page.getByLabel(label, { exact: true }).fill(value);
  }

  /** Starts the prepared run and returns its id. */
  async run(): Promise<string> {
    await this.button('Run').click();
    await this.heading('Stages').waitFor();
    return this.runId();
  }

  /** Drops the test data of a sample on the run that is prepared, and takes its preprocessing. */
  async evaluateOn(sample: string): Promise<void> {
    await this.drop([join(sample, 'test.zip')], this.page.getByRole('region', { name: 'Evaluation' }));
    await this.page.getByText('test.zip', { exact: true }).waitFor();
    await this.button(/^Preprocessing/).click();
    const file = this.page.getByLabel('Fill from preprocess.json', { exact: true });
    await file.last().setInputFiles(join(sample, 'preprocess.json'));
  }

  /** Of the run on the screen. */
  runId(): string {
    return decodeURIComponent(/#\/run\/([^/]+)/.exec(this.page.url())?.[1] ?? '');
  }

  /** Waits for the run on the screen to end. */
  async ended(status: 'Done' | 'Failed' | 'Cancelled', timeout = 110_000): Promise<void> {
    await this.page.locator('.screen-head').getByText(status, { exact: true }).waitFor({ timeout });
  }

  row(name: string | RegExp): Locator {
    return this.page.getByRole('table', { name: 'Library' }).getByRole('row', { name });
  }

  async screenshot(name: string): Promise<void> {
    const folder = process.env['HONE_SCREENSHOTS'];
    if (folder !== undefined) await this.page.screenshot({ path: join(folder, `${name}.png`) });
  }

  close(): Promise<void> {
    return this.#close();
  }
}

export function openStudio(host: StudioHost, options: StudioOptions): Promise<StudioPage> {
  return host === 'browser' ? openInChromium(options) : openInElectron(options);
}

async function openInChromium(options: StudioOptions): Promise<StudioPage> {
  const server = await serve(options.library);
  let browser: Browser;
  try {
    browser = await launchChromium();
  } catch (error) {
    await server.close();
    throw error;
  }
  const { viewport = { width: 1280, height: 800 }, colorScheme = 'light' } = options;
  const page = await browser.newPage({ viewport, colorScheme });
  const studio = new StudioPage(page, server.pid, async () => {
    await browser.close();
    await server.close();
  });
  await page.goto(server.address);
  await page.getByRole('navigation', { name: 'Navigation' }).waitFor();
  return studio;
}

async function openInElectron(options: StudioOptions): Promise<StudioPage> {
  const app = await launchElectron({ library: options.library });
  const page = await app.firstWindow();
  if (options.viewport !== undefined) await page.setViewportSize(options.viewport);
  if (options.colorScheme !== undefined) await page.emulateMedia({ colorScheme: options.colorScheme });
  await page.getByRole('navigation', { name: 'Navigation' }).waitFor();
  return new StudioPage(page, app.process().pid ?? -1, () => app.close());
}

export interface Served {
  readonly address: string;
  readonly pid: number;
  /** Ends it as Ctrl-C does. */
  close(): Promise<void>;
  kill(): Promise<void>;
}

/** Starts `hone serve`. Rejects with what it wrote when it ends before it gave its address. */
export async function serve(library: string, args: readonly string[] = []): Promise<Served> {
  const child = spawn(process.execPath, ['native-workers/cli/main.ts', 'serve', '--json', ...args], {
    cwd: ROOT,
    env: { ...process.env, HONE_LIBRARY: library },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<void>((done) => child.once('close', () => done()));
  let errors = '';
  child.stderr.on('data', (piece: Buffer) => {
    errors += piece.toString();
  });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await ended;
  };
  return {
    address: await addressOf(child, () => errors),
    pid: child.pid ?? -1,
    close: () => end('SIGINT'),
    kill: () => end('SIGKILL'),
  };
}

/** The first JSON document on standard output: the address, or an error. */
function addressOf(child: ChildProcess, errors: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) return reject(new Error('No standard output.'));
    let text = '';
    createInterface({ input: child.stdout }).on('line', (line) => {
      text += line;
      if (line !== '}') return;
      const document: unknown = JSON.parse(text);
      if (typeof document === 'object' && document !== null && 'address' in document) resolve(String(document.address));
      else reject(new Error(text));
    });
    child.once('close', (code) => reject(new Error(`hone serve ended with ${code}: ${text}${errors()}`)));
  });
}
