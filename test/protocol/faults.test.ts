/** What goes wrong around a run: dead and rival hosts, full and read-only disks, damaged files. Finished results survive all. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { canMount, testDisk } from '../helpers/mount.ts';
import { stagesOf, type TestRun, testRun, testWorkspace } from '../helpers/test-run.ts';
import { isAlive, waitUntil } from '../helpers/wait.ts';

interface Host {
  readonly process: ChildProcess;
  readonly id: string;
  readonly folder: string;
  /** Of the worker that obeys `child`: the process that it started. */
  readonly grandchild: number;
}

/** Another host on the same library, in whose run the evaluate stage has started a process and hangs. */
async function startHost({ workspace, request, order }: TestRun): Promise<Host> {
  order({ evaluate: 'child' });
  const entry = fileURLToPath(new URL('../helpers/host-entry.ts', import.meta.url));
  const host = spawn(process.execPath, [entry, workspace.folder, request.model], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    host.kill('SIGKILL');
  });
  let started = { id: '', folder: '' };
  for await (const line of createInterface({ input: host.stdout })) {
    const event = JSON.parse(line);
    if (event.type === 'started') started = event;
    const child = /^child (\d+)$/.exec(event.message ?? '');
    if (child !== null) return { process: host, ...started, grandchild: Number(child[1]) };
  }
  throw new Error('The host ended before its run came to the evaluate stage.');
}

describe('two hosts on one library', () => {
  it('see the same runs, and never work on the same one', async () => {
    const test = testRun();
    const host = await startHost(test);
    const { workspace } = test;
    expect((await workspace.openRun('latest')).manifest).toMatchObject({ id: host.id, status: 'running' });
    expect(await workspace.listRuns()).toMatchObject([{ id: host.id, status: 'running' }]);
    await expect(workspace.resumeRun(host.id)).rejects.toMatchObject({ code: 'run-locked' });
    await expect(workspace.deleteRun(host.id)).rejects.toMatchObject({ code: 'run-locked' });
    test.order({});
    const own = await workspace.startRun(test.request);
    expect((await own.done).status).toBe('done');
    expect((await workspace.listRuns()).map((run) => run.status).sort()).toEqual(['done', 'running']);
  });

  it('can use the index at the same time', async () => {
    const { workspace, request } = testRun();
    const others = Array.from({ length: 3 }, () => testWorkspace(workspace.folder));
    const run = await workspace.startRun(request);
    const lists = others.flatMap((other) => Array.from({ length: 5 }, () => other.listRuns()));
    for (const list of await Promise.all(lists)) expect(list.map(({ id }) => id)).toEqual([run.id]);
    await run.done;
    for (const other of others) expect(await other.listRuns()).toMatchObject([{ id: run.id, status: 'done' }]);
  });
});

describe('a host that is killed', () => {
  it('takes its workers and theirs along, and its run can be resumed elsewhere', async () => {
    const test = testRun();
    const host = await startHost(test);
    expect(isAlive(host.grandchild)).toBe(true);
    host.process.kill('SIGKILL');
    await waitUntil(() => !isAlive(host.grandchild));
    const { workspace } = test;
    await waitUntil(async () => (await workspace.openRun(host.id)).manifest.status === 'interrupted');
    const { manifest } = await workspace.openRun(host.id);
    expect(stagesOf(manifest)).toBe('inspect done, optimize done, evaluate pending, benchmark pending, report pending');
    expect(await workspace.listRuns()).toMatchObject([{ status: 'interrupted' }]);
    expect(readdirSync(host.folder).some((name) => name.startsWith('scratch-'))).toBe(true);
    test.order({});
    const finished = await (await workspace.resumeRun(host.id)).done;
    expect(finished.status).toBe('done');
    expect(finished.stages.slice(0, 2)).toEqual(manifest.stages.slice(0, 2));
    expect(readdirSync(host.folder).some((name) => name.startsWith('scratch-'))).toBe(false);
  });
});

