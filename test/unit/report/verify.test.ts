import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { digestOf, sha256Hex } from '../../../native-workers/report/digest.ts';
import type { ReportDocument } from '../../../native-workers/report/document.ts';
import { renderHtml } from '../../../native-workers/report/html.ts';
import { renderMarkdown } from '../../../native-workers/report/markdown.ts';
import { verify } from '../../../native-workers/report/verify.ts';
import { EMPTY_VIEW, GOLDEN_RUNS, type GoldenRun, goldenFolder, goldenReport } from '../../helpers/report-runs.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

function write(name: string, text: string): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, text);
  return path;
}

const failures = (checks: readonly { name: string; status: string }[]): string[] =>
  checks.filter(({ status }) => status === 'failed').map(({ name }) => name);

describe('verify of a file', () => {
  it.each(GOLDEN_RUNS)('verifies the JSON and the HTML of %s', async (run) => {
    const report = await goldenReport(run);
    expect((await verify(write('report.json', JSON.stringify(report)))).status).toBe('verified');
    expect((await verify(write('report.json', JSON.stringify(report, null, 2)))).status).toBe('verified');
    expect((await verify(write('report.html', renderHtml(report, EMPTY_VIEW)))).status).toBe('verified');
  });

  it('notices a changed digit anywhere in the HTML', async () => {
    const html = renderHtml(await goldenReport('resnet-float16'), EMPTY_VIEW);
    const places = [...html.matchAll(/\d/g)].map(({ index }) => index);
    expect(places.length).toBeGreaterThan(3000);
    // Some hundred of the thousands, spread over the whole file: the first and the last are among them.
    const step = (places.length - 1) / 300;
    for (let sample = 0; sample <= 300; sample++) {
      const at = places[Math.round(sample * step)] ?? 0;
      const changed = `${html.slice(0, at)}${(Number(html[at]) + 1) % 10}${html.slice(at + 1)}`;
      const outcome = await verify(write('report.html', changed)).then(
        ({ status }) => status,
        (thrown: unknown) => (thrown instanceof Error && 'code' in thrown ? thrown.code : thrown),
      );
      // A version that this Hone does not know is refused before anything can be said of it.
      expect(['altered', 'report-version'], `digit ${at}: ${html.slice(at - 30, at + 30)}`).toContain(outcome);
    }
  });

  it('finds numbers that were changed together with the digest', async () => {
    const report = structuredClone(await goldenReport('mobilenet-int8'));
    const latency = report.sections.latency;
    if (latency.status !== 'measured') throw new Error('The golden run was benchmarked.');
    const ratio = latency.data.pairs[0]?.ratio;
    if (ratio) ratio.value = 0.2;
    report.digest = digestOf(report);
    const { status, checks } = await verify(write('report.json', JSON.stringify(report)));
    expect(status).toBe('altered');
    expect(failures(checks)).toEqual(['report.json: numbers']);
    expect(checks.find(({ name }) => name === 'report.json: numbers')?.detail).toContain(
      'sections.latency.data.pairs.0.ratio.value: 0.2 instead of',
    );
  });

  it('finds metrics that the answers do not give, though digest and document agree', async () => {
    const report = structuredClone(await goldenReport('mobilenet-int8'));
    const change = (metrics: { name: string; after: number }[] | undefined): void => {
      for (const metric of metrics ?? []) if (metric.name === 'top-1') metric.after = 0.99;
    };
    change(report.evidence.facts.evaluate?.metrics);
    const { buildReport } = await import('../../../native-workers/report/build.ts');
    const forged = buildReport(report.evidence.manifest, report.evidence.facts);
    const { status, checks } = await verify(write('report.json', JSON.stringify(forged)));
    expect(status).toBe('altered');
    expect(failures(checks)).toEqual(['report.json: top-1']);
  });

  it('calls a report without the facts of a stage that was done incomplete', async () => {
    const { buildReport } = await import('../../../native-workers/report/build.ts');
    const { evidence } = await goldenReport('mobilenet-int8');
    const report = buildReport(evidence.manifest, { ...evidence.facts, evaluate: null });
    const { status, checks } = await verify(write('report.json', JSON.stringify(report)));
    expect(status).toBe('incomplete');
    expect(checks.filter(({ status: found }) => found === 'missing').map(({ name }) => name)).toEqual([
      'report.json: evaluate',
    ]);
  });

  it('calls a report that breaks its schema altered, and refuses what is none', async () => {
    const report: Partial<ReportDocument> = { ...(await goldenReport('mobilenet-int8')) };
    delete report.table;
    expect((await verify(write('report.json', JSON.stringify(report)))).status).toBe('altered');
    await expect(verify(write('other.json', '{"a":1}'))).rejects.toMatchObject({ code: 'report-invalid' });
    await expect(verify(write('other.html', '<p>Hello</p>'))).rejects.toMatchObject({ code: 'report-invalid' });
    await expect(verify(write('newer.json', JSON.stringify({ ...report, schema: 2 })))).rejects.toMatchObject({
      code: 'report-version',
    });
    await expect(verify(join(temporaryFolder(), 'none.json'))).rejects.toMatchObject({ code: 'file-missing' });
  });
});

