/**
 * The index of the library: one row a run, for lists and searches. It holds nothing of its own. Each list first takes in what
 * changed in the run folders, so a folder that was copied in or deleted by hand is noticed, and an index that is missing,
 * damaged or of an older version is made anew. Where the library cannot be written, the index is in memory.
 */

import { rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeFolder } from '../lib/make-folder.ts';
import { type RunSummary, runSummarySchema } from '../protocol/studio.ts';
import { MANIFEST, REPORT, runIds } from './run-store.ts';
import { readSummary } from './run-summary.ts';

const FILE = 'library.db';
/** Of the table below, in `PRAGMA user_version`. */
const INDEX_VERSION = 1;
/** Another studio writes rows for moments only. */
const BUSY_MS = 5_000;

const SCHEMA = `
  DROP TABLE IF EXISTS runs;
  CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    -- Times and sizes of the files that the row was made from.
    stamp TEXT NOT NULL,
    status TEXT NOT NULL,
    -- A run summary as JSON.
    summary TEXT NOT NULL,
    -- What a search looks in, in lower case.
    text TEXT NOT NULL
  ) STRICT;
  PRAGMA user_version = ${INDEX_VERSION};
`;

export class Library {
  readonly folder: string;
  #database: DatabaseSync | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Runs whose title, model, recipe, status, hash or id holds every word of the search, newest first. */
  list(search = ''): Promise<RunSummary[]> {
    // One after the other, since each may find the index damaged and replace it.
    const list = this.#last.then(() => this.#list(search));
    this.#last = list.catch(() => undefined);
    return list;
  }

  close(): void {
    this.#database?.close();
    this.#database = undefined;
  }

  async #list(search: string): Promise<RunSummary[]> {
    const path = join(this.folder, FILE);
    const places = [path, path, ':memory:'];
    for (const place of places) {
      try {
        this.#database ??= openIndex(place);
        await this.#refresh(this.#database);
        return select(this.#database, search);
      } catch (thrown) {
        if (!isSqliteError(thrown) || place === places.at(-1)) throw thrown;
        this.close();
        if (isDamage(thrown)) removeIndex(path);
      }
    }
    return [];
  }

  async #refresh(database: DatabaseSync): Promise<void> {
    const known = new Map(
      database
        .prepare('SELECT id, stamp, status FROM runs')
        .all()
        .map((row) => [String(row['id']), row]),
    );
    const put = database.prepare(
      'INSERT OR REPLACE INTO runs (id, stamp, status, summary, text) VALUES (?, ?, ?, ?, ?)',
    );
    for (const id of await runIds(this.folder)) {
      const folder = join(this.folder, 'runs', id);
      const stamp = await stampOf(folder);
      // Deleted since it was listed.
      if (stamp === null) continue;
      const row = known.get(id);
      known.delete(id);
      // A running one can be interrupted without a trace in its files.
      if (row?.['stamp'] === stamp && row['status'] !== 'running') continue;
      const summary = await readSummary(folder, id);
      put.run(id, stamp, summary.status, JSON.stringify(summary), textOf(summary));
    }
    const drop = database.prepare('DELETE FROM runs WHERE id = ?');
    for (const id of known.keys()) drop.run(id);
  }
}

function openIndex(path: string): DatabaseSync {
  if (path !== ':memory:') {
    try {
      makeFolder(dirname(path));
    } catch {
      // SQLite will say that it cannot open the file.
    }
  }
  const database = new DatabaseSync(path, { timeout: BUSY_MS });
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE');
    const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
    if (version < INDEX_VERSION) database.exec(SCHEMA);
    database.exec('COMMIT');
    return version > INDEX_VERSION ? openIndex(':memory:') : database;
  } catch (thrown) {
    database.close();
    throw thrown;
  }
}

function select(database: DatabaseSync, search: string): RunSummary[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const condition = words.map(() => `text LIKE ? ESCAPE '!'`).join(' AND ') || 'true';
  const patterns = words.map((word) => `%${word.replaceAll(/[!%_]/g, '!$&')}%`);
  const rows = database.prepare(`SELECT summary FROM runs WHERE ${condition} ORDER BY id DESC`).all(...patterns);
  return rows.map((row) => runSummarySchema.parse(JSON.parse(String(row['summary']))));
}

function textOf({ id, title, status, model, modelSha256, recipe }: RunSummary): string {
  return [id, title, status, model, modelSha256, recipe].join('\n').toLowerCase();
}

async function stampOf(folder: string): Promise<string | null> {
  const parts = await Promise.all(
    [MANIFEST, REPORT].map((name) =>
      stat(join(folder, name)).then(
        ({ mtimeMs, size, ino }) => `${mtimeMs} ${size} ${ino}`,
        () => null,
      ),
    ),
  );
  return parts[0] === null ? null : parts.join(', ');
}

function isSqliteError(thrown: unknown): thrown is Error & { errcode: number } {
  return thrown instanceof Error && 'errcode' in thrown && typeof thrown.errcode === 'number';
}

/** Primary result codes of sqlite3.h: SQLITE_ERROR (a table that is not as it should be), SQLITE_CORRUPT, SQLITE_NOTADB. */
const DAMAGE = new Set([1, 11, 26]);

function isDamage(error: { errcode: number }): boolean {
  return DAMAGE.has(error.errcode & 0xff);
}

/** Another process that has the old file open goes on with it, and finds the run folders in it as before. */
function removeIndex(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) {
    try {
      rmSync(path + suffix, { force: true });
    } catch {
      // Open elsewhere, on Windows: the index is then in memory.
    }
  }
}
