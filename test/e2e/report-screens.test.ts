/**
 * What can be done with a report in the studio: the layers of a quantized model, the samples whose answer changed, packages, notes,
 * the list of sections, and the check of a saved file. The answers are made up, the host and the page are the real ones.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HoneError } from '../../native-workers/protocol/errors.ts';
import type { Artifact } from '../../native-workers/protocol/package-facts.ts';
import { buildReport } from '../../native-workers/report/build.ts';
import type { ReportDocument } from '../../native-workers/report/document.ts';
import { madeUpPage } from '../helpers/made-up-page.ts';
import { grant, HELLO, type MadeUpStudio, manifest } from '../helpers/made-up-studio.ts';
import { goldenInput } from '../helpers/report-runs.ts';
import type { StudioPage } from '../helpers/studio.ts';
import { temporaryFolder } from '../helpers/temp.ts';

const PIXEL =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGD4DwABBAEAX+XDSwAAAABJRU5ErkJggg==';
const HOSTILE = '"><img src=x onerror=alert(1)>/conv';

const ARTIFACT: Artifact = {
  target: 'tflite',
  status: 'made',
  path: 'tflite/model.tflite',
  bytes: 3_700_000,
  sha256: 'a'.repeat(64),
  files: [{ path: 'tflite/model.tflite', bytes: 3_700_000, sha256: 'a'.repeat(64) }],
  requires: { 'TensorFlow Lite': '2.3.0' },
  verified: {
    runtime: 'LiteRT (wasm)',
    status: 'failed',
    reason: 'The outputs differ by more than is allowed.',
    samples: 11,
    maxAbs: 0.25,
    reference: 2,
    cosine: 0.91,
    top1Agreement: 0.82,
    steps: null,
    errors: ['ERROR: something was wrong'],
    diverges: { node: HOSTILE, type: 'Conv', artifact: 'CONV_2D 3', maxAbs: 0.1 },
  },
  coverage: { nodes: 100, supported: 100, unsupported: [] },
  notes: ['Sizes were fixed.'],
  ms: 100,
};

/** The golden run with what a search measures, layers with histograms, and packages that went well and badly. */
async function madeUpReport(): Promise<ReportDocument> {
  const { manifest: run, facts } = structuredClone(await goldenInput('mobilenet-int8'));
  const names = ['first', HOSTILE, 'third', 'last'];
  for (const pass of facts.optimize?.passes ?? []) {
    if (pass.pass !== 'quantize-static') continue;
    pass.notes = [{ node: 'gather', message: 'stays float: it has no weight' }];
    pass.details = {
      layers: names.map((node, place) => ({ node, operator: 'Conv', after: place === 0 ? [] : [0, place - 1] })),
      sensitivity: names.map((node, place) => ({
        node,
        operator: 'Conv',
        alone: place / 10,
        among: 0,
        gainMs: 0.5,
        float: place === 3,
      })),
      search: [
        { float: [], ms: 1, bytes: 1e6, metric: 'top-1', drop: 4, chosen: false },
        { float: ['last'], ms: 1.5, bytes: 1.5e6, metric: 'top-1', drop: 0.25, chosen: true },
        { float: ['all layers'], ms: 4, bytes: 4e6, metric: 'top-1', drop: 0, chosen: false },
      ],
      saturation: {
        samples: 16,
        agreement: 0.9375,
        change: 0.02,
        layers: [{ node: 'third', share: 0.00002, error: 0.12 }],
        left: [],
      },
      quantization: names.slice(0, 3).map((node) => ({
        node,
        operator: 'Conv',
        input: {
          value: 'x',
          min: -1,
          max: 3,
          scale: 0.01,
          zeroPoint: 100,
          kept: { min: -1, max: 1.55 },
          method: 'mse',
          clipped: 0.03,
          histogram: [5, 900, 30, 1],
        },
        weightError: 0.01,
        sqnrDb: 31,
      })),
    };
  }
  const unsupported = ['a', 'b'].map((node) => ({ node, type: 'TopK', reason: 'Core ML has no such operator.' }));
  facts.package = {
    artifacts: [
      ARTIFACT,
      {
        ...ARTIFACT,
        target: 'coreml',
        status: 'unsupported',
        path: '',
        files: [],
        requires: {},
        verified: null,
        coverage: { nodes: 100, supported: 98, unsupported },
        notes: [],
      },
    ],
    sizes: [{ profile: 'Phone app', target: 'tflite', bytes: 3_700_000, budget: 50_000_000, fits: true }],
  };
  return buildReport(run, facts);
}

