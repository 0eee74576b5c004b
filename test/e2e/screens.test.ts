/**
 * Screens in states that real runs reach seldom: thousands of runs, hostile names, every kind of option, a start that fails, the
 * whole of the recipe by keyboard. The answers are made up, the host and the page are the real ones.
 */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { HoneError } from '../../native-workers/protocol/errors.ts';
import { madeUpPage } from '../helpers/made-up-page.ts';
import { FACTS, grant, HELLO, type MadeUpStudio, manifest, summary } from '../helpers/made-up-studio.ts';
import type { StudioPage } from '../helpers/studio.ts';

const HOSTILE = `"><img src=x onerror=alert(1)>${'very-long-'.repeat(40)}\u202e.onnx`;
const SIZES = [
  { width: 1280, height: 800 },
  { width: 1920, height: 1080 },
] as const;

const page = madeUpPage();
const { open, openModel } = page;
let made: MadeUpStudio;
let studio: StudioPage;

beforeEach(() => {
  ({ made, studio } = page);
});

describe('the library', () => {
  it('holds thousands of runs, of which only those in sight are in the page', async () => {
    const runs = Array.from({ length: 5000 }, (_, index) =>
      summary(`run-${index}`, { created: new Date(Date.UTC(2026, 0, 1) - index * 60_000).toISOString() }),
    );
    made.answers['runs.list'] = () => runs;
    await open();
    const rows = studio.page.getByRole('table', { name: 'Library' }).getByRole('row');
    await studio
      .row(/mobilenetv2/)
      .first()
      .waitFor();
    expect(await rows.count()).toBeLessThan(80);
    await studio
      .row(/mobilenetv2/)
      .first()
      .focus();
    await studio.page.keyboard.press('ArrowDown');
    await studio.page.keyboard.press('End');
    await expect.poll(() => studio.page.locator(':focus').getAttribute('aria-rowindex')).toBe('5001');
    expect(await rows.count()).toBeLessThan(80);
    await studio.page.keyboard.press('Home');
    await expect.poll(() => studio.page.locator(':focus').getAttribute('aria-rowindex')).toBe('2');
  });

  it('selects two runs with the keyboard and offers to compare them', async () => {
    made.answers['runs.list'] = () => ['a', 'b', 'c'].map((id) => summary(id));
    await open();
    await studio
      .row(/mobilenetv2/)
      .first()
      .focus();
    await studio.page.keyboard.press('Space');
    expect(await studio.button('Compare').isDisabled()).toBe(true);
    await studio.page.keyboard.press('ArrowDown');
    await studio.page.keyboard.press('Space');
    await studio.page.getByText('2 selected').waitFor();
    expect(await studio.button('Compare').isEnabled()).toBe(true);
  });

  it('says why it cannot be read, and reads it again when asked', async () => {
    made.answers['runs.list'] = () => {
      throw new HoneError('run-corrupt', 'The index of the library cannot be read.');
    };
    await open();
    await studio.page.getByRole('alert').getByText('The index of the library cannot be read.').waitFor();
    made.answers['runs.list'] = () => [summary('a')];
    await studio.button('Try again').click();
    await studio.row(/mobilenetv2/).waitFor();
  });
});

describe('the start', () => {
  it('tells what keeps the studio from starting, and starts when it is mended', async () => {
    made.answers.hello = () => {
      throw new HoneError('no-permission', 'The library cannot be written.', { where: { file: '/library' } });
    };
    await studio.page.goto(made.host.address);
    await studio.heading('Hone could not start').waitFor();
    const alert = await studio.page.getByRole('alert').textContent();
    expect(alert).toContain('The library cannot be written.');
    expect(alert).toContain('no-permission');
    expect(alert).toContain('/library');
    made.answers.hello = () => HELLO;
    await studio.button('Try again').click();
    await studio.page.getByRole('navigation', { name: 'Navigation' }).waitFor();
  });

  it('is at home on the address it was left at', async () => {
    made.answers['runs.manifest'] = () => manifest('run-x', 3, 'interrupted');
    await open();
    await studio.page.goto(`${new URL(made.host.address).origin}/#/run/run-x/progress`);
    await studio.heading('The run was interrupted').waitFor();
    await studio.page.reload();
    await studio.heading('The run was interrupted').waitFor();
    await studio.page.goBack();
    await studio.heading('Library').waitFor();
  });
});

