/** Runs from request to report with real job processes: events, failures, cancel, death and resume at every stage. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ActiveRun, RunEvent } from '../../native-workers/host/run.ts';
import { STAGES, type StageName } from '../../native-workers/protocol/facts.ts';
import { temporaryFolder } from '../helpers/temp.ts';
import { stagesOf, testRun } from '../helpers/test-run.ts';

const ALL_DONE = 'inspect done, optimize done, evaluate done, benchmark done, report done';
const WITH_PACKAGE = { targets: ['ort'] };

/** Cancels when the stage has begun. */
function cancelIn(run: ActiveRun, stage: StageName): void {
  run.subscribe((event) => {
    if (event.type === 'progress' && event.stage === stage && event.progress.phase !== 'waiting') run.cancel();
  });
}

describe('a run', () => {
  it('does its stages in order and keeps what they made', async () => {
    const { workspace, request } = testRun();
    const run = await workspace.startRun(request);
    const manifest = await run.done;
    expect(stagesOf(manifest)).toBe(ALL_DONE);
    expect(manifest.status).toBe('done');
    expect(manifest.error).toBeUndefined();
    expect(run.id).toMatch(/^\d{8}-\d{6}-[2-9a-z]{4}-tiny-model$/);
    expect(manifest.source.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(manifest.models.map((model) => model.id)).toEqual(['source', 'optimized']);
    expect(readdirSync(run.folder).sort()).toEqual(
      ['01-inspect.json', '02-optimize.json', '03-evaluate.json', '04-benchmark.json', 'lock', 'log.txt'].concat([
        'manifest.json',
        'optimized.onnx',
        'report.json',
      ]),
    );
    expect((await workspace.openRun(run.id)).manifest).toEqual(manifest);
    expect(manifest.stages.every((row) => (row.peakRss ?? 0) > 0 && (row.ms ?? 0) > 0)).toBe(true);
  });

  it('tells every change, the progress of each stage, and writes a log', async () => {
    const { workspace, request } = testRun(WITH_PACKAGE);
    const run = await workspace.startRun(request);
    const events: RunEvent[] = [];
    run.subscribe((event) => events.push(event));
    const manifest = await run.done;
    const stages = events.flatMap((event) => (event.type === 'progress' ? [event.stage] : []));
    expect([...new Set(stages)]).toEqual([...STAGES]);
    const states = events.flatMap((event) => (event.type === 'run' ? [event.manifest] : []));
    expect(states.at(-1)).toEqual(manifest);
    expect(states.map((state) => stagesOf(state).split(', ')[0])).toContain('inspect running');
    expect(readFileSync(join(run.folder, 'log.txt'), 'utf8')).toMatch(/optimize: done[\s\S]*The run is done\./);
  });

  it('gives the same artifact for the same request', async () => {
    const { workspace, request } = testRun();
    const [first, second] = [await workspace.startRun(request), await workspace.startRun(request)];
    const hashes = (await Promise.all([first.done, second.done])).map((manifest) => manifest.models[1]?.sha256);
    expect(first.id).not.toBe(second.id);
    expect(hashes[0]).toBe(hashes[1]);
  });

  it('copies its results where they are wanted', async () => {
    const out = join(temporaryFolder(), 'results');
    const { workspace, request } = testRun({ out });
    const run = await workspace.startRun(request);
    expect((await run.done).status).toBe('done');
    expect(readdirSync(out).sort()).toEqual(['optimized.onnx', 'report.json']);
    expect(readFileSync(join(out, 'optimized.onnx'), 'utf8')).toBe('optimized weights');
  });

  it('does not begin without its model, with a wrong request, or without a place for its results', async () => {
    const { workspace, request } = testRun();
    const missing = { ...request, model: join(request.model, '..', 'none.onnx') };
    await expect(workspace.startRun(missing)).rejects.toMatchObject({ code: 'file-missing' });
    await expect(workspace.startRun({ ...request, seed: -1 })).rejects.toMatchObject({ code: 'invalid-options' });
    const blocked = { ...request, out: join(request.model, 'out') };
    await expect(workspace.startRun(blocked)).rejects.toMatchObject({ code: 'no-permission' });
    expect(await workspace.listRuns()).toEqual([]);
  });
});

describe('a stage that fails', () => {
  it.each(['evaluate', 'benchmark', 'package'] as const)('%s is a row, and the run goes on', async (stage) => {
    const { workspace, request, order } = testRun(WITH_PACKAGE);
    order({ [stage]: 'input-error' });
    const manifest = await (await workspace.startRun(request)).done;
    expect(manifest.status).toBe('done');
    const row = manifest.stages.find((entry) => entry.name === stage);
    expect(row).toMatchObject({ status: 'failed', error: { code: 'file-truncated', where: { offset: 12 } } });
    expect(manifest.stages.filter((entry) => entry.status === 'done')).toHaveLength(5);
  });

  it.each(['inspect', 'optimize'] as const)('%s fails the run, and the report is still made', async (stage) => {
    const { workspace, request, order } = testRun();
    order({ [stage]: 'abort' });
    const manifest = await (await workspace.startRun(request)).done;
    expect(manifest).toMatchObject({ status: 'failed', error: { code: 'worker-crashed' } });
    expect(stagesOf(manifest)).toMatch(/evaluate skipped, benchmark skipped, report done$/);
  });

  it('report fails the run, but the first error is the one that counts', async () => {
    const { workspace, request, order } = testRun();
    order({ optimize: 'input-error', report: 'abort' });
    const manifest = await (await workspace.startRun(request)).done;
    expect(manifest).toMatchObject({ status: 'failed', error: { code: 'file-truncated' } });
    order({ report: 'abort' });
    const other = await (await workspace.startRun(request)).done;
    expect(other).toMatchObject({ status: 'failed', error: { code: 'worker-crashed' } });
  });
});

describe('cancel and resume', () => {
  it.each(STAGES)('in the %s stage', async (stage) => {
    const { workspace, request, order } = testRun(WITH_PACKAGE);
    order({ [stage]: 'wait' });
    const run = await workspace.startRun(request);
    cancelIn(run, stage);
    const cancelled = await run.done;
    const at = STAGES.indexOf(stage);
    expect(cancelled.status).toBe('cancelled');
    expect(cancelled.stages[at]?.reason).toMatch(/^Stopped at: /);
    expect(cancelled.stages.map((row) => row.status)).toEqual(
      STAGES.map((_, index) => (index < at ? 'done' : index === at ? 'cancelled' : 'pending')),
    );
    order({});
    const resumed = await workspace.resumeRun(run.id);
    const finished = await resumed.done;
    expect(finished.status).toBe('done');
    expect(finished.stages.every((row) => row.status === 'done')).toBe(true);
    // What was done is kept as it was.
    expect(finished.stages.slice(0, at)).toEqual(cancelled.stages.slice(0, at));
  });

  it('before the first stage', async () => {
    const { workspace, request } = testRun();
    const run = await workspace.startRun(request);
    run.cancel();
    expect(await run.done).toMatchObject({ status: 'cancelled' });
  });

  it('of a stage that hangs in a native call', async () => {
    const { workspace, request, order } = testRun();
    order({ benchmark: 'hang' });
    const run = await workspace.startRun(request);
    cancelIn(run, 'benchmark');
    expect(stagesOf(await run.done)).toMatch(/benchmark cancelled, report pending/);
  });
});

describe('a worker killed while it writes', () => {
  it('leaves no half file', async () => {
    const { workspace, request, order } = testRun();
    order({ evaluate: 'die-writing' });
    const run = await workspace.startRun(request);
    expect(stagesOf(await run.done)).toMatch(/evaluate failed, benchmark done, report done/);
    expect(readdirSync(run.folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

describe('resume', () => {
  it.each(STAGES)('after the worker of the %s stage was killed', async (stage) => {
    const { workspace, request, order } = testRun(WITH_PACKAGE);
    order({ [stage]: 'kill' });
    const run = await workspace.startRun(request);
    const killed = await run.done;
    const row = killed.stages.find((entry) => entry.name === stage);
    expect(row?.status).toBe('failed');
    expect(row?.error?.code).toMatch(/^worker-(crashed|out-of-memory)$/);
    order({});
    const finished = await (await workspace.resumeRun(run.id)).done;
    expect(finished.status).toBe('done');
    expect(finished.error).toBeUndefined();
    expect(finished.stages.every((entry) => entry.status === 'done')).toBe(true);
  });

  it('refuses a run that is done', async () => {
    const { workspace, request } = testRun();
    const run = await workspace.startRun(request);
    await run.done;
    await expect(workspace.resumeRun(run.id)).rejects.toMatchObject({ code: 'run-not-resumable' });
  });

  it('refuses a source that has changed, and one that is gone', async () => {
    const { workspace, request, order } = testRun();
    order({ evaluate: 'abort' });
    const run = await workspace.startRun(request);
    await run.done;
    writeFileSync(request.model, 'other weights');
    await expect(workspace.resumeRun(run.id)).rejects.toMatchObject({ code: 'run-not-resumable' });
    rmSync(request.model);
    await expect(workspace.resumeRun(run.id)).rejects.toMatchObject({ code: 'file-missing' });
  });

  it('refuses a finished file that is not what it was, and names it', async () => {
    const { workspace, request, order } = testRun();
    order({ evaluate: 'abort' });
    const run = await workspace.startRun(request);
    await run.done;
    writeFileSync(join(run.folder, '02-optimize.json'), '{}');
    await expect(workspace.resumeRun(run.id)).rejects.toMatchObject({
      code: 'run-corrupt',
      where: { file: join(run.folder, '02-optimize.json') },
    });
  });

  it('refuses a finished model that has changed, and one that is gone', async () => {
    const { workspace, request, order } = testRun();
    order({ evaluate: 'abort' });
    const run = await workspace.startRun(request);
    await run.done;
    writeFileSync(join(run.folder, 'optimized.onnx'), 'optimized weights, and more');
    await expect(workspace.resumeRun(run.id)).rejects.toMatchObject({ code: 'run-corrupt' });
    rmSync(join(run.folder, 'optimized.onnx'));
    await expect(workspace.resumeRun(run.id)).rejects.toMatchObject({ code: 'run-corrupt' });
  });

  it('removes what a killed writer left', async () => {
    const { workspace, request, order } = testRun();
    order({ evaluate: 'abort' });
    const run = await workspace.startRun(request);
    await run.done;
    const left = join(run.folder, '.03-evaluate.json.0a1b2c3d.tmp');
    writeFileSync(left, '{"half');
    order({});
    await (await workspace.resumeRun(run.id)).done;
    expect(existsSync(left)).toBe(false);
    expect(statSync(join(run.folder, '03-evaluate.json')).size).toBeGreaterThan(0);
  });
});