let report: ReportDocument;

const page = madeUpPage(() => ({
  'runs.manifest': () => manifest('run-x', 5, 'done'),
  'reports.ofRun': () => report,
  'reports.open': () => report,
}));
let made: MadeUpStudio;
let studio: StudioPage;

beforeAll(async () => {
  report = await madeUpReport();
});

beforeEach(async () => {
  ({ made, studio } = page);
  await page.open();
});

async function openReport(): Promise<void> {
  await page.open('run/run-x/report');
  await studio.heading('Before and after').waitFor();
}

describe('the layers', () => {
  it('are walked with the keyboard, and each shows what is known of it', async () => {
    await openReport();
    // The most harmful is chosen at first: it stayed float.
    const facts = (name: string) => studio.page.getByRole('region', { name: `Layer ${name}`, exact: true });
    expect(await facts('last').textContent()).toContain('float');
    await studio.page.locator('.report-layer[tabindex="0"]').focus();
    await studio.page.keyboard.press('ArrowUp');
    expect(await facts('third').textContent()).toMatch(
      /quantized.*after first.*Range of the codes.*1\.55.*mse.*3\.0 %/s,
    );
    await facts('third')
      .getByRole('img', { name: /Histogram in 4 bins from −1\.00 to 3\.00.*Clipped: 3\.0 %/ })
      .waitFor();
    await studio.page.keyboard.press('Home');
    await facts('first').waitFor();
    await studio.button('Most harmful first').click();
    expect(await studio.page.locator('.report-layer').first().textContent()).toContain('last');
    await studio.screenshot('report-layers');
  });

  it('stand beside the front of the search', async () => {
    await openReport();
    const front = studio.page.getByRole('img', { name: /^3 models measured\. Chosen: 1 layer float, 1\.50 ms/ });
    await front.waitFor();
    const table = studio.page.getByRole('table', { name: /Candidates that the search measured/ });
    expect(await table.getByRole('row').count()).toBe(4);
    expect(await table.getByRole('row', { name: /chosen/ }).textContent()).toContain('1 layer float');
    await studio
      .button(/node left float by plan/)
      .or(studio.page.getByText('1 node left float by plan, and why'))
      .click();
    await studio.page.getByRole('cell', { name: 'gather' }).waitFor();
  });
});

describe('the graph of the layers', () => {
  const box = (name: string) =>
    studio.page.locator('.report-box', { has: studio.page.locator('title', { hasText: name }) });

  it('is drawn beside the list, and both choose for each other', async () => {
    await openReport();
    const pressed = studio.page.locator('.report-layer[aria-pressed="true"]');
    await box('third, Conv').click();
    expect(await pressed.textContent()).toContain('third');
    await studio.page.getByRole('region', { name: 'Layer third', exact: true }).waitFor();
    await studio.page.locator('.report-layer', { hasText: 'first' }).click();
    expect(await box('first, Conv').getAttribute('class')).toContain('report-box-chosen');
    expect(await studio.page.locator('.report-link-chosen').count()).toBeGreaterThan(1);
    expect(await box('last, Conv, float').getAttribute('class')).toContain('report-box-float');
  });

  it('is walked along its links and zoomed with the keyboard', async () => {
    await openReport();
    const graph = studio.page.getByRole('application', { name: /^Graph of the layers/ });
    const chosen = studio.page.locator('.report-box-chosen title');
    await graph.focus();
    await studio.page.keyboard.press('ArrowUp');
    await expect.poll(() => chosen.textContent()).toBe('third, Conv');
    await studio.page.keyboard.press('ArrowDown');
    await expect.poll(() => chosen.textContent()).toBe('last, Conv, float');
    const width = () => studio.page.locator('.report-graph-drawing').evaluate((drawing) => drawing.clientWidth);
    const before = await width();
    await studio.page.keyboard.press('+');
    await expect.poll(width).toBeGreaterThan(before);
    await studio.button('Fit the width').click();
    await expect.poll(width).toBeLessThanOrEqual(await graph.evaluate((view) => view.clientWidth));
  });

  it('holds thousands of layers, of which only those in sight are in the page', async () => {
    const many = structuredClone(report);
    const section = many.sections.quantization;
    if (section.status !== 'measured') throw new Error('The golden run quantizes.');
    section.data.graph = Array.from({ length: 5000 }, (_, place) => ({
      node: `layer ${place}`,
      operator: 'Conv',
      after: [place - 1, place - 5].filter((from) => from >= 0),
    }));
    made.answers['reports.ofRun'] = () => many;
    await openReport();
    await studio.page.locator('.report-box').first().waitFor();
    expect(await studio.page.locator('.report-box').count()).toBeLessThan(60);
    await studio.page.getByRole('application', { name: /^Graph of the layers/ }).focus();
    await studio.page.locator('.report-layer[data-place="4000"]').click();
    await box('layer 4000, Conv').waitFor();
    expect(await studio.page.locator('.report-box').count()).toBeLessThan(60);
  });
});

