/** Two hundred jobs, good and bad ones, and nothing is left of them: no process, file, listener, handle or memory. */
import { getEventListeners } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import type { Supervisor } from '../../native-workers/host/supervisor.ts';
import { temporaryFolder } from '../helpers/temp.ts';
import { testSupervisor } from '../helpers/test-supervisor.ts';
import { waitUntil } from '../helpers/wait.ts';

/** One of each twenty; the rest are good. */
const BAD = ['exit', 'input-error', 'raw-garbage', 'kill'];
const JOBS = 200;

async function runJobs(supervisor: Supervisor, scratch: string, signal: AbortSignal, count: number): Promise<string[]> {
  const jobs = Array.from({ length: count }, (_, index) => {
    const model = BAD[index % 20] ?? 'well';
    return supervisor.runJob('inspect', { model }, { scratch, signal }).then(
      () => 'done',
      (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : 'unknown'),
    );
  });
  return Promise.all(jobs);
}

/** Numbers of the living or dead children of this process. */
function children(): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ');
        return fields[1] === String(process.pid) ? [Number(pid)] : [];
      } catch {
        return [];
      }
    });
}

function openFiles(): number {
  return process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0;
}

async function heapBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  for (let round = 0; round < 3; round++) {
    if (typeof collect === 'function') collect();
    await turn();
  }
  return process.memoryUsage().heapUsed;
}

function handles(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((name) => !/Timeout|Immediate/.test(name))
    .sort();
}

it('leave nothing behind', async () => {
  const scratch = temporaryFolder();
  const supervisor = testSupervisor({ parallel: 2 });
  const { signal } = new AbortController();
  await runJobs(supervisor, scratch, signal, 20);
  const before = { files: openFiles(), handles: handles(), children: children(), heap: await heapBytes() };
  const outcomes = await runJobs(supervisor, scratch, signal, JOBS);
  const after = { files: openFiles(), handles: handles(), children: children(), heap: await heapBytes() };

  expect(outcomes.filter((code) => code === 'done')).toHaveLength(JOBS * 0.8);
  expect(outcomes.filter((code) => code === 'file-truncated')).toHaveLength(JOBS / 20);
  expect(outcomes.filter((code) => code === 'protocol-violation')).toHaveLength(JOBS / 20);
  expect(supervisor.running).toBe(0);
  expect(readdirSync(scratch)).toEqual([]);
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  expect(process.listenerCount('exit')).toBeLessThan(10);
  await waitUntil(() => children().length <= before.children.length);
  expect(after.handles).toEqual(before.handles);
  expect(after.files).toBeLessThanOrEqual(before.files + 2);
  // 10 KB a job would show as 2 MB.
  expect(after.heap - before.heap).toBeLessThan(2e6);
}, 300_000);
