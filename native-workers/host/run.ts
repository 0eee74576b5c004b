/**
 * One run from its request to its report: the stages in order, each a job in a process of its own, with the manifest written
 * before and after each. A killed process leaves a folder that says what finished; resuming goes on from there.
 *
 * Failure is local. Without the inspect and optimize stages there is no result, so their failure fails the run; a failed
 * evaluation, benchmark or packaging is a row, and the report says so. The report is made whatever failed before it.
 */
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { hashFile } from '../lib/hash-file.ts';
import { Log } from '../lib/log.ts';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import { environmentSchema, type Manifest, STAGES, type StageName } from '../protocol/facts.ts';
import type { JobResult } from '../protocol/jobs.ts';
import { type Progress, withLive } from '../protocol/messages.ts';
import type { RunRequest } from '../protocol/request.ts';
import type { StudioEvent } from '../protocol/studio.ts';
import { HONE_VERSION, RUN_SCHEMA_VERSION } from '../protocol/version.ts';
import { copyResults } from './copy-results.ts';
import type { RunLock } from './lock.ts';
import { LOG, removeLeftovers, stageFile, writeManifest } from './run-store.ts';
import type { Supervisor } from './supervisor.ts';

/** What a run tells: the events of the studio that are about runs. */
export type RunEvent = Extract<StudioEvent, { type: 'run' | 'progress' | 'log' }>;

export type StageRow = Manifest['stages'][number];

/** The stages without which there is nothing to go on with. */
const ESSENTIAL: ReadonlySet<StageName> = new Set(['inspect', 'optimize']);

/** The manifest of a run that has not begun. */
export async function newManifest(id: string, request: RunRequest): Promise<Manifest> {
  const { model, recipe, seed, ...rest } = request;
  const { size } = await stat(model).catch((thrown: unknown) => {
    throw toHoneError(thrown);
  });
  const now = new Date().toISOString();
  return {
    schema: RUN_SCHEMA_VERSION,
    hone: HONE_VERSION,
    id,
    title: `${basename(model)}, ${recipe.title ?? recipe.name}`,
    created: now,
    updated: now,
    status: 'running',
    // The inspect stage hashes the model with its external data.
    source: { path: model, name: basename(model), bytes: size, sha256: '' },
    recipe,
    seed,
    request: rest,
    environment: null,
    stages: STAGES.filter((name) => name !== 'package' || (request.targets?.length ?? 0) > 0).map(pendingRow),
    models: [],
  };
}

export function pendingRow(name: StageName): StageRow {
  return { name, status: 'pending', ms: null, peakRss: null };
}

/** A run that is going on in this process. */
export class ActiveRun {
  readonly id: string;
  readonly folder: string;
  /**
   * The final manifest, whatever became of the run: done, failed or cancelled. Rejects only when the run folder cannot be
   * written any more (`disk-full`, `no-permission`); the run is then `interrupted`, and what had finished is there.
   */
  readonly done: Promise<Manifest>;
  readonly #supervisor: Supervisor;
  readonly #request: RunRequest;
  readonly #log: Log;
  readonly #cancelled = new AbortController();
  readonly #listeners = new Set<(event: RunEvent) => void>();
  #manifest: Manifest;
  /** Of the stage that is going on; null before it says anything. */
  #progress: Progress | null = null;

  /** `manifest` says which stages are still to be done; the folder is there and locked. */
  constructor(supervisor: Supervisor, folder: string, lock: RunLock, manifest: Manifest, request: RunRequest) {
    this.id = manifest.id;
    this.folder = folder;
    this.#supervisor = supervisor;
    this.#request = request;
    this.#manifest = manifest;
    this.#log = new Log(join(folder, LOG));
    this.done = this.#run().finally(() => lock.release());
    // Whoever waits gets the error; without anyone waiting it shall not end the process.
    this.done.catch(() => undefined);
  }

  get manifest(): Manifest {
    return this.#manifest;
  }

  /** The last that the stage that is going on told, with what it had found; null between stages. */
  get progress(): { stage: StageName; progress: Progress } | null {
    const stage = this.#manifest.stages.find(({ status }) => status === 'running')?.name;
    return stage === undefined || this.#progress === null ? null : { stage, progress: this.#progress };
  }