describe('another model of the search', () => {
  it('is picked in the table and made by a recipe that leaves its layers float', async () => {
    made.answers['runs.grants'] = () => ({ model: grant('/models/m.onnx'), calibration: null, evaluation: null });
    made.answers.hello = () => ({
      ...HELLO,
      passes: [
        ...HELLO.passes,
        {
          id: 'quantize-static',
          title: 'Static INT8',
          summary: 'Runs on 8-bit integers.',
          family: 'quantize',
          lossy: true,
          needs: ['calibration'],
          options: [{ name: 'exclude', description: 'Nodes that stay float.', kind: 'list', default: [] }],
        },
      ],
    });
    const passes = report.evidence.facts.optimize?.passes ?? [];
    const steps = passes.map(({ pass }) => ({ pass: pass === 'quantize-static' ? pass : 'clean' }));
    const recipe = { schema: 1, name: 'searched', steps } as const;
    made.answers['runs.manifest'] = () => manifest('run-x', 5, 'done', { recipe: { ...recipe, steps } });
    await studio.page.reload();
    await openReport();
    expect(await studio.button('Make this model').count()).toBe(0);
    await studio.button('all layers INT8').click();
    await studio.page.getByText('1.00 ms, 1.00 MB, 4.00 points of top-1 lost.').waitFor();
    await studio.button('the float model').click();
    expect(await studio.button('Make this model').count()).toBe(0);
    await studio.button('all layers INT8').click();
    await studio.button('Make this model').click();
    await studio.page.getByText('The recipe INT8, all layers is ready to run again.').waitFor();
    await studio.page.getByText('Static INT8').first().waitFor();
  });
});

describe('the loss without VNNI', () => {
  it('is told in words, by layer, and at the layer itself', async () => {
    await openReport();
    const section = studio.page.getByRole('region', { name: 'On processors without VNNI' });
    expect(await section.textContent()).toMatch(/93\.8 % \(71\.7 to 98\.9 %\).*pairSafe/s);
    expect(await section.getByRole('row', { name: /third/ }).textContent()).toContain('12.0 %');
    await studio.page.locator('.report-layer', { hasText: 'third' }).click();
    const facts = studio.page.getByRole('region', { name: 'Layer third', exact: true });
    expect(await facts.textContent()).toContain('12.0 % error of its sums, 20.0 in a million of the pairs cut off');
  });
});

