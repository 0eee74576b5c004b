/** The benchmark's side of a variant process: starts it, asks one thing at a time, and tells how it died. */
import { type ChildProcess, fork } from 'node:child_process';
import { modulePath } from '../lib/program-files.ts';
import { HoneError } from '../protocol/errors.ts';
import { cleanMessage } from '../runtimes/onnxruntime-errors.ts';
import type { OpenedMessage, OpenMessage, ProfileRow, VariantReply, VariantRequest } from './variant-messages.ts';

/** The longest that one step (opening a model, one block) may take: less than the silence at which the host ends the job. */
const SILENCE_MS = 9 * 60_000;
/** Of what the runtime writes to standard error, this much is kept. */
const MOST_LOG = 8192;
/** ONNX Runtime's threads go on spinning after a run: 35 ms on one machine (1.30). Others must not run meanwhile. */
const SPIN_MS = 50;

export interface ColdStart {
  /** From asking for a process to a ready Node, and loading the runtime's library. */
  readonly load: number;
  readonly create: number;
  readonly firstRun: number;
}

export interface Opened extends OpenedMessage {
  readonly coldStart: ColdStart;
}

export class VariantClient {
  readonly #process: ChildProcess;
  readonly #threads: number;
  readonly #closed: Promise<void>;
  #log = '';
  #ended: HoneError | null = null;
  #settle: ((reply: VariantReply | HoneError) => void) | null = null;

  private constructor(process: ChildProcess, threads: number) {
    this.#process = process;
    this.#threads = threads;
    process.on('message', (reply) => this.#take(reply as VariantReply));
    process.on('error', (error) => this.#end(new HoneError('worker-start-failed', error.message, { cause: error })));
    this.#closed = new Promise((resolve) => {
      process.on('close', (code, signal) => {
        this.#end(this.#death(code, signal));
        resolve();
      });
    });
    process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (this.#log.length < MOST_LOG) this.#log += text;
    });
  }

  /** Starts a process, opens the model in it and warms up. Throws what the runtime says, or how the process died. */
  static async start(message: Omit<OpenMessage, 'type'>): Promise<{ client: VariantClient; opened: Opened }> {
    const askedAt = performance.timeOrigin + performance.now();
    const client = new VariantClient(
      fork(modulePath('bench/variant-process.ts'), [], {
        serialization: 'advanced',
        // Its own flags would be this process's: an inspector's port, a loader.
        execArgv: [],
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      }),
      message.threads,
    );
    try {
      const opened = await client.#ask({ type: 'open', ...message }, 'opened');
      const load = Math.max(0, opened.bootedAt - askedAt) + opened.addon;
      return { client, opened: { ...opened, coldStart: { load, create: opened.create, firstRun: opened.firstRun } } };
    } catch (thrown) {
      await client.end();
      throw thrown;
    }
  }

  /** Run times in milliseconds, and the peak of the process's memory so far in bytes. */
  async block(runs: number, rewarm: number): Promise<{ times: number[]; peakRss: number }> {
    const { times, peakRss } = await this.#ask({ type: 'block', rewarm, runs }, 'times');
    if (this.#threads > 1) await new Promise((resolve) => setTimeout(resolve, SPIN_MS));
    return { times: Array.from(times), peakRss };
  }

  async profile(runs: number): Promise<{ rows: readonly ProfileRow[]; placement: Readonly<Record<string, number>> }> {
    return this.#ask({ type: 'profile', runs }, 'profile');
  }

  /** Warnings that the runtime wrote, without times and colours, each once. */
  get warnings(): string[] {
    const lines = this.#log
      .split('\n')
      .map((line) => /\[W:onnxruntime:[^\]]*\]\s*(.*)/.exec(cleanMessage(line))?.[1] ?? '');
    return [...new Set(lines.filter((line) => line !== ''))];
  }

  /** Ends the process at once, for it holds nothing worth saving, and waits until its memory is free again. */
  async end(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#closed;
  }

  #ask<Type extends VariantReply['type']>(
    request: VariantRequest,
    type: Type,
  ): Promise<Extract<VariantReply, { type: Type }>> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#process.kill('SIGKILL');
        this.#settle?.(new HoneError('worker-hung', `A variant did not answer for ${SILENCE_MS / 60_000} minutes.`));
      }, SILENCE_MS);
      this.#settle = (reply) => {
        this.#settle = null;
        clearTimeout(timer);
        if (reply instanceof HoneError) reject(reply);
        else if (isOf(reply, type)) resolve(reply);
        else reject(reply.type === 'failed' ? HoneError.fromData(reply.error) : unexpected(reply.type));
      };
      if (this.#ended !== null) this.#settle(this.#ended);
      else this.#process.send(request, (error) => error && this.#end(this.#death(null, null)));
    });
  }

  #take(reply: VariantReply): void {
    this.#settle?.(reply);
  }

  #end(error: HoneError): void {
    this.#ended ??= error;
    this.#settle?.(this.#ended);
  }

  #death(code: number | null, signal: NodeJS.Signals | null): HoneError {
    const how = signal === null ? `with exit code ${code ?? 'unknown'}` : `by ${signal}`;
    const last = cleanMessage(this.#log.trim().split('\n').at(-1) ?? '');
    const said = last === '' ? '' : ` Its last words: ${last}`;
    // Only the system's memory killer sends SIGKILL to a process that was not told to end.
    const outOfMemory = signal === 'SIGKILL' || /out of memory|bad_alloc|Failed to allocate/i.test(this.#log);
    return new HoneError(
      outOfMemory ? 'worker-out-of-memory' : 'worker-crashed',
      `The process of a variant ended ${how}.${said}`,
    );
  }
}

function isOf<Type extends VariantReply['type']>(
  reply: VariantReply,
  type: Type,
): reply is Extract<VariantReply, { type: Type }> {
  return reply.type === type;
}

function unexpected(type: string): HoneError {
  return new HoneError('protocol-violation', `A variant process answered with '${type}'.`);
}
