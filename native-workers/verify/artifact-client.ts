/** The check's side of the process that runs an artifact. A process that dies is an answer too: the runtime refused. */
import { type ChildProcess, fork } from 'node:child_process';
import type { ArtifactSignature } from '../artifacts/target.ts';
import type { Feeds } from '../lib/engine.ts';
import { modulePath } from '../lib/program-files.ts';
import { HoneError } from '../protocol/errors.ts';
import type { ArtifactReply, ArtifactRequest } from './artifact-messages.ts';

/** The longest that opening or one run may take. */
const SILENCE_MS = 5 * 60_000;
const MOST_LINES = 200;

export class ArtifactClient {
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  #settle: ((reply: ArtifactReply | HoneError) => void) | null = null;
  #death: HoneError | null = null;

  private constructor() {
    this.#process = fork(modulePath('verify/artifact-process.ts'), [], {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.#keep(text));
    }
    this.#process.on('message', (reply: ArtifactReply) => {
      if (reply.type === 'log') this.#keep(reply.line);
      else this.#settle?.(reply);
    });
    this.#process.on('close', (code, signal) => {
      const last = this.#lines.findLast((line) => line.trim() !== '') ?? '';
      const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
      this.#death = new HoneError('worker-crashed', `The runtime of the artifact ended ${how}. ${last}`.trim());
      this.#settle?.(this.#death);
    });
  }

  /** Starts a process and opens the artifact. `module`: see `ArtifactTarget.runtimeModule`. Throws what the runtime says. */
  static async open(
    module: string,
    path: string,
    signature: ArtifactSignature,
  ): Promise<{ client: ArtifactClient; runtime: string }> {
    const client = new ArtifactClient();
    try {
      const reply = await client.#ask({ type: 'open', module, path, signature });
      return { client, runtime: reply.type === 'opened' ? reply.runtime : '' };
    } catch (thrown) {
      await client.end();
      throw thrown;
    }
  }

  async run(feeds: Feeds): Promise<Feeds> {
    const reply = await this.#ask({ type: 'run', feeds });
    return reply.type === 'outputs' ? reply.outputs : {};
  }

  /** What the runtime printed so far, line by line. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  async end(): Promise<void> {
    if (this.#death !== null) return;
    const closed = new Promise((resolve) => this.#process.once('close', resolve));
    this.#process.kill('SIGKILL');
    await closed;
  }

  #keep(text: string): void {
    for (const line of text.split('\n'))
      if (line.trim() !== '' && this.#lines.length < MOST_LINES) this.#lines.push(line);
  }

  #ask(request: ArtifactRequest): Promise<ArtifactReply> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#process.kill('SIGKILL'), SILENCE_MS);
      this.#settle = (reply) => {
        this.#settle = null;
        clearTimeout(timer);
        if (reply instanceof HoneError) reject(reply);
        else if (reply.type === 'failed') reject(HoneError.fromData(reply.error));
        else resolve(reply);
      };
      if (this.#death !== null) this.#settle(this.#death);
      else
        this.#process.send(request, (error) => error && this.#settle?.(new HoneError('worker-crashed', error.message)));
    });
  }
}
