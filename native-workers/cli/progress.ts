/** Progress on standard error: one line that is redrawn on a terminal, now and then a plain line elsewhere. */
import type { Progress } from '../protocol/messages.ts';
import { plain } from './text.ts';

const REDRAW_MS = 100;
/** A log file gets a line when the phase changes, and not more often than this within a phase. */
const LINE_MS = 5_000;
const BAR = 24;

export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export class ProgressLine {
  readonly #stream: Terminal;
  readonly #now: () => number;
  #phase = '';
  #written = Number.NEGATIVE_INFINITY;
  #drawn = false;

  constructor(stream: Terminal, now: () => number = Date.now) {
    this.#stream = stream;
    this.#now = now;
  }

  update(stage: string, progress: Progress): void {
    const phase = `${stage}: ${progress.phase}`;
    const now = this.#now();
    const changed = phase !== this.#phase;
    if (!changed && now - this.#written < (this.#stream.isTTY === true ? REDRAW_MS : LINE_MS)) return;
    this.#phase = phase;
    this.#written = now;
    if (this.#stream.isTTY === true) {
      this.#draw(progress);
    } else {
      this.#stream.write(`${plain(this.#text(progress))}\n`);
    }
  }

  /** A line of text that stays, above the bar. */
  line(text: string): void {
    this.clear();
    this.#stream.write(`${plain(text)}\n`);
  }

  /** Takes the bar away. */
  clear(): void {
    if (this.#drawn) this.#stream.write('\r\u001b[K');
    this.#drawn = false;
  }

  #draw(progress: Progress): void {
    const share = progress.total === null || progress.total === 0 ? null : Math.min(1, progress.done / progress.total);
    const filled = Math.round((share ?? 0) * BAR);
    const bar = share === null ? '' : `[${'='.repeat(filled)}${' '.repeat(BAR - filled)}] `;
    const text = plain(`${bar}${this.#text(progress)}`);
    this.#stream.write(`\r\u001b[K${text.slice(0, (this.#stream.columns ?? 80) - 1)}`);
    this.#drawn = true;
  }

  #text({ done, total, detail }: Progress): string {
    const counts = total === null ? '' : ` ${Math.floor(done)}/${total}`;
    return `${this.#phase}${counts}${detail === undefined ? '' : `, ${detail}`}`;
  }
}
