/** What a job sees of its host: progress and log lines go out, a cancel comes in. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Channel } from '../lib/channel.ts';
import { HoneError } from '../protocol/errors.ts';
import type { Progress, WorkerMessage } from '../protocol/messages.ts';
import type { JobContext } from './job.ts';

/** Jobs report per node or batch; a person sees no more than this. */
const PROGRESS_INTERVAL_MS = 50;

export class WorkerContext implements JobContext {
  readonly #channel: Channel;
  #cancelled = false;
  #phase = '';
  #sentAt = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  cancel(): void {
    this.#cancelled = true;
  }

  async progress(progress: Progress): Promise<void> {
    const now = performance.now();
    const complete = progress.total !== null && progress.done >= progress.total;
    if (complete || progress.phase !== this.#phase || now - this.#sentAt >= PROGRESS_INTERVAL_MS) {
      this.#phase = progress.phase;
      this.#sentAt = now;
      this.#send({ type: 'progress', progress });
    }
    // Waiting messages are read only when the event loop turns.
    await turn();
    if (this.#cancelled) throw new HoneError('cancelled', 'The job was cancelled.');
  }

  log(level: 'info' | 'warning', message: string): void {
    this.#send({ type: 'log', level, message });
  }

  #send(message: WorkerMessage): void {
    this.#channel.send(message);
  }
}