describe('the confusion matrix', () => {
  it('counts before, after and the change, and every row adds up to the samples of its class', async () => {
    await openReport();
    await studio.page.getByText(/^Confusion matrix: \d+ classes$/).click();
    const cells = async (): Promise<number[][]> =>
      studio.page
        .getByRole('region', { name: 'Confusion matrix' })
        .locator('tbody tr')
        .evaluateAll((rows) =>
          rows.map((row) =>
            [...row.querySelectorAll('td')].map((cell) => Number((cell.textContent ?? '').replace('\u2212', '-'))),
          ),
        );
    const sum = (row: readonly number[]): number => row.reduce((total, count) => total + count, 0);
    const after = await cells();
    await studio.button('Before', studio.page.locator('.report-switch')).click();
    const before = await cells();
    expect(before.map(sum)).toEqual(after.map(sum));
    await studio.button('Change', studio.page.locator('.report-switch')).click();
    expect(await cells()).toEqual(
      after.map((row, label) => row.map((count, at) => count - (before[label]?.[at] ?? 0))),
    );
  });
});

describe('the samples whose answer changed', () => {
  it('are shown as the models were fed them', async () => {
    let asked: readonly string[] = [];
    made.answers['runs.samples'] = ({ samples }) => {
      asked = samples;
      const input = { name: 'x', dtype: 'float32', shape: [3, 1, 1], minimum: 0, maximum: 1, mean: 0.5, notFinite: 0 };
      return samples.slice(1).map((sample) => ({
        sample,
        label: null,
        group: null,
        inputs: [{ ...input, picture: PIXEL }],
      }));
    };
    await openReport();
    await studio.button(/^Look at \d+ samples$/).click();
    const gallery = studio.page.getByRole('list', { name: /Samples whose answer changed/ });
    await gallery.waitFor();
    expect(asked.length).toBeGreaterThan(2);
    expect(await gallery.getByRole('img').count()).toBe(asked.length - 1);
    expect(await gallery.getByText('no longer in the data').count()).toBe(1);
    await studio.screenshot('report-flips');
  });

  it('are named where the data cannot be reached', async () => {
    made.answers['runs.samples'] = () => {
      throw new HoneError('file-missing', 'There is no test.zip.');
    };
    await openReport();
    await studio.button(/^Look at \d+ samples$/).click();
    await studio.page.getByText('They cannot be shown: There is no test.zip.').waitFor();
    await studio.page.getByRole('table', { name: 'Samples whose answer changed' }).waitFor();
  });
});

describe('packages', () => {
  it('say what was made, how it did on its runtime, and where it loads', async () => {
    await openReport();
    const checks = studio.page.getByRole('table', { name: /Each on its own runtime/ });
    expect(await checks.getByRole('row', { name: /LiteRT/ }).textContent()).toMatch(/failed.*12\.5 % of the largest/);
    const found = studio.page.getByRole('list', { name: 'What the checks found' });
    expect(await found.textContent()).toContain(`first differs at ${HOSTILE}`);
    await studio.page
      .getByRole('table', { name: /Will it load there/ })
      .getByText('2.3.0')
      .waitFor();
    const missing = studio.page.getByRole('table', { name: /What coreml cannot express: 2 nodes/ });
    expect(await missing.getByRole('row', { name: /TopK/ }).textContent()).toMatch(/2.*no such operator.*a, b/);
    expect(await studio.page.locator('img[src="x"]').count()).toBe(0);
    await studio.screenshot('report-packages');
  });
});

describe('the list of sections', () => {
  it('marks the one that is being read', async () => {
    await openReport();
    const current = studio.page.locator('.report-contents [aria-current="location"]');
    expect(await current.textContent()).toBe('Before and after');
    await studio.page.getByRole('link', { name: 'Packages for devices' }).click();
    await expect.poll(() => current.textContent()).toBe('Packages for devices');
    expect(await studio.page.evaluate(() => location.hash)).toBe('#/run/run-x/report');
  });
});

describe('a saved report', () => {
  it('is verified by what is in the file', async () => {
    const file = join(temporaryFolder(), 'from-elsewhere.json');
    await writeFile(file, '{}');
    let asked = '';
    made.answers['reports.verifyFile'] = (params) => {
      asked = params.file;
      return { status: 'altered', checks: [{ name: 'report: digest', status: 'failed', detail: 'another' }] };
    };
    await studio.drop([file]);
    await studio.heading('Opened report').waitFor();
    await studio.button('Verify').click();
    await studio.page.getByText('Altered.', { exact: true }).waitFor();
    expect(asked).toContain('from-elsewhere.json');
    await studio.screenshot('report-saved-altered');
  });
});