/** A golden run made whole: with model files, whose hashes its manifest then names, and its reports. */
async function wholeRun(run: GoldenRun): Promise<string> {
  const folder = temporaryFolder();
  cpSync(goldenFolder(run), folder, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
  const source = join(temporaryFolder(), 'source.onnx');
  writeFileSync(source, 'the source');
  manifest.source = { ...manifest.source, path: source, sha256: sha256Hex('the source') };
  for (const model of manifest.models) {
    mkdirSync(dirname(join(folder, model.path)), { recursive: true });
    writeFileSync(join(folder, model.path), model.id);
    // The second has external data beside it, which counts.
    writeFileSync(join(folder, `${model.path}.data`), 'weights');
    model.sha256 = sha256Hex(`${model.id}weights`);
  }
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
  const { buildReport } = await import('../../../native-workers/report/build.ts');
  const report = buildReport(manifest, (await goldenReport(run)).evidence.facts);
  writeFileSync(join(folder, 'report.json'), JSON.stringify(report));
  writeFileSync(join(folder, 'report.html'), renderHtml(report, EMPTY_VIEW));
  writeFileSync(join(folder, 'report.md'), renderMarkdown(report));
  return folder;
}

describe('verify of a run', () => {
  it('verifies a whole run', async () => {
    const { status, checks } = await verify(await wholeRun('mobilenet-int8'));
    expect(checks.filter((check) => check.status !== 'passed')).toEqual([]);
    expect(status).toBe('verified');
    expect(checks.length).toBeGreaterThan(10);
  });

  it.each([
    ['04-benchmark.json', /"seed":42/, '"seed":43'],
    ['03-evaluate.json', /"cosine":0\.99/, '"cosine":0.98'],
    ['report.md', /\d\.\d\d× as fast/, '9.99× as fast'],
    ['report.html', /<td>/, '<td>1'],
    ['models/mobilenet_v2.int8.onnx', /opt/, 'OPT'],
    ['models/mobilenet_v2.int8.onnx.data', /weights/, 'other'],
  ])('notices a change of %s', async (file, pattern, replacement) => {
    const folder = await wholeRun('mobilenet-int8');
    const text = readFileSync(join(folder, file), 'utf8');
    expect(text).toMatch(pattern);
    writeFileSync(join(folder, file), text.replace(pattern, replacement));
    const { status, checks } = await verify(folder);
    expect(status).toBe('altered');
    expect(failures(checks).length).toBeGreaterThan(0);
  });

  it('notices the report of another run', async () => {
    const folder = await wholeRun('mobilenet-int8');
    copyFileSync(join(await wholeRun('resnet-float16'), 'report.json'), join(folder, 'report.json'));
    const { status, checks } = await verify(folder);
    expect(status).toBe('altered');
    expect(failures(checks)).toContain('report.json: of this run');
  });

  it('calls a run incomplete that lacks a model, its source or its report', async () => {
    for (const file of ['models/mobilenet_v2.int8.onnx', 'report.json']) {
      const folder = await wholeRun('mobilenet-int8');
      rmSync(join(folder, file));
      expect((await verify(folder)).status, file).toBe('incomplete');
    }
    const folder = await wholeRun('mobilenet-int8');
    const { source } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
    writeFileSync(source.path, 'another model');
    const { status, checks } = await verify(folder);
    expect(status).toBe('incomplete');
    expect(checks.find(({ name }) => name === 'source model')?.status).toBe('missing');
  });

  it('opens no model outside the run folder, whatever the manifest says', async () => {
    const folder = await wholeRun('mobilenet-int8');
    const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
    manifest.models[0].path = '../../etc/passwd';
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
    expect(failures((await verify(folder)).checks)).toContain('model clean');
  });

  it('refuses a folder that is no run', async () => {
    await expect(verify(temporaryFolder())).rejects.toMatchObject({ code: 'run-corrupt' });
  });
});
