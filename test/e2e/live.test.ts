/** What a run shows of itself while it works. The messages are made up, the host and the page are the real ones. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Live, LiveCheck, LiveTarget } from '../../native-workers/protocol/live.ts';
import { madeUpPage } from '../helpers/made-up-page.ts';
import { manifest } from '../helpers/made-up-studio.ts';

const page = madeUpPage(() => ({ 'runs.manifest': () => manifest('run-x', 1, 'running') }), {
  width: 1000,
  height: 800,
});

beforeEach(async () => {
  await page.open('run/run-x/progress');
  await page.studio.heading('Stages').waitFor();
});

function tell(phase: string, live?: Live): void {
  page.made.emit({
    type: 'progress',
    run: 'run-x',
    stage: 'optimize',
    progress: { phase, done: 1, total: 4, detail: 'working', ...(live === undefined ? {} : { live }) },
  });
}

const pane = (name: RegExp) => page.studio.page.getByRole('region', { name });

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
    const node = `"><img src=x onerror=alert(1)>${'long/'.repeat(60)}end`;
    tell('INT8 with search', { kind: 'sensitivity', total: 5, layers: [{ node, change: 0.25 }] });
    await pane(/^Most sensitive layers so far of 5 measured/)
      .getByText('0.250')
      .waitFor();
    // The end of the name is in sight, in its row; the beginning is cut off.
    const [name, row] = [page.studio.page.getByText(node), page.studio.page.locator('.live-row')];
    const [seen, within] = [await name.boundingBox(), await row.boundingBox()];
    expect(seen?.x).toBeLessThan(within?.x ?? 0);
    expect((seen?.x ?? 0) + (seen?.width ?? 0)).toBeLessThan((within?.x ?? 0) + (within?.width ?? 0));
    expect(await page.studio.page.locator('img[src="x"]').count()).toBe(0);
    expect(await page.studio.page.evaluate(() => document.documentElement.scrollWidth)).toBe(1000);
  });

  it('names layers as the report does, so that they can be told apart', async () => {
    const nodes = ['/features/features.3/conv/conv.0/conv.0.0/Conv', '/layer.0/self/MatMul_1'];
    tell('INT8 with search', { kind: 'sensitivity', total: 2, layers: nodes.map((node) => ({ node, change: 1e-4 })) });
    await pane(/^Most sensitive layers so far/)
      .getByText('features.3/conv.0.0', { exact: true })
      .waitFor();
    await page.studio.page.getByTitle(nodes[0] ?? '', { exact: true }).waitFor();
    await page.studio.page.getByText('layer.0/self/MatMul_1', { exact: true }).waitFor();
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
    await page.studio.screenshot('run-live-search');
  });
});

const CHECK: LiveCheck = {
  runtime: 'LiteRT 2.5.3 (wasm)',
  status: 'running',
  samples: 3,
  of: 11,
  maxAbs: 1.9e-6,
  cosine: 1,
  top1Agreement: 1,
};
const TARGET: LiveTarget = {
  target: 'tflite',
  step: 'checking',
  coverage: { nodes: 140, supported: 140 },
  bytes: 1_644_480,
  checks: [CHECK],
  metrics: [],
};
const HOSTILE = `"><img src=x onerror=alert(1)>${'very-long-'.repeat(40)}\u202e`;

function tellTargets(...targets: LiveTarget[]): void {
  tell('TensorFlow Lite: checking', { kind: 'targets', total: targets.length, targets });
}

const row = (name: RegExp) => page.studio.page.getByRole('table').getByRole('row', { name });

describe('the table of targets', () => {
  it('shows what each check has measured, as it comes in', async () => {
    const waiting: LiveTarget = {
      ...TARGET,
      target: 'coreml',
      step: 'waiting',
      coverage: null,
      bytes: null,
      checks: [],
    };
    tellTargets(TARGET, waiting);
    await pane(/^Targets 0 of 2 done/).waitFor();
    await row(/^TensorFlow Lite all 140 nodes, 1\.64 MB Checking/).waitFor();
    await row(/^LiteRT 2\.5\.3 \(wasm\) 3 of 11 1\.9e−6 1\.00000 100.* % Running/).waitFor();
    await row(/^Core ML Waiting/).waitFor();
    tellTargets({ ...TARGET, step: 'done', checks: [{ ...CHECK, status: 'passed', samples: 11 }] }, waiting);
    await row(/^LiteRT .* 11 1\.9e−6 .* Passed/).waitFor();
    await pane(/^Targets 1 of 2 done/).waitFor();
  });

  it('names the operator of a target that failed, in words and not by colour alone, and reads it aloud once', async () => {
    const reason = 'The first operator that differs is Conv conv_7, in the artifact CONV_2D 3 (relu_7).';
    tellTargets({
      ...TARGET,
      step: 'failed',
      checks: [{ ...CHECK, status: 'failed', samples: 11, maxAbs: 0.4 }],
      reason,
    });
    await row(/^TensorFlow Lite .* Failed/).waitFor();
    await row(/^The first operator that differs is Conv conv_7/).waitFor();
    const spoken = page.studio.page.getByRole('status').filter({ hasText: 'TensorFlow Lite failed.' });
    await expect.poll(() => spoken.textContent()).toBe(`TensorFlow Lite failed. ${reason}`);
  });

  it('is there again when the page is loaded during the run, though the run tells nothing new', async () => {
    page.made.answers['runs.progress'] = () => ({
      stage: 'optimize',
      progress: { phase: 'x', done: 0, total: null, live: { kind: 'targets', total: 1, targets: [TARGET] } },
    });
    await page.studio.page.reload();
    await row(/^LiteRT .* 3 of 11/).waitFor();
    // An event that comes in is newer.
    tellTargets({ ...TARGET, checks: [{ ...CHECK, samples: 4 }] });
    await row(/^LiteRT .* 4 of 11/).waitFor();
  });

  it.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 900],
    ['dark', 900],
  ] as const)('has room for long names and many files, %s at %i', async (colorScheme, width) => {
    const { studio } = page;
    await studio.page.emulateMedia({ colorScheme });
    await studio.page.setViewportSize({ width, height: width === 900 ? 700 : 800 });
    const files = ['net.ort', 'net.with_runtime_opt.ort', `${HOSTILE}.ort`];
    tellTargets(
      {
        ...TARGET,
        target: 'ort',
        model: HOSTILE,
        step: 'done',
        checks: files.flatMap((file, place): LiveCheck[] => [
          { ...CHECK, file, runtime: 'ONNX Runtime 1.30.0', status: 'passed', samples: 11, maxAbs: 0 },
          { ...CHECK, file, runtime: 'ONNX Runtime Web 1.30.0 (wasm)', status: place === 2 ? 'not-run' : 'passed' },
        ]),
        metrics: [{ name: 'top-1', unit: 'share', before: 0.9942, after: 0.9923 }],
      },
      {
        ...TARGET,
        step: 'failed',
        checks: [{ ...CHECK, status: 'refused', samples: 0, maxAbs: null, cosine: null, top1Agreement: null }],
        reason: `It cannot express Conv ${HOSTILE}: none, and 3 more.`,
      },
      { ...TARGET, target: 'coreml', step: 'waiting', coverage: null, bytes: null, checks: [] },
    );
    await pane(/^Targets 2 of 3 done/).waitFor();
    expect(await studio.page.locator('img[src="x"]').count()).toBe(0);
    expect(await studio.page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
    await studio.screenshot(`run-targets-${colorScheme}-${width}`);
  });
});
