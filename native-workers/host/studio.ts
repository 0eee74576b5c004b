/**
 * The studio's side of the engine, the same for Electron and the browser host: every method of `protocol/studio.ts`, checked
 * on the way in and out, and the events of all runs. What differs between hosts (dialogs, where a report is saved) is a port.
 */
import { basename, join } from 'node:path';
import { z } from 'zod';
import { checkTargets, findTargetFacts, TARGET_FACTS } from '../artifacts/targets.ts';
import { passInfo, targetInfo } from '../passes/option-form.ts';
import { completeOptions } from '../passes/options.ts';
import { PRESETS } from '../passes/presets.ts';
import { findPass, PASSES } from '../passes/registry.ts';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import type { Manifest } from '../protocol/facts.ts';
import { MOST_LIVE } from '../protocol/live.ts';
import { type Preprocess, runRequestSchema } from '../protocol/request.ts';
import { schemaText } from '../protocol/schema-text.ts';
import {
  type Grant,
  STUDIO_METHODS,
  type StudioEvent,
  type StudioMethod,
  type StudioParams,
  type StudioResult,
} from '../protocol/studio.ts';
import { HONE_VERSION } from '../protocol/version.ts';
import { readPackageFacts } from '../report/facts-files.ts';
import { liveTargetOf } from '../report/live-target.ts';
import { openReport } from '../report/read.ts';
import { renderReport } from '../report/render.ts';
import { verify } from '../report/verify.ts';
import { Grants } from './grants.ts';
import type { ActiveRun } from './run.ts';
import { readRunLog } from './run-log.ts';
import { REPORT } from './run-store.ts';
import type { Workspace } from './workspace.ts';

type PickKind = StudioParams<'files.pick'>['kind'];

/** What the host of the page does in its own way. */
export interface StudioPorts {
  readonly host: 'electron' | 'browser';
  /** Lets the user choose on this machine; paths, none when the dialog was left. */
  pick(kind: PickKind): Promise<string[]>;
  /** Asks where to save a text and saves it. False when the dialog was left; null where the page saves it itself. */
  save(name: string, text: string): Promise<boolean | null>;
}

type Handlers = { readonly [Name in StudioMethod]: (params: StudioParams<Name>) => Promise<StudioResult<Name>> };

/** What carries calls and events to a page needs of the studio. */
export type StudioService = Pick<Studio, 'call' | 'subscribe' | 'grants'>;

export class Studio {
  readonly grants = new Grants();
  readonly #workspace: Workspace;
  readonly #ports: StudioPorts;
  readonly #reportView: string;
  readonly #listeners = new Set<(event: StudioEvent) => void>();
  readonly #handlers: Handlers;

  /** `reportView`: folder of the built report view, which exported HTML carries. */
  constructor(workspace: Workspace, ports: StudioPorts, reportView: string) {
    this.#workspace = workspace;
    this.#ports = ports;
    this.#reportView = reportView;
    this.#handlers = this.#makeHandlers();
  }

  /** Any call of the page. Rejects with a catalogue error; `protocol-violation` for what the protocol does not have. */
  async call(method: string, params: unknown): Promise<unknown> {
    if (!isMethod(method)) throw new HoneError('protocol-violation', `There is no method ${method}.`);
    return this.#call(method, params);
  }

