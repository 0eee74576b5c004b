/**
 * One job in one process: starts it, shakes hands, checks every message, watches the clock, cancels, and turns whatever
 * happens into one outcome. `session.run()` blocks the thread of the worker, so all clocks are here.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex, Readable } from 'node:stream';
import { z } from 'zod';
import { Channel } from '../lib/channel.ts';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import { type HostMessage, type Progress, type WorkerMessage, workerMessageSchema } from '../protocol/messages.ts';
import { schemaText } from '../protocol/schema-text.ts';
import { PROTOCOL_VERSION } from '../protocol/version.ts';
import { killTree, ownProcess, TREE_OPTIONS } from './process-tree.ts';
import { SMALL_MEMORY } from './small-memory.ts';
import { deathError, memoryKills } from './worker-death.ts';
import { workerEnvironment } from './worker-environment.ts';
import type { WorkerPath } from './worker-path.ts';

export interface JobProcessOptions {
  readonly worker: WorkerPath;
  readonly job: string;
  readonly request: unknown;
  /** The working folder and the temporary folder of the process. */
  readonly scratch: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly onLog?: ((level: 'info' | 'warning', message: string) => void) | undefined;
  readonly times: JobTimes;
  /** Gives memory back at once, at the cost of some speed; see `small-memory.ts`. */
  readonly smallMemory?: boolean;
}

/** In milliseconds. */
export interface JobTimes {
  /** From the start of the process to its hello. */
  readonly start: number;
  /** Without a sign of life after that. */
  readonly stall: number;
  /** From the cancel flag to SIGKILL. */
  readonly grace: number;
}

/** What the worker answered; the caller checks `result` against the job's schema. */
export interface JobAnswer {
  readonly result: unknown;
  /** Bytes. */
  readonly peakRss: number;
}

/** After its answer a worker has nothing to do but exit. */
const EXIT_MS = 2_000;
/** After SIGKILL: only a process stuck in the kernel takes longer, and nobody shall wait for that. */
const REAP_MS = 5_000;
/** The pipes of a dead process are read to their end, unless something else holds them open. */
const DRAIN_MS = 500;
/** Kept of the process's own output. */
const OUTPUT_CHARACTERS = 64 << 10;
/** The stall clock ticks this often in its time. It counts ticks, so that the sleep of a laptop is no stall. */
const STALL_TICKS = 20;

/** Of a worker of any version; the rest of its messages may differ. */
const versionSchema = z.object({ type: z.literal('hello'), protocol: z.number() });

/** Rejects with the codes that `Supervisor.runJob` names. */
export async function runJobProcess(options: JobProcessOptions): Promise<JobAnswer> {
  let job: JobProcess;
  try {
    job = new JobProcess(options);
  } catch (thrown) {
    // Without a file descriptor left, `spawn` returns a process without pipes.
    throw new HoneError('worker-start-failed', 'The system has no room for another process.', { cause: thrown });
  }
  return job.outcome;
}

class JobProcess {
  readonly outcome: Promise<JobAnswer>;
  readonly #options: JobProcessOptions;
  readonly #child: ChildProcess;
  readonly #channel: Channel;
  readonly #memoryKills = memoryKills();
  readonly #timers: NodeJS.Timeout[] = [];
  #resolve: (answer: JobAnswer) => void = () => undefined;
  #reject: (error: HoneError) => void = () => undefined;
  /** The first thing that decides the outcome; it stands once the process has ended. */
  #verdict: { answer: JobAnswer } | { error: HoneError } | undefined;
  #greeted = false;
  #cancelled = false;
  #silentTicks = 0;
  #output = '';
  #settled = false;

