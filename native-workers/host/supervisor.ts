/**
 * The host's side of the protocol: one process a job, a queue in front of them, and a promise that always settles.
 * One supervisor a host process, so that nothing runs beside a benchmark.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { z } from 'zod';
import { makeFolder } from '../lib/make-folder.ts';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import { JOBS, type JobName, type JobRequest, type JobResult } from '../protocol/jobs.ts';
import type { Progress } from '../protocol/messages.ts';
import { schemaText } from '../protocol/schema-text.ts';
import { type JobTimes, runJobProcess } from './job-process.ts';
import { Lanes } from './lanes.ts';
import { findWorker, type WorkerPath } from './worker-path.ts';

export interface SupervisorOptions {
  /** What job processes are started with; found by `findWorker` unless said. */
  readonly worker?: WorkerPath;
  /** Most jobs at a time; one less than the cores unless said. */
  readonly parallel?: number;
  readonly times?: Partial<JobTimes>;
}

export interface RunJobOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly onLog?: ((level: 'info' | 'warning', message: string) => void) | undefined;
  /** Longest silence of the worker in milliseconds before it counts as hung. */
  readonly stallMs?: number;
  /** Folder for the job's temporary files, which are gone when it has ended; the system's unless said. */
  readonly scratch?: string;
}

export interface JobOutcome<Name extends JobName> {
  readonly result: JobResult<Name>;
  /** Peak memory of the process, bytes. */
  readonly peakRss: number;
  /** From the start of the process to its end; the time in the queue does not count. */
  readonly ms: number;
}

/** Generous where a slow machine would suffer: a false alarm costs the user's work, a late one only time. */
export const JOB_TIMES: JobTimes = { start: 60_000, stall: 600_000, grace: 2_000 };

/** Jobs that measure time. */
const ALONE: ReadonlySet<JobName> = new Set(['stage-benchmark', 'benchmark']);

/** Jobs that hold batches of activations, one after the other. What measures time keeps the settings that users have. */
const SMALL_MEMORY_JOBS: ReadonlySet<JobName> = new Set(['stage-optimize']);

/** Prefix of temporary folders, by which a run folder recognises what a killed host left. */
export const SCRATCH_PREFIX = 'scratch-';

export class Supervisor {
  readonly #worker: WorkerPath | undefined;
  readonly #times: JobTimes;
  readonly #lanes: Lanes;
  readonly #closing = new AbortController();
  readonly #jobs = new Set<Promise<unknown>>();

  constructor(options: SupervisorOptions = {}) {
    this.#worker = options.worker;
    this.#times = { ...JOB_TIMES, ...options.times };
    this.#lanes = new Lanes(options.parallel ?? Math.max(1, availableParallelism() - 1));
  }

  /** Jobs that run now. */
  get running(): number {
    return this.#lanes.running;
  }

  /**
   * Does one job in a process of its own when its turn comes. Rejects with the error of the job, `cancelled`, or what became
   * of the process: `worker-crashed`, `worker-out-of-memory`, `worker-hung`, `worker-start-failed`, `protocol-mismatch`,
   * `protocol-violation`. When it settles, the process and all that it started have ended.
   */
  runJob<Name extends JobName>(
    name: Name,
    request: JobRequest<Name>,
    options: RunJobOptions = {},
  ): Promise<JobOutcome<Name>> {
    const signals = [this.#closing.signal, ...(options.signal === undefined ? [] : [options.signal])];
    const cancel = linked(signals);
    const job = this.#lanes
      .run(ALONE.has(name), () => this.#run(name, request, { ...options, signal: cancel.signal }), cancel.signal)
      .finally(cancel.release);
    this.#jobs.add(job);
    const forget = (): boolean => this.#jobs.delete(job);
    job.then(forget, forget);
    return job;
  }

  /** Cancels all jobs and waits for their end. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#jobs);
  }

  async #run<Name extends JobName>(
    name: Name,
    request: JobRequest<Name>,
    options: RunJobOptions,
  ): Promise<JobOutcome<Name>> {
    const checked = JOBS[name].request.safeParse(request);
    if (!checked.success) throw violation(`request of job ${name}`, checked.error);
    const worker = this.#worker ?? findWorker();
    const scratch = await makeScratch(options.scratch ?? tmpdir());
    const start = performance.now();
    try {
      const answer = await runJobProcess({
        worker,
        job: name,
        request: checked.data,
        scratch,
        signal: options.signal,
        onProgress: options.onProgress,
        onLog: options.onLog,
        smallMemory: SMALL_MEMORY_JOBS.has(name),
        times: { ...this.#times, ...(options.stallMs === undefined ? {} : { stall: options.stallMs }) },
      });
      const result = JOBS[name].result.safeParse(answer.result);
      if (!result.success) throw violation(`result of job ${name}`, result.error);
      return { result: result.data as JobResult<Name>, peakRss: answer.peakRss, ms: performance.now() - start };
    } finally {
      await rm(scratch, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
    }
  }
}

async function makeScratch(parent: string): Promise<string> {
  try {
    makeFolder(parent);
    return await mkdtemp(join(parent, SCRATCH_PREFIX));
  } catch (thrown) {
    throw toHoneError(thrown);
  }
}

function violation(what: string, error: z.ZodError): HoneError {
  return new HoneError('protocol-violation', `The schema does not allow the ${what}: ${schemaText(error)}`);
}

/**
 * One signal for several, whose listeners go when the job ends. `AbortSignal.any` would keep a weak entry for each job on
 * the supervisor's signal until garbage collection comes around.
 */
function linked(signals: readonly AbortSignal[]): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  for (const signal of signals) {
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort);
  }
  const release = (): void => {
    for (const signal of signals) signal.removeEventListener('abort', abort);
  };
  return { signal: controller.signal, release };
}
