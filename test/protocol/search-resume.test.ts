/** A search that is killed, its worker alone and then with its host, and goes on where it was. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../native-workers/protocol/facts.ts';
import { type HoneProcess, startHone } from '../helpers/run-hone.ts';
import { ROOT } from '../helpers/sources.ts';
import { temporaryFolder } from '../helpers/temp.ts';
import { isAlive, waitUntil } from '../helpers/wait.ts';

const SAMPLE = join(ROOT, 'assets', 'samples', 'printed-letters');

type Memory = Record<string, unknown>;

class SearchRun {
  readonly library = temporaryFolder();

  start(): HoneProcess {
    const model = join(SAMPLE, 'model.onnx');
    const data = ['--calib', join(SAMPLE, 'calib.zip'), '--eval', join(SAMPLE, 'test.zip'), '--samples', '48'];
    const search = ['--set', 'quantize-search.points=6', '--set', 'quantize-search.probes=8', '--max-drop', '100'];
    return startHone(this.library, ['optimize', model, '--preset', 'int8-auto', ...data, ...search, '--seconds', '1']);
  }

  resume(): HoneProcess {
    return startHone(this.library, ['resume', 'latest']);
  }

  get folder(): string {
    const runs = join(this.library, 'runs');
    const [id = ''] = existsSync(runs) ? readdirSync(runs) : [];
    return join(runs, id);
  }

  get #memoryPath(): string {
    return join(this.folder, 'search-results.json');
  }

  /** What was measured so far, by key. */
  get memory(): Memory {
    return existsSync(this.#memoryPath) ? (JSON.parse(readFileSync(this.#memoryPath, 'utf8')) as Memory) : {};
  }

  set memory(memory: Memory) {
    writeFileSync(this.#memoryPath, JSON.stringify(memory));
  }

  get manifest(): Manifest {
    return JSON.parse(readFileSync(join(this.folder, 'manifest.json'), 'utf8')) as Manifest;
  }

  set manifest(manifest: Manifest) {
    writeFileSync(join(this.folder, 'manifest.json'), JSON.stringify(manifest));
  }

  /** Waits until the search has measured so many things more; fails when the process ends before. */
  async measured(process: HoneProcess, count: number): Promise<void> {
    await waitUntil(() => Object.keys(this.memory).length >= count || process.child.exitCode !== null);
    if (process.child.exitCode !== null) throw new Error(`It ended before: ${process.written().err}`);
  }

  optimized(): { sha256: string | undefined; drops: number[] } {
    const facts = readdirSync(this.folder).find((name) => /^\d+-optimize\.json$/.test(name)) ?? '';
    const { passes } = JSON.parse(readFileSync(join(this.folder, facts), 'utf8')) as {
      passes: { pass: string; details?: { search?: { drop: number }[] } }[];
    };
    const points = passes.find(({ pass }) => pass === 'quantize-search')?.details?.search ?? [];
    const model = this.manifest.models.find(({ id }) => id === 'optimized');
    return { sha256: model?.sha256, drops: points.map(({ drop }) => drop) };
  }
}

/** The job process of a host. */
function workerOf(host: HoneProcess): number {
  const rows = String(execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='])).split('\n');
  const found = rows
    .map((row) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(row))
    .find((row) => {
      return Number(row?.[2]) === host.child.pid && row?.[3]?.includes(join('worker', 'main')) === true;
    });
  if (found?.[1] === undefined) throw new Error('The host has no worker.');
  return Number(found[1]);
}

describe.skipIf(process.platform === 'win32')('a search that is killed', () => {
  it('keeps what it measured, never measures it again, and ends at the same model', { timeout: 600_000 }, async () => {
    const run = new SearchRun();

    const first = run.start();
    await run.measured(first, 3);
    process.kill(workerOf(first), 'SIGKILL');
    const { code, err } = await first.ended;
    expect(code, err).toBe(4);
    expect(err).toContain('optimize: failed');
    const afterFirst = run.memory;

    const second = run.resume();
    await run.measured(second, Object.keys(afterFirst).length + 1);
    const worker = workerOf(second);
    second.child.kill('SIGKILL');
    await second.ended;
    await waitUntil(() => !isAlive(worker));
    const afterSecond = run.memory;
    expect(afterSecond).toMatchObject(afterFirst);

    // A measured loss that no measurement would give: where it shows in the result, it was not measured again.
    const marked = Object.entries(afterSecond).find(([, answer]) => isResult(answer));
    expect(marked).toBeDefined();
    const [key, answer] = marked as [string, object];
    run.memory = { ...afterSecond, [key]: { ...answer, drop: 12.345 } };
    expect((await run.resume().ended).code).toBe(0);
    const done = run.optimized();
    expect(done.drops).toContain(12.345);
    expect(done.sha256).toMatch(/^[0-9a-f]{64}$/);
    const afterThird = run.memory;
    expect(afterThird).toMatchObject({ ...afterSecond, [key]: { ...answer, drop: 12.345 } });

    // As if it had been killed when all was measured: nothing is measured any more, and the model is the same.
    const { manifest } = run;
    const [inspect, ...rest] = manifest.stages;
    const pending = rest.map(({ name }) => ({ name, status: 'pending' as const, ms: null, peakRss: null }));
    run.manifest = {
      ...manifest,
      status: 'interrupted',
      stages: [inspect as Manifest['stages'][number], ...pending],
      models: manifest.models.filter(({ parent }) => parent === null),
    };
    const last = await run.resume().ended;
    expect(last.code, last.err).toBe(0);
    expect(run.memory).toEqual(afterThird);
    expect(run.optimized()).toEqual(done);
  });
});

function isResult(answer: unknown): boolean {
  return typeof answer === 'object' && answer !== null && 'drop' in answer;
}
