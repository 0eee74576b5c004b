/** A search that is killed, its worker alone and then with its host, and goes on where it was. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Manifest, PassRow } from '../../native-workers/protocol/facts.ts';
import { type HoneProcess, startHone } from '../helpers/run-hone.ts';
import { ROOT } from '../helpers/sources.ts';
import { temporaryFolder } from '../helpers/temp.ts';
import { isAlive, waitUntil } from '../helpers/wait.ts';

const SAMPLE = join(ROOT, 'assets', 'samples', 'printed-letters');

/** What was measured, by the name of its file. */
type Memory = Readonly<Record<string, unknown>>;

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

  get #memoryFolder(): string {
    return join(this.folder, 'measured');
  }

  get memory(): Memory {
    const folder = this.#memoryFolder;
    const names = existsSync(folder) ? readdirSync(folder).filter((name) => /^[0-9a-f]{64}\.json$/.test(name)) : [];
    return Object.fromEntries(
      names.flatMap((name) => {
        try {
          return [[name, JSON.parse(readFileSync(join(folder, name), 'utf8'))]];
        } catch (thrown) {
          // A stage that is done takes its measurements away while they are looked at.
          if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
          throw thrown;
        }
      }),
    );
  }

  remember(memory: Memory): void {
    mkdirSync(this.#memoryFolder, { recursive: true });
    for (const [name, answer] of Object.entries(memory))
      writeFileSync(join(this.#memoryFolder, name), JSON.stringify(answer));
  }

  get manifest(): Manifest {
    return JSON.parse(readFileSync(join(this.folder, 'manifest.json'), 'utf8')) as Manifest;
  }

  set manifest(manifest: Manifest) {
    writeFileSync(join(this.folder, 'manifest.json'), JSON.stringify(manifest));
  }

  /** Waits until `found` answers of a kind are there; fails when the process ends before. */
  async measured(process: HoneProcess, isOne: (answer: unknown) => boolean, count: number): Promise<void> {
    const found = (): number => Object.values(this.memory).filter(isOne).length;
    await waitUntil(() => found() >= count || process.child.exitCode !== null);
    if (process.child.exitCode !== null) throw new Error(`It ended before: ${process.written().err}`);
  }

  optimized() {
    const facts = readdirSync(this.folder).find((name) => /^\d+-optimize\.json$/.test(name)) ?? '';
    const { passes } = JSON.parse(readFileSync(join(this.folder, facts), 'utf8')) as { passes: PassRow[] };
    const search = passes.find(({ pass }) => pass === 'quantize-search');
    return {
      sha256: this.manifest.models.find(({ id }) => id === 'optimized')?.sha256,
      // With their times, which no second measurement would repeat.
      points: search?.details?.['search'] as { drop: number; ms: number }[],
      layers: search?.details?.['sensitivity'] as { alone: number }[],
      calibration: passes.flatMap(({ calibration }) => (calibration === undefined ? [] : [calibration])),
    };
  }
}

const has =
  (field: string) =>
  (answer: unknown): answer is object =>
    typeof answer === 'object' && answer !== null && field in answer;
const [isRanges, isSensitivity, isResult] = [has('parameters'), has('alone'), has('drop')];

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
    await run.measured(first, isSensitivity, 2);
    process.kill(workerOf(first), 'SIGKILL');
    const { code, err } = await first.ended;
    expect(code, err).toBe(4);
    expect(err).toContain('optimize: failed');
    const afterFirst = run.memory;
    expect(Object.values(afterFirst).filter(isRanges)).toHaveLength(1);

    // A sensitivity that no measurement would give: where it shows in the result, it was not measured again.
    const [layer, changes] = Object.entries(afterFirst).find(([, answer]) => isSensitivity(answer)) ?? [];
    const marked: Memory = { ...afterFirst, [layer as string]: { ...(changes as object), alone: 777 } };
    run.remember(marked);

    const second = run.resume();
    await run.measured(second, isResult, 1);
    const worker = workerOf(second);
    second.child.kill('SIGKILL');
    await second.ended;
    await waitUntil(() => !isAlive(worker));
    const afterSecond = run.memory;
    expect(afterSecond).toMatchObject(marked);

    // The same with a loss.
    const [candidate, answer] = Object.entries(afterSecond).find(([, known]) => isResult(known)) ?? [];
    run.remember({ [candidate as string]: { ...(answer as object), drop: 12.345 } });
    const third = run.resume();
    let all: Memory = {};
    const watching = setInterval(() => {
      all = { ...all, ...run.memory };
    }, 20);
    expect((await third.ended).code).toBe(0);
    clearInterval(watching);
    const done = run.optimized();
    expect(done.points.map(({ drop }) => drop)).toContain(12.345);
    expect(done.layers.map(({ alone }) => alone)).toContain(777);
    expect(done.sha256).toMatch(/^[0-9a-f]{64}$/);
    // What was noticed of the data is told although the data was not calibrated on again.
    expect(done.calibration.map(({ samples }) => samples)).toEqual([48, 48]);
    // Done is done: nothing needs the measurements any more.
    expect(run.memory).toEqual({});

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
    run.remember(all);
    const last = await run.resume().ended;
    expect(last.code, last.err).toBe(0);
    expect(run.optimized()).toEqual(done);
  });
});