describe('the recipe', () => {
  it('is built, ordered and emptied with the keyboard alone', async () => {
    await open();
    await openModel();
    await studio.choosePreset('INT8, balanced');
    const titles = (): Promise<string[]> => studio.page.locator('.step-title').allTextContents();
    expect(await titles()).toEqual(['Clean up', 'A pass with every kind of optionlossy']);
    await studio.button('Add a pass').focus();
    await studio.page.keyboard.press('Enter');
    await studio.page.getByRole('menuitem', { name: /^Float16/ }).waitFor();
    await studio.page.keyboard.press('End');
    await studio.page.keyboard.press('Enter');
    await expect.poll(titles).toHaveLength(3);
    await studio.page.locator('.step-toggle').nth(2).focus();
    await studio.page.keyboard.press('Alt+ArrowUp');
    await studio.page.keyboard.press('Alt+ArrowUp');
    expect((await titles())[0]).toContain('Float16');
    expect(await studio.page.locator('.step-toggle:focus').textContent()).toContain('Float16');
    await studio.button('Remove Clean up').focus();
    await studio.page.keyboard.press('Enter');
    await expect.poll(titles).toHaveLength(2);
  });

  it('is ordered with the pointer', async () => {
    await open();
    await openModel();
    await studio.choosePreset('Half precision');
    await studio.page.locator('.step-grip').nth(1).dragTo(studio.page.locator('.step').nth(0));
    expect((await studio.page.locator('.step-title').allTextContents())[0]).toContain('Float16');
  });

  it('has a field for every kind of option, and says what is wrong where it is wrong', async () => {
    await open();
    await openModel();
    await studio.choosePreset('INT8, balanced');
    await studio.page.locator('.step-toggle').nth(1).click();
    await studio.fill('bits', '99');
    await studio.page.getByText('Must be 8 or less.').waitFor();
    expect(await studio.button('Run').isDisabled()).toBe(true);
    await studio.page.getByText('1 problem to correct before it can run').waitFor();
    await studio.fill('bits', '4');
    await studio.fill('limit', '10');
    await studio.fill('keep', 'first, last');
    await studio.page.getByRole('checkbox', { name: 'perChannel' }).click();
    await studio.page.getByRole('combobox', { name: 'method' }).click();
    await studio.page.getByRole('option', { name: 'mse' }).click();
    await studio.button('JSON').click();
    const json = JSON.parse(await studio.page.getByLabel('The recipe as JSON').inputValue());
    expect(json.steps[1].options).toEqual({
      perChannel: false,
      bits: 4,
      method: 'mse',
      keep: ['first', 'last'],
      limit: 10,
    });
    await studio.page.getByLabel('The recipe as JSON').fill('{"schema":1,"name":"x","steps":[{"pass":"none"}]}');
    await studio.button('Apply').click();
    await studio.page.getByRole('alert').getByText('There is no pass “none”.').waitFor();
  });

  it('sends what the form says', async () => {
    let asked: unknown;
    made.answers['runs.start'] = (request) => {
      asked = request;
      throw new HoneError('disk-full', 'The library needs more room than its disk has.');
    };
    await open();
    await openModel();
    await studio.choosePreset('Half precision');
    await studio.fill('Largest size', '4');
    await studio.page.keyboard.press('Control+Enter');
    await studio.page.getByRole('alert').getByText('The library needs more room than its disk has.').waitFor();
    expect(asked).toEqual({
      model: '/models/mobilenetv2.onnx',
      recipe: expect.objectContaining({ name: 'half', steps: [{ pass: 'clean' }, { pass: 'float16' }] }),
      seed: 0,
      benchmark: {},
      budgets: { maxMb: 4 },
    });
  });
});

describe('data', () => {
  it('is previewed by the description that a run takes: none where none is given, so that one beside the data counts', async () => {
    const asked: unknown[] = [];
    made.answers['data.preview'] = (params) => {
      asked.push(params.preprocess);
      return {
        name: 'calib.zip',
        kind: 'images',
        samples: 1,
        labelled: false,
        classes: null,
        preprocess: { mean: [0.5] },
        notes: [{ code: 'preprocess-from-file', message: 'The preprocessing is that of preprocess.json.' }],
        skipped: [{ sample: 'cut.png', reason: 'it ends too soon' }],
        first: [],
      };
    };
    await open();
    await openModel();
    await studio.page.getByRole('tab', { name: 'Recipe and run' }).click();
    await studio.page.getByLabel('Calibration: Path on the engine’s machine').fill('/data/calib.zip');
    await studio.page.keyboard.press('Enter');
    await studio.button('Look at Calibration').click();
    const dialog = studio.page.getByRole('dialog', { name: 'What the model will be fed of calib.zip' });
    await dialog.getByText('The preprocessing is that of preprocess.json.').waitFor();
    expect(asked).toEqual([undefined]);
    await dialog
      .getByText(/1 sample/)
      .last()
      .click();
    await dialog.getByText('it ends too soon').waitFor();
  });

  it('is taken as a folder, with all its files in their folders', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hone-data-'));
    // More files than a browser lists at a time.
    const names = Array.from({ length: 230 }, (_, index) => `class-${index % 2}/sample-${index}.txt`);
    await Promise.all(['class-0', 'class-1'].map((name) => mkdir(join(folder, 'samples', name), { recursive: true })));
    await Promise.all(names.map((name) => writeFile(join(folder, 'samples', name), name)));
    await open();
    await openModel();
    await studio.choosePreset('Half precision');
    await studio.drop([join(folder, 'samples')], studio.page.getByRole('region', { name: 'Evaluation' }));
    await studio.page.getByText('samples', { exact: true }).waitFor();
    const [drop = ''] = await readdir(made.inbox);
    const found = await readdir(join(made.inbox, drop, 'samples'), { recursive: true });
    expect(found.filter((name) => name.endsWith('.txt')).sort()).toEqual([...names].sort());
    await rm(folder, { recursive: true });
  });
});

