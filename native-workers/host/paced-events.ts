/**
 * Events on their way to one page. Progress comes faster than anyone reads it, so of each run only the latest is sent, some
 * times a second; what must not be dropped goes at once.
 */
import type { StudioEvent } from '../protocol/studio.ts';

const PROGRESS_MS = 50;

export class PacedEvents {
  readonly #send: (event: StudioEvent) => void;
  readonly #keepsUp: () => boolean;
  /** The latest progress of each run that was not sent yet. */
  readonly #progress = new Map<string, StudioEvent>();
  #timer: NodeJS.Timeout | null = null;

  /** `keepsUp`: whether the page takes more; progress waits while it does not. */
  constructor(send: (event: StudioEvent) => void, keepsUp: () => boolean = () => true) {
    this.#send = send;
    this.#keepsUp = keepsUp;
  }

  push(event: StudioEvent): void {
    if (event.type === 'progress') {
      this.#progress.set(event.run, event);
      this.#timer ??= setTimeout(() => this.#sendProgress(), PROGRESS_MS);
      return;
    }
    // The stage that a waiting progress tells of may be over with this event.
    if (event.type === 'run') this.#progress.delete(event.manifest.id);
    this.#send(event);
  }

  /** Nothing is sent after this. */
  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#progress.clear();
  }

  #sendProgress(): void {
    this.#timer = null;
    if (!this.#keepsUp()) {
      this.#timer = setTimeout(() => this.#sendProgress(), PROGRESS_MS);
      return;
    }
    for (const event of this.#progress.values()) this.#send(event);
    this.#progress.clear();
  }
}