  /** Calls the listener for every event from now on, until the returned function is called. */
  subscribe(listener: (event: RunEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Asks the current stage to stop, and ends its process when it does not. `done` tells when that has happened. */
  cancel(): void {
    this.#cancelled.abort();
  }

  async #run(): Promise<Manifest> {
    // Listeners subscribe after the constructor has returned.
    await Promise.resolve();
    this.#tell(
      'info',
      `Run ${this.id} of ${this.#request.model} with ${this.#request.recipe.name}, Hone ${HONE_VERSION}.`,
    );
    for (const { name, status } of this.#manifest.stages) {
      if (status !== 'pending') continue;
      const blocked = name === 'report' ? undefined : this.#manifest.error;
      if (blocked === undefined) await this.#stage(name);
      else await this.#setRow(name, { status: 'skipped', reason: `The run had failed before: ${blocked.message}` });
      if (this.#manifest.status === 'cancelled') return this.#manifest;
    }
    await this.#copyOut();
    await this.#update({ status: this.#manifest.error === undefined ? 'done' : 'failed' });
    this.#tell('info', `The run is ${this.#manifest.status}.`);
    return this.#manifest;
  }

  async #stage(name: StageName): Promise<void> {
    this.#progress = null;
    await this.#setRow(name, { status: 'running' });
    this.#emit({ type: 'progress', run: this.id, stage: name, progress: { phase: 'waiting', done: 0, total: null } });
    try {
      if (this.#cancelled.signal.aborted) throw new HoneError('cancelled', 'The run was cancelled.');
      await this.#finish(name, await this.#job(name));
    } catch (thrown) {
      await this.#fail(name, toHoneError(thrown));
    }
  }

  #job(name: StageName): Promise<{ result: JobResult<'stage-report'>; peakRss: number; ms: number }> {
    const request = { run: this.folder, file: join(this.folder, stageFile(name)), request: this.#request };
    return this.#supervisor.runJob(`stage-${name}`, request, {
      signal: this.#cancelled.signal,
      scratch: this.folder,
      onProgress: (progress) => {
        this.#progress = withLive(progress, this.#progress);
        this.#emit({ type: 'progress', run: this.id, stage: name, progress });
      },
      onLog: (level, message) => this.#tell(level, message),
    });
  }

  async #finish(
    name: StageName,
    { result, peakRss, ms }: { result: JobResult<'stage-report'>; peakRss: number; ms: number },
  ): Promise<void> {
    const models = new Map([...this.#manifest.models, ...result.models].map((model) => [model.id, model]));
    const changes: Partial<Manifest> = { models: [...models.values()] };
    const source = models.get('source');
    if (name === 'inspect' && source !== undefined) {
      changes.source = { ...this.#manifest.source, bytes: source.bytes, sha256: source.sha256 };
    }
    if (result.skipped !== undefined) {
      await this.#setRow(name, { status: 'skipped', reason: result.skipped, ms, peakRss }, changes);
      return;
    }
    const file = stageFile(name);
    const { sha256 } = await hashFile(join(this.folder, file));
    if (name === 'benchmark') changes.environment = await readEnvironment(join(this.folder, file));
    await this.#setRow(name, { status: 'done', ms, peakRss, file, sha256 }, changes);
  }

  async #fail(name: StageName, error: HoneError): Promise<void> {
    this.#log.write('error', `${name}: ${error.code}: ${error.message}`);
    // Nothing else writes here now, and half a model may be what the disk has no room for.
    await removeLeftovers(this.folder).catch(() => undefined);
    if (error.code === 'cancelled') {
      const reason = this.#progress === null ? {} : { reason: `Stopped at: ${progressText(this.#progress)}.` };
      const row = { status: 'cancelled', ...reason, ...(await this.#keptFacts(name)) } as const;
      await this.#setRow(name, row, { status: 'cancelled' });
      return;
    }
    const data = error.toData();
    const fatal = ESSENTIAL.has(name) || name === 'report';
    // The first error is the cause; a report that fails after it is a consequence.
    const changes = fatal && this.#manifest.error === undefined ? { error: data } : {};
    await this.#setRow(name, { status: 'failed', error: data }, changes);
  }

  /** The facts of a stage that was stopped: packaging writes those of each artifact as soon as it is made. */
  async #keptFacts(name: StageName): Promise<Pick<StageRow, 'file' | 'sha256'>> {
    const file = stageFile(name);
    if (name !== 'package' || !existsSync(join(this.folder, file))) return {};
    return { file, sha256: (await hashFile(join(this.folder, file))).sha256 };
  }

  async #copyOut(): Promise<void> {
    if (this.#request.out === undefined) return;
    try {
      await copyResults(this.folder, this.#manifest, this.#request.out);
    } catch (thrown) {
      const error = toHoneError(thrown);
      const message = `The results are in ${this.folder}, but could not be copied: ${error.message}`;
      this.#log.write('error', message);
      if (this.#manifest.error !== undefined) return;
      await this.#update({
        error: new HoneError(error.code, message, { where: { file: this.#request.out } }).toData(),
      });
    }
  }

  #setRow(name: StageName, row: Partial<StageRow>, changes: Partial<Manifest> = {}): Promise<void> {
    this.#log.write('info', `${name}: ${row.status}${row.reason === undefined ? '' : `: ${row.reason}`}`);
    const stages = this.#manifest.stages.map((old) => (old.name === name ? { ...pendingRow(name), ...row } : old));
    return this.#update({ ...changes, stages });
  }

  async #update(changes: Partial<Manifest>): Promise<void> {
    this.#manifest = { ...this.#manifest, ...changes, updated: new Date().toISOString() };
    await writeManifest(this.folder, this.#manifest);
    this.#emit({ type: 'run', manifest: this.#manifest });
  }

  #tell(level: 'info' | 'warning', message: string): void {
    this.#log.write(level, message);
    this.#emit({ type: 'log', run: this.id, level, message });
  }

  #emit(event: RunEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (thrown) {
        // Who watches does not stop the work.
        this.#log.write('error', `A listener failed: ${toHoneError(thrown).message}`);
      }
    }
  }
}

const benchmarkedSchema = z.object({ environment: environmentSchema });

/** The machine of the run is the one that the benchmark saw. */
async function readEnvironment(file: string): Promise<Manifest['environment']> {
  const facts: unknown = JSON.parse(await readFile(file, 'utf8'));
  return benchmarkedSchema.safeParse(facts).data?.environment ?? null;
}

/** How far a stage had come, and what it had found so far where it says so. */
function progressText({ phase, done, total, detail }: Progress): string {
  const counts = total === null ? '' : ` (${Math.floor(done)} of ${total})`;
  return `${phase}${detail === undefined ? '' : `, ${detail}`}${counts}`;
}