  /** Events of all runs of this process, from now on, until the returned function is called. */
  subscribe(listener: (event: StudioEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The system asked to open a file: the page gets a grant for it. */
  async openFile(path: string): Promise<void> {
    this.#emit({ type: 'open-file', grant: await this.grants.grant(path) });
  }

  async #call<Name extends StudioMethod>(method: Name, params: unknown): Promise<StudioResult<Name>> {
    const checked = STUDIO_METHODS[method].params.safeParse(params);
    if (!checked.success) throw violation(`parameters of ${method}`, checked.error);
    const result = await this.#handlers[method](checked.data as StudioParams<Name>);
    const answer = STUDIO_METHODS[method].result.safeParse(result);
    if (!answer.success) throw violation(`result of ${method}`, answer.error);
    return answer.data as StudioResult<Name>;
  }

  #makeHandlers(): Handlers {
    const workspace = this.#workspace;
    return {
      hello: async () => ({
        hone: HONE_VERSION,
        host: this.#ports.host,
        platform: process.platform,
        library: workspace.folder,
        passes: PASSES.map(passInfo),
        presets: [...PRESETS],
        targets: TARGET_FACTS.map(targetInfo),
      }),
      'files.pick': async ({ kind }) => this.#grantAll(await this.#ports.pick(kind)),
      'files.grantPath': async ({ path }) => {
        // Where there are dialogs, a path that a page sends is not one that the user typed.
        if (this.#ports.host !== 'browser') throw new HoneError('file-not-granted', 'Choose the file in the dialog.');
        return this.grants.grant(path);
      },
      inspect: async ({ model }) => {
        const { result } = await workspace.supervisor.runJob('inspect', { model: this.grants.path(model) });
        return result;
      },
      'data.preview': async ({ model, data, preprocess, count }) => {
        const request = {
          model: this.grants.path(model),
          data: this.grants.path(data),
          count,
          ...(preprocess === undefined ? {} : { preprocess: this.#preprocessWithPaths(preprocess) }),
        };
        return (await workspace.supervisor.runJob('preview-data', request)).result;
      },
      coverage: async ({ model, targets, options }) => {
        const request = {
          model: this.grants.path(model),
          targets,
          // Nothing is written there.
          out: workspace.folder,
          coverageOnly: true,
          zip: false,
          options,
          seed: 0,
        };
        return (await workspace.supervisor.runJob('package', request)).result;
      },
      'runs.list': ({ search }) => workspace.listRuns(search),
      'runs.start': async (request) => {
        return this.#watch(await workspace.startRun(this.#withPaths(request)));
      },
      'runs.cancel': async ({ id }) => {
        workspace.activeRun(id)?.cancel();
        return {};
      },
      'runs.resume': async ({ id }) => this.#watch(await workspace.resumeRun(ownRun(id))),
      'runs.manifest': async ({ id }) => withoutPaths((await workspace.openRun(ownRun(id))).manifest),
      'runs.progress': async ({ id }) => workspace.activeRun(ownRun(id))?.progress ?? this.#keptProgress(id),
      'runs.log': async ({ id }) => readRunLog((await workspace.openRun(ownRun(id))).folder),
      'runs.grants': async ({ id }) => {
        const { manifest } = await workspace.openRun(ownRun(id));
        const { calibration, evaluation } = pathsSchema.parse(manifest.request);
        return {
          model: await this.#grantIfThere(manifest.source.path),
          calibration: await this.#grantIfThere(calibration),
          evaluation: await this.#grantIfThere(evaluation),
        };
      },
      'runs.samples': async ({ id, samples }) => {
        const { manifest } = await workspace.openRun(ownRun(id));
        const { evaluation, calibration, preprocess, samples: limit } = evaluatedSchema.parse(manifest.request);
        const data = evaluation ?? calibration;
        if (data === undefined) throw new HoneError('file-missing', 'The run used no data of yours.');
        const request = {
          model: manifest.source.path,
          data,
          count: samples.length,
          only: { only: samples, limit, seed: manifest.seed },
          ...(preprocess === undefined ? {} : { preprocess }),
        };
        return (await workspace.supervisor.runJob('preview-data', request)).result.first;
      },
      'runs.delete': async ({ id }) => {
        await workspace.deleteRun(ownRun(id));
        return {};
      },
      'reports.ofRun': async ({ id }) => (await this.#reportOf(id)).document,
      'reports.open': async ({ file }) => (await openReport(this.grants.path(file))).document,
      'reports.verify': async ({ id }) => {
        const { status, checks } = await verify((await workspace.openRun(ownRun(id))).folder);
        return { status, checks: [...checks] };
      },
      'reports.verifyFile': async ({ file }) => {
        const { status, checks } = await verify(this.grants.path(file));
        return { status, checks: [...checks] };
      },
      'reports.export': async ({ id, format }) => {
        const { document } = await this.#reportOf(id);
        const text = await renderReport(document, format, this.#reportView);
        const name = `${document.run.id}.${format}`;
        const saved = await this.#ports.save(name, text);
        return { name, text: saved === null ? text : null, saved: saved === true };
      },
    };
  }

  /** Of a run whose packaging was cancelled: the table of what had been made. */
  async #keptProgress(id: string): Promise<StudioResult<'runs.progress'>> {
    const { folder, manifest } = await this.#workspace.openRun(ownRun(id));
    if (manifest.status !== 'cancelled') return null;
    const facts = await readPackageFacts(folder, manifest);
    if (facts === null) return null;
    const targets = facts.artifacts.map(liveTargetOf);
    const done = targets.filter(({ step }) => step !== 'cancelled').length;
    return {
      stage: 'package',
      progress: {
        phase: 'cancelled',
        done,
        total: targets.length,
        live: { kind: 'targets', total: targets.length, targets: targets.slice(0, MOST_LIVE) },
      },
    };
  }

  async #reportOf(id: string): Promise<Awaited<ReturnType<typeof openReport>>> {
    const { folder } = await this.#workspace.openRun(ownRun(id));
    return openReport(join(folder, REPORT));
  }

  /** Puts paths in for grants, and refuses what no pass and no target accepts before a run folder is made. */
  #withPaths(request: StudioParams<'runs.start'>): StudioParams<'runs.start'> {
    for (const step of request.recipe.steps) completeOptions(findPass(step.pass), step.options);
    for (const id of checkTargets(request.targets ?? []))
      completeOptions(findTargetFacts(id), request.targetOptions?.[id]);
    const { calibration, evaluation, preprocess } = request;
    return {
      ...request,
      model: this.grants.path(request.model),
      ...(calibration === undefined ? {} : { calibration: this.grants.path(calibration) }),
      ...(evaluation === undefined ? {} : { evaluation: this.grants.path(evaluation) }),
      ...(preprocess === undefined ? {} : { preprocess: this.#preprocessWithPaths(preprocess) }),
    };
  }

  #preprocessWithPaths(preprocess: Preprocess): Preprocess {
    const { tokenizer } = preprocess;
    return tokenizer === undefined ? preprocess : { ...preprocess, tokenizer: this.grants.path(tokenizer) };
  }

  /** Passes on what a run tells, and says how it ended even when its folder can no longer be written. */
  #watch(run: ActiveRun): { id: string } {
    run.subscribe((event) =>
      this.#emit(event.type === 'run' ? { ...event, manifest: withoutPaths(event.manifest) } : event),
    );
    run.done.catch((thrown: unknown) => {
      const error = toHoneError(thrown).toData();
      this.#emit({ type: 'run', manifest: { ...withoutPaths(run.manifest), status: 'interrupted', error } });
    });
    return { id: run.id };
  }

  #grantAll(paths: readonly string[]): Promise<Grant[]> {
    return Promise.all(paths.map((path) => this.grants.grant(path)));
  }

  #grantIfThere(path: string | undefined): Promise<Grant | null> {
    return path === undefined ? Promise.resolve(null) : this.grants.grant(path).catch(() => null);
  }

