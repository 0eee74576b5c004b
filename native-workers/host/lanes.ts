/**
 * The queue of jobs: first come, first served; several at a time, but one that measures runs alone, since anything beside it
 * would be in its numbers.
 */
import { HoneError } from '../protocol/errors.ts';

interface Waiting {
  readonly alone: boolean;
  enter(): void;
}

export class Lanes {
  readonly #width: number;
  readonly #waiting: Waiting[] = [];
  #running = 0;
  #alone = false;

  /** `width`: most jobs at a time. */
  constructor(width: number) {
    this.#width = width;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Runs `task` when its turn comes. Rejects with `cancelled`, without running it, when the signal comes first. */
  async run<T>(alone: boolean, task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#enter(alone, signal);
    try {
      return await task();
    } finally {
      this.#running--;
      this.#alone = false;
      this.#admit();
    }
  }

  #enter(alone: boolean, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        reject(new HoneError('cancelled', 'The job was cancelled before it began.'));
        this.#admit();
      };
      const entry: Waiting = {
        alone,
        enter: () => {
          signal?.removeEventListener('abort', cancel);
          resolve();
        },
      };
      this.#waiting.push(entry);
      if (signal?.aborted) {
        cancel();
        return;
      }
      signal?.addEventListener('abort', cancel);
      this.#admit();
    });
  }

  /** Lets in from the front only: a benchmark that waits is not overtaken for ever by small jobs. */
  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#alone || this.#running >= (next.alone ? 1 : this.#width)) return;
      this.#waiting.shift();
      this.#running++;
      this.#alone = next.alone;
      next.enter();
    }
  }
}