describe('keys and themes', () => {
  it('has shortcuts that stay away while one types', async () => {
    await open();
    await studio.page.keyboard.press('?');
    await studio.page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
    await studio.page.keyboard.press('Escape');
    await studio.page.getByRole('dialog').waitFor({ state: 'detached' });
    await studio.page.keyboard.press('n');
    await studio.heading('New run').waitFor();
    await studio.page.keyboard.press('l');
    await studio.heading('Library').waitFor();
    await studio.page.getByRole('textbox', { name: 'Path on the engine’s machine' }).focus();
    await studio.page.keyboard.type('n?t');
    await studio.heading('Library').waitFor();
    expect(await studio.page.getByRole('dialog').count()).toBe(0);
  });

  it('keeps the theme that was chosen', async () => {
    await open();
    const ground = (): Promise<string> => studio.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await studio.button('Dark').click();
    const dark = await ground();
    expect(dark).not.toBe(light);
    await studio.page.reload();
    await studio.page.getByRole('navigation', { name: 'Navigation' }).waitFor();
    expect(await ground()).toBe(dark);
  });

  it('reaches the content first, over the navigation', async () => {
    await open();
    await studio.page.keyboard.press('Tab');
    expect(await studio.page.locator(':focus').textContent()).toBe('Skip to content');
    await studio.page.keyboard.press('Enter');
    expect(await studio.page.locator(':focus').getAttribute('id')).toBe('content');
  });
});

describe.each(SIZES)('hostile names at $width × $height', (viewport) => {
  it('are text, are cut off, and break no screen', async () => {
    await studio.page.setViewportSize(viewport);
    made.answers['files.grantPath'] = () => ({ ...grant('x'), name: HOSTILE });
    made.answers['runs.list'] = () => [summary('a', { model: HOSTILE, title: HOSTILE, recipe: HOSTILE })];
    made.answers['runs.manifest'] = () => {
      const hostile = manifest('run-x', 1, 'failed');
      return {
        ...hostile,
        source: { ...hostile.source, name: HOSTILE },
        error: new HoneError('pass-failed', HOSTILE, { where: { file: HOSTILE, node: HOSTILE } }).toData(),
      };
    };
    made.answers.inspect = () => ({
      ...FACTS,
      producer: HOSTILE,
      inputs: [{ name: HOSTILE, dtype: HOSTILE, shape: [HOSTILE, 3] }],
      notes: [{ code: HOSTILE, message: HOSTILE, node: HOSTILE }],
      operators: { [HOSTILE]: 3 },
      tensors: [{ name: HOSTILE, dtype: 'float32', shape: [1], bytes: 4, usedBy: [HOSTILE], duplicateOf: HOSTILE }],
    });
    const expectNoOverflow = async (): Promise<void> => {
      const wide = await studio.page.evaluate(() =>
        ['body', '.content', '.sidebar', '.screen-head'].filter((name) => {
          const element = document.querySelector(name);
          return element !== null && element.scrollWidth > element.clientWidth + 1;
        }),
      );
      expect(wide).toEqual([]);
    };
    await open();
    await studio.row(/onerror/).waitFor();
    await expectNoOverflow();
    await openModel('/x');
    await expectNoOverflow();
    await studio.choosePreset('Half precision');
    await expectNoOverflow();
    await studio.page.goto(`${new URL(made.host.address).origin}/#/run/run-x/progress`);
    await studio.page.getByRole('alert').waitFor();
    await expectNoOverflow();
    expect(await studio.page.locator('img[src="x"]').count()).toBe(0);
  });
});

describe('names', () => {
  it('are given to every control', async () => {
    made.answers['runs.list'] = () => [summary('a'), summary('b', { status: 'failed' })];
    await open();
    const nameless = (): Promise<string[]> =>
      studio.page.evaluate(() =>
        [...document.querySelectorAll('button, a, input, textarea, [role="checkbox"], [role="combobox"]')]
          .filter((element) => element.checkVisibility() && element.closest('[aria-hidden="true"]') === null)
          .filter((element) => {
            const labelled = element.getAttribute('aria-labelledby');
            const label = labelled === null ? null : document.getElementById(labelled.split(' ')[0] ?? '');
            const own = element instanceof HTMLInputElement ? [...(element.labels ?? [])] : [];
            const words = [element.getAttribute('aria-label'), label?.textContent, element.textContent];
            return ![...words, ...own.map((entry) => entry.textContent)].some((text) => (text ?? '').trim() !== '');
          })
          .map((element) => element.outerHTML.slice(0, 120)),
      );
    expect(await nameless()).toEqual([]);
    await openModel();
    expect(await nameless()).toEqual([]);
    await studio.choosePreset('INT8, balanced');
    await studio.page.locator('.step-toggle').nth(1).click();
    await studio.button(/^Preprocessing/).click();
    expect(await nameless()).toEqual([]);
  });
});
