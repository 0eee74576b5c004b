/**
 * All that a shell (the studio's hosts, the command line) does with runs: start, resume, cancel, open, list, delete. One
 * workspace a process, since its supervisor's queue keeps everything else quiet while a benchmark runs.
 */
import { readFile, rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import type { Manifest } from '../protocol/facts.ts';
import { type RunRequest, runRequestSchema } from '../protocol/request.ts';
import { schemaText } from '../protocol/schema-text.ts';
import type { RunSummary } from '../protocol/studio.ts';
import { Library } from './library.ts';
import { RunLock } from './lock.ts';
import { prepareResume } from './resume.ts';
import { ActiveRun, newManifest } from './run.ts';
import {
  createRunFolder,
  defaultLibrary,
  deleteRunFolder,
  ensureWritable,
  findRun,
  newRunId,
  REPORT,
  readManifest,
  writeManifest,
} from './run-store.ts';
import { Supervisor, type SupervisorOptions } from './supervisor.ts';

export interface WorkspaceOptions {
  /** Folder of the library; `defaultLibrary()` unless said. */
  readonly library?: string;
  readonly supervisor?: SupervisorOptions;
}

export interface OpenedRun {
  readonly folder: string;
  readonly manifest: Manifest;
}

export class Workspace {
  readonly supervisor: Supervisor;
  readonly library: Library;
  /** Runs that go on in this process, by id. */
  readonly #active = new Map<string, ActiveRun>();

  constructor(options: WorkspaceOptions = {}) {
    this.supervisor = new Supervisor(options.supervisor);
    this.library = new Library(resolve(options.library ?? defaultLibrary()));
  }

  /** Folder of the library. */
  get folder(): string {
    return this.library.folder;
  }

  /**
   * Makes the run folder and begins. Rejects before anything is made when the model is not there (`file-missing`), the request
   * is not valid (`invalid-options`), or the library or `request.out` cannot be written (`no-permission`, `disk-full`).
   */
  async startRun(request: RunRequest): Promise<ActiveRun> {
    const checked = runRequestSchema.safeParse(request);
    if (!checked.success) throw new HoneError('invalid-options', schemaText(checked.error));
    const full = { ...checked.data, model: resolve(checked.data.model) };
    const id = newRunId(full.model);
    const manifest = await newManifest(id, full);
    if (full.out !== undefined) await ensureWritable(full.out);
    const folder = await createRunFolder(this.folder, id);
    const lock = RunLock.acquire(folder);
    try {
      await writeManifest(folder, manifest);
    } catch (thrown) {
      lock.release();
      await rm(folder, { recursive: true, force: true });
      throw toHoneError(thrown);
    }
    return this.#adopt(new ActiveRun(this.supervisor, folder, lock, manifest, full));
  }

  /**
   * Goes on with an unfinished run from its first stage that is not done. Rejects with `run-not-resumable` when all is done or
   * the source model is another one, `run-corrupt` when a finished file is not what it was, `run-locked`, `unknown-run`.
   */
  async resumeRun(idOrPath: string): Promise<ActiveRun> {
    const folder = await findRun(this.folder, idOrPath);
    const lock = RunLock.acquire(folder);
    try {
      const { manifest, request } = await prepareResume(this.supervisor, folder);
      await writeManifest(folder, manifest);
      return this.#adopt(new ActiveRun(this.supervisor, folder, lock, manifest, request));
    } catch (thrown) {
      lock.release();
      throw toHoneError(thrown);
    }
  }

  /** A run that goes on in this process, to watch or cancel it. */
  activeRun(id: string): ActiveRun | undefined {
    return this.#active.get(id);
  }

  activeRuns(): ActiveRun[] {
    return [...this.#active.values()];
  }

  /** By id, the unique beginning of an id, `latest`, or the path of the run folder. */
  async openRun(idOrPath: string): Promise<OpenedRun> {
    const folder = await findRun(this.folder, idOrPath);
    return { folder, manifest: await readManifest(folder) };
  }

  /** The text of the run's `report.json`. Throws `file-missing` when there is none yet. */
  async readReport(idOrPath: string): Promise<string> {
    const folder = await findRun(this.folder, idOrPath);
    return readFile(join(folder, REPORT), 'utf8').catch((thrown: unknown) => {
      throw toHoneError(thrown);
    });
  }

  /** The newest first; every word of the search is in its title, model, recipe, status or id. */
  listRuns(search = ''): Promise<RunSummary[]> {
    return this.library.list(search);
  }

  /** Throws `run-locked` for a run that goes on, here or elsewhere. */
  async deleteRun(id: string): Promise<void> {
    await deleteRunFolder(this.folder, basename(await findRun(this.folder, id)));
  }

  /** Cancels what goes on here and waits for its end. */
  async close(): Promise<void> {
    for (const run of this.#active.values()) run.cancel();
    await Promise.allSettled([...this.#active.values()].map((run) => run.done));
    await this.supervisor.close();
    this.library.close();
  }

  #adopt(run: ActiveRun): ActiveRun {
    this.#active.set(run.id, run);
    const forget = (): boolean => this.#active.delete(run.id);
    run.done.then(forget, forget);
    return run;
  }
}
