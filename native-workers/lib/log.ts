/** A log file: one line an entry, with time and level. A line is on its way to the disk before the call returns. */
import { appendFileSync } from 'node:fs';

export type LogLevel = 'info' | 'warning' | 'error';

export class Log {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Never throws: a full disk shall fail the work that needs the room, not the line that tells of it. */
  write(level: LogLevel, message: string): void {
    const text = message.trimEnd().replaceAll('\n', '\n  ');
    try {
      appendFileSync(this.#path, `${new Date().toISOString()} ${level.padEnd(7)} ${text}\n`);
    } catch {
      // Nowhere to tell it.
    }
  }
}
