/** The supervisor and its job processes, with real processes that crash, hang, lie and leave things behind. */
import { existsSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { JobOutcome, RunJobOptions } from '../../native-workers/host/supervisor.ts';
import type { JobRequest } from '../../native-workers/protocol/jobs.ts';
import { testSupervisor } from '../helpers/test-supervisor.ts';
import { isAlive, waitUntil } from '../helpers/wait.ts';
import { INSPECT_FACTS } from '../helpers/worker-facts.ts';
import { testWorker } from '../helpers/worker-path.ts';

const inspect = (model: string): JobRequest<'inspect'> => ({ model });

/** Runs the inspect job with an order for the test worker. */
function order(
  model: string,
  options: RunJobOptions = {},
  supervisor = testSupervisor(),
): Promise<JobOutcome<'inspect'>> {
  return supervisor.runJob('inspect', inspect(model), options);
}

function rude(how: string): Promise<unknown> {
  process.env['HONE_TEST_RUDE'] = how;
  onTestFinished(() => {
    delete process.env['HONE_TEST_RUDE'];
  });
  const times = how === 'never-hello' ? { start: 2_000 } : {};
  return order('anything', {}, testSupervisor({ worker: testWorker('worker-rude.ts'), times }));
}

describe('a job', () => {
  it('gives its result, its memory and its time', async () => {
    const { result, peakRss, ms } = await order('well');
    expect(result).toEqual(INSPECT_FACTS);
    expect(peakRss).toBeGreaterThan(10e6);
    expect(ms).toBeGreaterThan(0);
  });

  it('gives its error as it was thrown', async () => {
    await expect(order('input-error')).rejects.toMatchObject({
      code: 'file-truncated',
      message: 'The file ends too early.',
      where: { file: 'model.onnx', offset: 12 },
    });
    await expect(order('plain-error')).rejects.toMatchObject({ code: 'internal', message: 'something else' });
    await expect(order('unhandled')).rejects.toMatchObject({ code: 'internal', message: 'thrown where nobody waits' });
  });

  it('reports progress and log lines', async () => {
    const seen: string[] = [];
    const cancel = new AbortController();
    const job = order('wait', {
      signal: cancel.signal,
      onProgress: (progress) => {
        seen.push(`${progress.phase} ${progress.total}`);
        cancel.abort();
      },
    });
    await expect(job).rejects.toMatchObject({ code: 'cancelled' });
    expect(seen[0]).toBe('waiting null');
  });

  it('has an environment without the tokens and flags of its host', async () => {
    process.env['GITHUB_TOKEN'] = 'secret';
    onTestFinished(() => {
      delete process.env['GITHUB_TOKEN'];
    });
    const lines: string[] = [];
    await order('environment', { onLog: (_, line) => lines.push(line) });
    const environment: unknown = JSON.parse(lines[0] ?? '');
    expect(environment).toHaveProperty('PATH');
    expect(environment).not.toHaveProperty('GITHUB_TOKEN');
    expect(environment).not.toHaveProperty('NODE_OPTIONS');
    expect(environment).not.toHaveProperty('VITEST');
  });

  it('does not start with a request that the schema refuses', async () => {
    const request = { model: 7 } as unknown as JobRequest<'inspect'>;
    await expect(testSupervisor().runJob('inspect', request)).rejects.toMatchObject({ code: 'protocol-violation' });
  });
});

describe('a worker that dies', () => {
  it.each([
    ['exit', 'worker-crashed', /exit code 7\. Its last words: the last words of the worker/],
    ['abort', 'worker-crashed', /SIGABRT/],
    ['segfault', 'worker-crashed', /SIGSEGV/],
    ['bad-alloc', 'worker-out-of-memory', /memory/],
  ])('by %s is %s', async (how, code, message) => {
    await expect(order(how)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('of a full JavaScript heap is out of memory', async () => {
    const supervisor = testSupervisor({ worker: testWorker('worker-entry.ts', ['--max-old-space-size=32']) });
    await expect(order('heap', {}, supervisor)).rejects.toMatchObject({ code: 'worker-out-of-memory' });
  });

  it('leaves no temporary files', async () => {
    const lines: string[] = [];
    await expect(order('spill', { onLog: (_, line) => lines.push(line) })).rejects.toMatchObject({
      code: 'worker-crashed',
    });
    expect(lines[0]).toMatch(/scratch-/);
    expect(existsSync(lines[0] ?? '')).toBe(false);
  });

  it('tells what it wrote before', async () => {
    const lines: string[] = [];
    await expect(order('exit', { onLog: (_, line) => lines.push(line) })).rejects.toThrow();
    expect(lines.join('\n')).toContain('the last words of the worker');
  });
});

describe('a worker that breaks the protocol', () => {
  it.each([
    ['never-hello', 'worker-start-failed'],
    ['exit', 'worker-start-failed'],
    ['old-version', 'protocol-mismatch'],
    ['unknown-message', 'protocol-violation'],
    ['two-hellos', 'protocol-violation'],
    ['no-hello', 'protocol-violation'],
  ])('%s: %s', async (how, code) => {
    await expect(rude(how)).rejects.toMatchObject({ code });
  });

  it.each(['raw-garbage', 'huge-message', 'wrong-result'])('%s: protocol-violation', async (how) => {
    await expect(order(how)).rejects.toMatchObject({ code: 'protocol-violation' });
  });

  it('is not there at all: worker-start-failed', async () => {
    const worker = { node: '/no/such/node', entry: 'main.ts' };
    await expect(order('well', {}, testSupervisor({ worker }))).rejects.toMatchObject({ code: 'worker-start-failed' });
  });
});

describe('cancel', () => {
  const times = { grace: 200 };

  it.each(['hang', 'deaf', 'silent'])('ends a job that does not listen (%s)', async (how) => {
    const cancel = new AbortController();
    const onLog = (): unknown => setTimeout(() => cancel.abort(), 100);
    const job = order(how, { signal: cancel.signal, onLog }, testSupervisor({ times }));
    await expect(job).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('ends what the worker started, too', async () => {
    const cancel = new AbortController();
    let child = 0;
    const job = order(
      'child',
      {
        signal: cancel.signal,
        onLog: (_, line) => {
          child = Number(/^child (\d+)$/.exec(line)?.[1] ?? child);
        },
        onProgress: () => cancel.abort(),
      },
      testSupervisor({ times }),
    );
    await expect(job).rejects.toMatchObject({ code: 'cancelled' });
    expect(child).toBeGreaterThan(0);
    await waitUntil(() => !isAlive(child));
  });

  it('before the start starts nothing', async () => {
    const supervisor = testSupervisor();
    await expect(order('well', { signal: AbortSignal.abort() }, supervisor)).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect(supervisor.running).toBe(0);
  });

  it('of the whole supervisor ends all jobs', async () => {
    const supervisor = testSupervisor({ times, parallel: 2 });
    const jobs = ['hang', 'wait', 'well'].map((model) => order(model, {}, supervisor));
    const outcomes = Promise.allSettled(jobs);
    await supervisor.close();
    expect((await outcomes).map((outcome) => outcome.status)).toEqual(['rejected', 'rejected', 'rejected']);
  });
});

describe('a worker that hangs', () => {
  it('in a native call is ended when its time is over', async () => {
    await expect(order('hang', { stallMs: 1_000 })).rejects.toMatchObject({ code: 'worker-hung' });
  });

  it('is not one that shows life, however long it takes', async () => {
    const cancel = new AbortController();
    let steps = 0;
    const job = order('deaf', {
      stallMs: 2_000,
      signal: cancel.signal,
      onLog: () => {
        steps++;
        if (steps === 150) cancel.abort();
      },
    });
    await expect(job).rejects.toMatchObject({ code: 'cancelled' });
  });
});
