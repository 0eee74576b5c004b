/** The studio's calls over a real workspace, with workers that behave as they are told. */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Studio, type StudioPorts } from '../../../native-workers/host/studio.ts';
import type { StudioEvent, StudioMethod, StudioParams, StudioResult } from '../../../native-workers/protocol/studio.ts';
import { temporaryFolder } from '../../helpers/temp.ts';
import { type TestRun, testRun } from '../../helpers/test-run.ts';

const BROWSER: StudioPorts = { host: 'browser', pick: async () => [], save: async () => null };

interface Page {
  readonly run: TestRun;
  readonly studio: Studio;
  readonly events: StudioEvent[];
  call<Name extends StudioMethod>(method: Name, params: StudioParams<Name>): Promise<StudioResult<Name>>;
  /** Grants the model of the run and asks to run it. */
  start(): Promise<string>;
  /** Waits until the run has ended, and returns how. */
  ended(id: string): Promise<string>;
}

function page(ports = BROWSER): Page {
  const run = testRun();
  const studio = new Studio(run.workspace, ports, join(temporaryFolder(), 'report-view'));
  const events: StudioEvent[] = [];
  studio.subscribe((event) => events.push(event));
  const call: Page['call'] = async (method, params) => (await studio.call(method, params)) as never;
  return {
    run,
    studio,
    events,
    call,
    async start() {
      const model = await studio.grants.grant(run.request.model);
      return (await call('runs.start', { ...run.request, model: model.id })).id;
    },
    async ended(id) {
      const statusOf = (): string | undefined =>
        events
          .flatMap((event) => (event.type === 'run' && event.manifest.id === id ? [event.manifest.status] : []))
          .at(-1);
      await expect.poll(() => ['running', undefined].includes(statusOf()), { timeout: 30_000 }).toBe(false);
      await run.workspace.activeRun(id)?.done;
      return statusOf() ?? '';
    },
  };
}

describe('calls', () => {
  it('tell what the host has', async () => {
    const { call } = page();
    const hello = await call('hello', {});
    expect(hello.host).toBe('browser');
    expect(hello.passes.map(({ id }) => id)).toContain('clean');
    expect(hello.presets.map(({ name }) => name)).toContain('clean');
    expect(hello.targets.find(({ id }) => id === 'ort')?.options.map(({ name }) => name)).toEqual([
      'style',
      'platform',
    ]);
  });

  it.each([
    ['nonsense', {}],
    ['constructor', {}],
    ['hello', { more: 1 }],
    ['runs.list', {}],
    ['runs.start', { model: 1 }],
    ['inspect', null],
  ])('that the protocol does not have are refused: %s %j', async (method, params) => {
    await expect(page().studio.call(method, params)).rejects.toMatchObject({ code: 'protocol-violation' });
  });

  it('reach no file that was not chosen', async () => {
    const { call, run } = page();
    await expect(call('inspect', { model: run.request.model })).rejects.toMatchObject({ code: 'file-not-granted' });
    await expect(call('runs.start', run.request)).rejects.toMatchObject({ code: 'file-not-granted' });
    await expect(call('reports.open', { file: run.request.model })).rejects.toMatchObject({ code: 'file-not-granted' });
    const model = await call('files.grantPath', { path: run.request.model });
    const evaluation = dirname(run.request.model);
    const request = { ...run.request, model: model.id, evaluation };
    await expect(call('runs.start', request)).rejects.toMatchObject({ code: 'file-not-granted' });
  });

  it('name runs of the library only', async () => {
    const { call, start, ended, run } = page();
    const id = await start();
    await ended(id);
    const folder = join(run.workspace.folder, 'runs', id);
    for (const name of [folder, `../runs/${id}`, '..', '', `${id}/.`]) {
      await expect(call('runs.manifest', { id: name })).rejects.toMatchObject({ code: 'unknown-run' });
      await expect(call('runs.delete', { id: name })).rejects.toMatchObject({ code: 'unknown-run' });
      await expect(call('reports.ofRun', { id: name })).rejects.toMatchObject({ code: 'unknown-run' });
    }
  });

  it('take typed paths only where there are no dialogs', async () => {
    const { call, run } = page({ ...BROWSER, host: 'electron' });
    const asking = call('files.grantPath', { path: run.request.model });
    await expect(asking).rejects.toMatchObject({ code: 'file-not-granted' });
  });

  it('grant what the dialog gave', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a.onnx'), '');
    const { call, studio } = page({ ...BROWSER, host: 'electron', pick: async () => [join(folder, 'a.onnx')] });
    const [grant] = await call('files.pick', { kind: 'model' });
    expect(grant).toMatchObject({ name: 'a.onnx', kind: 'file' });
    expect(studio.grants.path(grant?.id ?? '')).toBe(join(folder, 'a.onnx'));
  });

  it('refuse a recipe that no pass accepts, before a run is made', async () => {
    const { call, studio, run } = page();
    const model = (await studio.grants.grant(run.request.model)).id;
    const recipe = (steps: { pass: string; options?: Record<string, unknown> }[]) => ({ ...run.request.recipe, steps });
    const unknown = call('runs.start', { ...run.request, model, recipe: recipe([{ pass: 'nonsense' }]) });
    await expect(unknown).rejects.toMatchObject({ code: 'unknown-pass' });
    const wrong = call('runs.start', { ...run.request, model, recipe: recipe([{ pass: 'clean', options: { x: 1 } }]) });
    await expect(wrong).rejects.toMatchObject({ code: 'invalid-options' });
    const targets = (id: string, options: Record<string, unknown>) =>
      call('runs.start', { ...run.request, model, targets: [id], targetOptions: { [id]: options } });
    await expect(targets('onnx', {})).rejects.toThrow(/no target onnx/);
    await expect(targets('ort', { style: 'fast' })).rejects.toMatchObject({ code: 'invalid-options' });
    expect(await call('runs.list', { search: '' })).toEqual([]);
  });

  it('tell what targets can express, and write nothing', async () => {
    const { call, studio, run } = page();
    const { id } = await studio.grants.grant(run.request.model);
    const { artifacts } = await call('coverage', { model: id, targets: ['ort', 'tflite'], options: {} });
    expect(artifacts.map(({ target, status }) => [target, status])).toEqual([
      ['ort', 'made'],
      ['tflite', 'made'],
    ]);
  });

  it('open no file that is no report', async () => {
    const { call, studio, run } = page();
    const { id } = await studio.grants.grant(run.request.model);
    await expect(call('reports.open', { file: id })).rejects.toMatchObject({ code: 'report-invalid' });
    await expect(call('reports.verifyFile', { file: id })).rejects.toMatchObject({ code: 'report-invalid' });
  });

  it('verify a saved report that was altered', async () => {
    const { call, studio, run } = page();
    const file = join(dirname(run.request.model), 'report.json');
    writeFileSync(file, '{"kind":"hone-report","schema":1}');
    const { id } = await studio.grants.grant(file);
    const { status, checks } = await call('reports.verifyFile', { file: id });
    expect([status, checks.length]).toEqual(['altered', 1]);
  });
});

