/**
 * The packaged app, made by electron-builder from the project's own configuration: everything that it needs is in it, nothing of
 * other platforms is, and its worker does real jobs with its own Node and without the sources.
 */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resourceFiles } from '../../electron/packaging/resource-files.ts';
import { checkResources, findParts } from '../../electron/resources.ts';
import config from '../../electron-builder.ts';
import { TARGETS } from '../../native-workers/artifacts/registry.ts';
import { Supervisor } from '../../native-workers/host/supervisor.ts';
import { findWorker } from '../../native-workers/host/worker-path.ts';
import { Workspace } from '../../native-workers/host/workspace.ts';
import { type PackagedApp, packageApp } from '../helpers/packaged-app.ts';
import { ROOT } from '../helpers/studio.ts';

const SAMPLE = join(ROOT, 'assets/samples/printed-letters');
const isLinux = process.platform === 'linux';
if (!isLinux) process.stderr.write('packaging: the app is packaged as on Linux only there; this suite is skipped.\n');

describe.skipIf(!isLinux)('the packaged app', () => {
  let folder: string;
  let app: PackagedApp;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'hone-packaged-'));
    app = await packageApp(folder);
  });

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('has main, the preload, the renderer and the record of its resources in the archive, and no packages', async () => {
    const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
    const renderer = app.archive.filter((path) => path.startsWith('dist/renderer/'));
    expect(app.archive).toEqual(
      [
        'LICENSE',
        'package.json',
        manifest.main,
        'dist/electron/package.json',
        'dist/electron/preload.cjs',
        'dist/electron/resources.json',
        ...renderer,
      ].sort(),
    );
    expect(renderer).toContain('dist/renderer/index.html');
    const page = await readFile(join(ROOT, 'dist/renderer/index.html'), 'utf8');
    for (const [, path] of page.matchAll(/(?:src|href)="\.?\/([^"]+)"/g))
      expect(renderer).toContain(`dist/renderer/${path}`);
    expect(app.unpacked).toEqual([]);
  });

  it('has the node of the worker, its code, the report view and the runtimes outside', () => {
    const native = `linux/${process.arch}`;
    const sharp = `sharp-linux-${process.arch}`;
    expect(app.files).toEqual(
      expect.arrayContaining([
        'node/node',
        'report-view/report-view.js',
        'report-view/report-view.css',
        'worker/package.json',
        'worker/main.js',
        'worker/variant-process.js',
        'worker/artifact-process.js',
        ...TARGETS.map(({ runtimeModule }) => `worker/${basename(runtimeModule, '.ts')}.js`),
        `worker/node_modules/onnxruntime-node/bin/napi-v6/${native}/onnxruntime_binding.node`,
        `worker/node_modules/onnxruntime-node/bin/napi-v6/${native}/libonnxruntime.so.1`,
        'worker/node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm',
        'worker/node_modules/@litertjs/core/wasm/litert_wasm_internal.wasm',
        expect.stringMatching(new RegExp(`^worker/node_modules/@img/${sharp}/lib/.*\\.node$`)),
        expect.stringMatching(/^worker\/node_modules\/@img\/sharp-libvips-.*\.so/),
      ]),
    );
  });

  it('has all files of the configuration and no others', () => {
    const expected = [...resourceFiles(config, 'linux', process.arch, ROOT).keys(), 'app.asar'].sort();
    expect(app.files).toEqual(expected);
  });

  it('has nothing of other platforms', () => {
    expect(app.files.filter((path) => /darwin|win32|\.dll$|\.dylib$|\.exe$/.test(path))).toEqual([]);
    const other = process.arch === 'x64' ? 'arm64' : 'x64';
    expect(app.files.filter((path) => path.includes(`/${other}/`) || path.includes(`linux-${other}`))).toEqual([]);
  });

  it('has its fuses set', () => {
    expect(app.fuses).toEqual({
      runAsNode: false,
      enableCookieEncryption: true,
      enableNodeOptionsEnvironmentVariable: false,
      enableNodeCliInspectArguments: false,
      enableEmbeddedAsarIntegrityValidation: true,
      onlyLoadAppFromAsar: true,
      loadBrowserProcessSpecificV8Snapshot: false,
      grantFileProtocolExtraPrivileges: false,
    });
  });

  it('knows its resources, and notices when one was changed', async () => {
    const hashes = join(ROOT, 'dist/electron/resources.json');
    await expect(checkResources(app.resources, hashes)).resolves.toBeUndefined();
    const changed = join(folder, 'changed');
    cpSync(app.resources, changed, { recursive: true });
    writeFileSync(join(changed, 'worker/main.js'), 'steal()');
    await expect(checkResources(changed, hashes)).rejects.toMatchObject({ code: 'worker-start-failed' });
    rmSync(changed, { recursive: true });
    // The parts are looked for beside `main.js` of the archive; from the sources there is no record.
    await expect(findParts(true, app.resources)).rejects.toThrow();
  });

  describe('with its own worker', () => {
    let supervisor: Supervisor;

    beforeAll(() => {
      supervisor = new Supervisor({ worker: findWorker({ resources: app.resources }) });
    });

    afterAll(() => supervisor.close());

    it('inspects a model', async () => {
      const { result } = await supervisor.runJob('inspect', { model: join(SAMPLE, 'model.onnx') });
      expect(result).toMatchObject({ format: 'onnx', inputs: [{ dtype: 'float32' }] });
      expect(result.nodes).toBeGreaterThan(5);
    });

    it.each(['cpu', 'wasm'])('benchmarks it on %s, in processes of their own', async (provider) => {
      const { result } = await supervisor.runJob('benchmark', {
        models: [join(SAMPLE, 'model.onnx')],
        options: { provider: [provider], seconds: 1 },
        seed: 1,
      });
      expect(result.variants).toHaveLength(1);
      expect(result.variants[0]).toMatchObject({ provider });
      expect(result.variants[0]?.blocks.flat().length).toBeGreaterThan(1);
    });

    it.each(['ort', 'tflite'])('packages it for %s, and runs the artifact on its runtime', async (target) => {
      const out = join(folder, target);
      const { result } = await supervisor.runJob('package', {
        model: join(SAMPLE, 'model.onnx'),
        targets: [target],
        out,
        coverageOnly: false,
        zip: false,
        options: {},
        seed: 1,
      });
      expect(result).toMatchObject({ artifacts: [{ target, verified: { status: 'passed' } }] });
    });

    it('does a whole run with pictures, and the report has its view', async () => {
      const workspace = new Workspace({
        library: join(folder, 'library'),
        supervisor: { worker: findWorker({ resources: app.resources }) },
      });
      const run = await workspace.startRun({
        model: join(SAMPLE, 'model.onnx'),
        recipe: { schema: 1, name: 'clean', title: 'Clean', steps: [{ pass: 'clean', options: {} }] },
        evaluation: join(SAMPLE, 'test.zip'),
        preprocess: JSON.parse(await readFile(join(SAMPLE, 'preprocess.json'), 'utf8')),
        samples: 20,
        seed: 1,
        benchmark: { seconds: 1 },
        budgets: {},
      });
      await run.done;
      await workspace.close();
      expect(run.manifest.stages.filter((stage) => !['done', 'skipped'].includes(stage.status))).toEqual([]);
      const html = await readFile(join(folder, 'library/runs', run.id, 'report.html'), 'utf8');
      expect(html.length).toBeGreaterThan(100_000);
    });
  });
});