  #emit(event: StudioEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

const pathsSchema = z.object({ calibration: z.string().optional(), evaluation: z.string().optional() });
/** What of a request says on which samples the models were compared. */
const evaluatedSchema = runRequestSchema
  .pick({ calibration: true, evaluation: true, preprocess: true, samples: true })
  .strip();

/** The page names runs of the library by their id, never a folder elsewhere. */
function ownRun(id: string): string {
  if (/^[0-9A-Za-z][0-9A-Za-z_-]*$/.test(id)) return id;
  throw new HoneError('unknown-run', 'That is not the id of a run.');
}

/** Names under which a request keeps paths, at any depth. */
const PATH_FIELDS: ReadonlySet<string> = new Set(['calibration', 'evaluation', 'out', 'tokenizer']);

/** The manifest with base names in place of the user's paths. */
export function withoutPaths(manifest: Manifest): Manifest {
  const request = JSON.stringify(manifest.request, (name, value: unknown) =>
    PATH_FIELDS.has(name) && typeof value === 'string' ? basename(value) : value,
  );
  return {
    ...manifest,
    source: { ...manifest.source, path: manifest.source.name },
    request: JSON.parse(request) as Manifest['request'],
    models: manifest.models.map((model) => (model.parent === null ? { ...model, path: basename(model.path) } : model)),
  };
}

function isMethod(method: string): method is StudioMethod {
  return Object.hasOwn(STUDIO_METHODS, method);
}

function violation(what: string, error: z.ZodError): HoneError {
  return new HoneError('protocol-violation', `The protocol does not allow the ${what}: ${schemaText(error)}`);
}