describe('a run', () => {
  it('is told from its start to its end, without paths', async () => {
    const { call, start, ended, events, run } = page();
    const id = await start();
    expect(await ended(id)).toBe('done');
    const stages = events.flatMap((event) => (event.type === 'progress' ? [event.stage] : []));
    expect([...new Set(stages)]).toEqual(['inspect', 'optimize', 'evaluate', 'benchmark', 'report']);
    const manifest = await call('runs.manifest', { id });
    expect(manifest.source.path).toBe('Tiny Model.onnx');
    const told = events.filter((event) => event.type === 'run');
    expect(JSON.stringify([manifest, told])).not.toContain(JSON.stringify(dirname(run.request.model)).slice(1, -1));
    expect((await call('runs.list', { search: 'tiny' })).map((row) => row.id)).toEqual([id]);
  });

  it('gives its files to the next one', async () => {
    const { call, start, ended, studio, run } = page();
    const id = await start();
    await ended(id);
    const grants = await call('runs.grants', { id });
    expect(grants).toMatchObject({ model: { name: 'Tiny Model.onnx' }, calibration: null, evaluation: null });
    expect(studio.grants.path(grants.model?.id ?? '')).toBe(run.request.model);
    expect((await call('runs.start', { ...run.request, model: grants.model?.id ?? '' })).id).not.toBe(id);
  });

  it('gives back samples of the data that it was compared on', async () => {
    const { call, ended, studio, run } = page();
    const model = await studio.grants.grant(run.request.model);
    const request = { ...run.request, model: model.id, evaluation: model.id, samples: 7 };
    const { id } = await call('runs.start', request);
    await ended(id);
    const found = await call('runs.samples', { id, samples: ['a', 'b'] });
    expect(found.map(({ sample, label }) => [sample, label])).toEqual([
      ['a', `${run.request.model} 7 1`],
      ['b', `${run.request.model} 7 1`],
    ]);
  });

  it('has no samples where it used none', async () => {
    const { call, start, ended } = page();
    const id = await start();
    await ended(id);
    await expect(call('runs.samples', { id, samples: ['a'] })).rejects.toMatchObject({ code: 'file-missing' });
  });

  it('is cancelled, resumed and deleted', async () => {
    const { call, start, ended, events, run } = page();
    run.order({ evaluate: 'wait' });
    const id = await start();
    await expect
      .poll(
        () =>
          events.some(
            (event) => event.type === 'progress' && event.progress.phase === 'waiting' && event.progress.done > 2,
          ),
        { timeout: 30_000 },
      )
      .toBe(true);
    await expect(call('runs.delete', { id })).rejects.toMatchObject({ code: 'run-locked' });
    await call('runs.cancel', { id });
    expect(await ended(id)).toBe('cancelled');
    run.order({});
    await call('runs.resume', { id });
    await expect.poll(async () => (await call('runs.manifest', { id })).status, { timeout: 30_000 }).toBe('done');
    await run.workspace.activeRun(id)?.done;
    await call('runs.delete', { id });
    expect(await call('runs.list', { search: '' })).toEqual([]);
  });

  it('that two start at once go on side by side', async () => {
    const { start, ended } = page();
    const ids = await Promise.all([start(), start()]);
    expect(new Set(ids).size).toBe(2);
    expect(await Promise.all(ids.map(ended))).toEqual(['done', 'done']);
  });
});

describe('open-file', () => {
  it('comes with a grant', async () => {
    const { studio, events, run } = page();
    await studio.openFile(run.request.model);
    expect(events).toMatchObject([{ type: 'open-file', grant: { name: 'Tiny Model.onnx' } }]);
    await expect(studio.openFile(join(temporaryFolder(), 'gone'))).rejects.toMatchObject({ code: 'file-missing' });
  });
});
