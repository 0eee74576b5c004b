/**
 * The lock on a run folder: one process works on a run at a time. It is a lock of the operating system, taken through SQLite
 * on an empty file, because that is gone the moment its process dies: no stale file, no number of a dead process that another
 * one got since, no race of two who both find it stale.
 */
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HoneError } from '../protocol/errors.ts';

const NAME = 'lock';
/** A look at the lock by another process takes microseconds; a holder keeps it. */
const WAIT_MS = 250;

/** `SQLITE_BUSY` of sqlite3.h: another connection holds the lock. */
const SQLITE_BUSY = 5;

export class RunLock {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Throws `run-locked` when another studio, command or run has it; `no-permission` when the folder cannot be written. */
  static acquire(folder: string): RunLock {
    const path = join(folder, NAME);
    let database: DatabaseSync | undefined;
    try {
      // SQLite would open what cannot be written for reading, and then a lock excludes nobody.
      accessSync(existsSync(path) ? path : folder, constants.W_OK);
      database = new DatabaseSync(path, { timeout: WAIT_MS });
      // Nothing is ever written; with its journal in memory the file stays alone and empty.
      database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
      return new RunLock(database);
    } catch (thrown) {
      database?.close();
      if (isBusy(thrown)) {
        throw new HoneError('run-locked', 'Another Hone process works on this run.', { where: { file: folder } });
      }
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      throw new HoneError('no-permission', `The run folder cannot be locked: ${why}`, {
        where: { file: folder },
        cause: thrown,
      });
    }
  }

  /** Also done by the system when this process ends. */
  release(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

/** True when a living process works on the run. */
export function isLocked(folder: string): boolean {
  const path = join(folder, NAME);
  if (!existsSync(path)) return false;
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly: true });
    database.prepare('SELECT count(*) FROM sqlite_schema').get();
    return false;
  } catch (thrown) {
    return isBusy(thrown);
  } finally {
    database?.close();
  }
}

function isBusy(thrown: unknown): boolean {
  return thrown instanceof Error && 'errcode' in thrown && thrown.errcode === SQLITE_BUSY;
}
