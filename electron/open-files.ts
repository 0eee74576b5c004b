/**
 * Files that the system asks to open: a double click, a drop on the dock, a second start with arguments. They may come before
 * there is a page to tell of them.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

export class OpenFiles {
  #waiting: string[] = [];
  #open: ((path: string) => void) | null = null;

  add(paths: readonly string[]): void {
    if (this.#open === null) this.#waiting.push(...paths);
    else for (const path of paths) this.#open(path);
  }

  /** There is a page that listens: `open` tells it of a file. */
  pageReady(open: (path: string) => void): void {
    this.#open = open;
    const paths = this.#waiting;
    this.#waiting = [];
    this.add(paths);
  }

  /** The page is gone; files wait for the next one. */
  pageGone(): void {
    this.#open = null;
  }
}

/**
 * The files among the arguments of a start. `skip` counts what comes before them: the program, and in development the folder
 * of the app. Chromium adds switches of its own, and moves them before the rest.
 */
export function filesInArguments(argv: readonly string[], skip: number, folder: string): string[] {
  return argv
    .filter((argument) => !argument.startsWith('-'))
    .slice(skip)
    .map((argument) => resolve(folder, argument))
    .filter((path) => existsSync(path));
}