  constructor(options: JobProcessOptions) {
    this.#options = options;
    this.outcome = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const { node, entry, flags = [] } = options.worker;
    const memory = options.smallMemory === true ? SMALL_MEMORY : { flags: [], environment: {} };
    this.#child = spawn(node, ['--disable-warning=ExperimentalWarning', ...memory.flags, ...flags, entry], {
      ...TREE_OPTIONS,
      cwd: options.scratch,
      env: { ...workerEnvironment(process.env, options.scratch), ...memory.environment },
      // The fourth is the channel; `overlapped` is what Windows needs to read and write it at once, and `pipe` elsewhere.
      stdio: ['ignore', 'pipe', 'pipe', 'overlapped'],
    });
    this.#child.once('error', (error) => this.#startFailed(error.message));
    ownProcess(this.#child);
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream && this.#keepOutput(stream);
    this.#channel = new Channel(this.#child.stdio[3] as Duplex, {
      message: (value) => this.#take(value),
      garbage: (reason) => this.#violation(`sent no message but garbage (${reason})`),
      closed: () => undefined,
    });
    this.#child.once('exit', (code, signal) => this.#exited(code, signal));
    this.#after(options.times.start, () => {
      if (!this.#greeted) this.#startFailed(`it did not say hello in ${options.times.start} ms`);
    });
    this.#watchStall();
    if (options.signal?.aborted) this.#cancel();
    else options.signal?.addEventListener('abort', this.#cancel);
  }

  #take(value: unknown): void {
    if (this.#verdict !== undefined) return;
    this.#silentTicks = 0;
    const version = versionSchema.safeParse(value);
    if (version.success && version.data.protocol !== PROTOCOL_VERSION) {
      const text = `The worker speaks protocol ${version.data.protocol}, the host ${PROTOCOL_VERSION}.`;
      this.#fail(new HoneError('protocol-mismatch', text));
      return;
    }
    const message = workerMessageSchema.safeParse(value);
    if (!message.success) this.#violation(`sent an unknown message: ${schemaText(message.error)}`);
    else if ((message.data.type === 'hello') === this.#greeted) this.#violation('did not say hello first, and once');
    else this.#receive(message.data);
  }

  #receive(message: WorkerMessage): void {
    const { job, request } = this.#options;
    switch (message.type) {
      case 'hello':
        this.#greeted = true;
        this.#send({ type: 'start', protocol: PROTOCOL_VERSION, job, request });
        // A cancel that came before the hello had nobody to read it.
        if (this.#cancelled) this.#send({ type: 'cancel' });
        return;
      case 'progress':
        this.#options.onProgress?.(message.progress);
        return;
      case 'log':
        this.#options.onLog?.(message.level, message.message);
        return;
      case 'result':
        this.#decide({ answer: { result: message.result, peakRss: message.peakRss } });
        return;
      case 'error':
        this.#decide({ error: HoneError.fromData(message.error) });
        return;
    }
  }

  readonly #cancel = (): void => {
    this.#cancelled = true;
    if (this.#greeted) this.#send({ type: 'cancel' });
    this.#after(this.#options.times.grace, () => this.#fail(this.#cancelledError()));
  };

  #send(message: HostMessage): void {
    try {
      this.#channel.send(message);
    } catch (thrown) {
      // A request that cannot be serialised.
      this.#fail(toHoneError(thrown));
    }
  }

  /** The worker has answered, and gets a moment to exit by itself. */
  #decide(verdict: { answer: JobAnswer } | { error: HoneError }): void {
    this.#verdict ??= verdict;
    this.#after(EXIT_MS, () => this.#kill());
  }

  /** Something is wrong: the process ends now. */
  #fail(error: HoneError): void {
    this.#verdict ??= { error };
    this.#kill();
  }

  #kill(): void {
    killTree(this.#child);
    this.#after(REAP_MS, () => this.#settle());
  }

  #violation(what: string): void {
    this.#fail(new HoneError('protocol-violation', `The worker of ${this.#options.job} ${what}.`));
  }

  #startFailed(why: string): void {
    const { node } = this.#options.worker;
    this.#fail(new HoneError('worker-start-failed', `The worker could not start: ${why}.`, { where: { file: node } }));
    if (this.#child.pid === undefined) this.#settle();
  }

  #exited(code: number | null, signal: string | null): void {
    // Processes that the worker started hold its pipes and the machine; they end with it.
    killTree(this.#child);
    const conclude = (): void => {
      this.#verdict ??= { error: this.#death(code, signal) };
      this.#settle();
    };
    this.#child.once('close', conclude);
    this.#after(DRAIN_MS, conclude);
  }

  #death(code: number | null, signal: string | null): HoneError {
    const { job, onLog } = this.#options;
    if (this.#output.trim() !== '') onLog?.('warning', `Output of the worker before it ended:\n${this.#output.trim()}`);
    if (!this.#greeted && signal === null) {
      const message = `The worker of ${job} ended with exit code ${code} before it said hello.`;
      return new HoneError('worker-start-failed', `${message} ${this.#output.trim().slice(-400)}`.trim());
    }
    const kills = memoryKills();
    const killedForMemory = kills === null || this.#memoryKills === null ? null : kills > this.#memoryKills;
    return deathError({ job, code, signal, output: this.#output, killedForMemory });
  }

  #settle(): void {
    if (this.#settled) return;
    this.#settled = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#options.signal?.removeEventListener('abort', this.#cancel);
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
    this.#channel.destroy();
    const verdict = this.#verdict;
    if (verdict !== undefined && 'answer' in verdict) this.#resolve(verdict.answer);
    else this.#reject(this.#cancelled || verdict === undefined ? this.#cancelledError() : verdict.error);
  }

  #cancelledError(): HoneError {
    return new HoneError('cancelled', `The job ${this.#options.job} was cancelled.`);
  }

  #watchStall(): void {
    const { stall } = this.#options.times;
    const tick = (): void => {
      if (this.#verdict !== undefined || !this.#greeted) return;
      this.#silentTicks++;
      if (this.#silentTicks > STALL_TICKS) {
        const message = `The worker of ${this.#options.job} gave no sign of life for ${Math.round(stall / 1000)} s.`;
        this.#fail(new HoneError('worker-hung', message));
      }
    };
    const timer = setInterval(tick, stall / STALL_TICKS);
    this.#timers.push(timer);
  }

  #keepOutput(stream: Readable): void {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      this.#output = (this.#output + text).slice(-OUTPUT_CHARACTERS);
    });
  }

  #after(ms: number, act: () => void): void {
    if (!this.#settled) this.#timers.push(setTimeout(act, ms));
  }
}
