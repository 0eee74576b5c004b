/** A page on a made-up studio for each test of a file, watched: what every end-to-end test with made-up answers starts from. */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { launchChromium } from './chromium.ts';
import { type Answers, grant, type MadeUpStudio, startMadeUpStudio } from './made-up-studio.ts';
import { StudioPage } from './studio.ts';

export interface MadeUpPage {
  /** Of the test that runs now. */
  readonly made: MadeUpStudio;
  readonly studio: StudioPage;
  /** Opens the page at a route, `run/run-x/progress`; at its start unless said. */
  open(route?: string): Promise<void>;
  /** Opens a model from the page, and waits until it was looked at. */
  openModel(path?: string): Promise<void>;
}

/** `answers`: made anew for each test, besides that any path is granted. The tests end without an error in the page. */
export function madeUpPage(
  answers: () => Answers | Promise<Answers> = () => ({}),
  viewport: { width: number; height: number } = { width: 1280, height: 800 },
): MadeUpPage {
  let browser: Browser;
  let made: MadeUpStudio;
  let studio: StudioPage;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    made = await startMadeUpStudio({ 'files.grantPath': ({ path }) => grant(path), ...(await answers()) });
    const page = await browser.newPage({ viewport });
    studio = new StudioPage(page, process.pid, () => page.close());
  });
  afterEach(async () => {
    await studio.close();
    await made.close();
    expect(studio.troubles).toEqual([]);
  });
  return {
    get made() {
      return made;
    },
    get studio() {
      return studio;
    },
    async open(route) {
      await studio.page.goto(made.host.address);
      await studio.page.getByRole('navigation', { name: 'Navigation' }).waitFor();
      if (route !== undefined) await studio.page.goto(`${new URL(made.host.address).origin}/#/${route}`);
    },
    async openModel(path = '/models/mobilenetv2.onnx') {
      await studio.page.getByRole('textbox', { name: 'Path on the engine’s machine' }).fill(path);
      await studio.button('Open').click();
      await studio.heading('Summary').waitFor();
    },
  };
}