describe.skipIf(!canMount)('a full disk', () => {
  it('fails the stage that needs the room, keeps the rest, and resumes when there is room', async () => {
    const disk = testDisk(1024);
    const { request, order } = testRun();
    const workspace = testWorkspace(join(disk.folder, 'library'));
    order({ evaluate: 'big-facts' });
    const run = await workspace.startRun(request);
    const manifest = await run.done;
    expect(manifest.stages[2]).toMatchObject({ status: 'failed', error: { code: 'disk-full' } });
    expect(stagesOf(manifest)).toBe('inspect done, optimize done, evaluate failed, benchmark done, report done');
    expect(readdirSync(run.folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    order({});
    expect((await (await workspace.resumeRun(run.id)).done).status).toBe('done');
  });

  it('that has no room even for the manifest stops the run, with the last manifest whole', async () => {
    const disk = testDisk(1024);
    const { request, order } = testRun();
    const workspace = testWorkspace(join(disk.folder, 'library'));
    order({ evaluate: 'fill-disk' });
    const run = await workspace.startRun(request);
    await expect(run.done).rejects.toMatchObject({ code: 'disk-full' });
    expect(readdirSync(run.folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    const { manifest } = await workspace.openRun(run.id);
    expect(manifest.status).toBe('interrupted');
    expect(stagesOf(manifest)).toMatch(/^inspect done, optimize done, evaluate pending/);
    expect(await workspace.listRuns()).toMatchObject([{ id: run.id, status: 'interrupted' }]);
    await expect(workspace.startRun(request)).rejects.toMatchObject({ code: 'disk-full' });
    expect(readdirSync(join(workspace.folder, 'runs'))).toEqual([run.id]);
    rmSync(join(run.folder, 'filler'));
    order({});
    expect((await (await workspace.resumeRun(run.id)).done).status).toBe('done');
  });
});

describe('a library that cannot be written', () => {
  it.skipIf(!canMount)('can still be read', async () => {
    const disk = testDisk(4096);
    const { request } = testRun();
    const workspace = testWorkspace(join(disk.folder, 'library'));
    const run = await workspace.startRun(request);
    await run.done;
    await workspace.close();
    disk.setReadOnly(true);
    const reader = testWorkspace(join(disk.folder, 'library'));
    expect(await reader.listRuns()).toMatchObject([{ id: run.id, status: 'done' }]);
    expect((await reader.openRun(run.id)).manifest.status).toBe('done');
    await expect(reader.startRun(request)).rejects.toMatchObject({ code: 'no-permission' });
    await expect(reader.resumeRun(run.id)).rejects.toMatchObject({ code: 'no-permission' });
    await expect(reader.deleteRun(run.id)).rejects.toMatchObject({ code: 'no-permission' });
    await reader.close();
    disk.setReadOnly(false);
  });

  it('because a file is in its place says so', async () => {
    const { request } = testRun();
    const workspace = testWorkspace(request.model);
    await expect(workspace.startRun(request)).rejects.toMatchObject({
      code: 'no-permission',
      where: { file: request.model },
    });
  });
});

describe('what a power cut or a careless hand leaves', () => {
  it('a damaged index is made anew', async () => {
    const { workspace, request } = testRun();
    const run = await workspace.startRun(request);
    await run.done;
    await workspace.listRuns();
    workspace.library.close();
    const index = join(workspace.folder, 'library.db');
    const damages: [string, (bytes: Buffer) => Buffer][] = [
      ['no database', () => Buffer.from('not a database, but long enough to be looked at'.repeat(40))],
      ['half of it', (bytes) => bytes.subarray(0, bytes.length / 2)],
      ['zeros in the middle', (bytes) => bytes.fill(0, 100, bytes.length - 100)],
      ['nothing', () => Buffer.alloc(0)],
    ];
    const whole = readFileSync(index);
    for (const [name, damage] of damages) {
      for (const suffix of ['-wal', '-shm']) rmSync(index + suffix, { force: true });
      writeFileSync(index, damage(Buffer.from(whole)));
      const other = testWorkspace(workspace.folder);
      expect(await other.listRuns(), name).toMatchObject([{ id: run.id, status: 'done' }]);
      other.library.close();
    }
    rmSync(index);
    expect(await testWorkspace(workspace.folder).listRuns()).toHaveLength(1);
  });

  it('a half-written temporary file is no manifest', async () => {
    const { workspace, request } = testRun();
    const run = await workspace.startRun(request);
    await run.done;
    writeFileSync(join(run.folder, '.manifest.json.00c0ffee.tmp'), '{"schema": 1, "id"');
    expect((await workspace.openRun(run.id)).manifest.status).toBe('done');
  });

  it('a damaged manifest is named, listed, and can be deleted; the other runs are there', async () => {
    const { workspace, request } = testRun();
    const [first, second] = [await workspace.startRun(request), await workspace.startRun(request)];
    await Promise.all([first.done, second.done]);
    const file = join(first.folder, 'manifest.json');
    writeFileSync(file, readFileSync(file, 'utf8').slice(0, 100));
    await expect(workspace.openRun(first.id)).rejects.toMatchObject({ code: 'run-corrupt', where: { file } });
    await expect(workspace.resumeRun(first.id)).rejects.toMatchObject({ code: 'run-corrupt' });
    const list = await workspace.listRuns();
    expect(list).toHaveLength(2);
    expect(list.find(({ id }) => id === first.id)).toMatchObject({
      status: 'failed',
      title: expect.stringMatching(/damaged/),
    });
    await workspace.deleteRun(first.id);
    expect(await workspace.listRuns()).toMatchObject([{ id: second.id, status: 'done' }]);
  });

  it('a run of a newer Hone is not touched', async () => {
    const { workspace, request } = testRun();
    const run = await workspace.startRun(request);
    const manifest = await run.done;
    writeFileSync(join(run.folder, 'manifest.json'), JSON.stringify({ ...manifest, schema: 99, unheardOf: true }));
    await expect(workspace.openRun(run.id)).rejects.toMatchObject({ code: 'report-version' });
    await expect(workspace.resumeRun(run.id)).rejects.toMatchObject({ code: 'report-version' });
  });

  it('a run folder deleted by hand is gone from the list', async () => {
    const { workspace, request } = testRun();
    const run = await workspace.startRun(request);
    await run.done;
    expect(await workspace.listRuns()).toHaveLength(1);
    rmSync(run.folder, { recursive: true });
    expect(await workspace.listRuns()).toEqual([]);
  });
});
