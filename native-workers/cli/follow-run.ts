/** A run on the terminal, from its start or where it goes on, to its result. */

import { join } from 'node:path';
import type { ActiveRun } from '../host/run.ts';
import { REPORT } from '../host/run-store.ts';
import { Workspace } from '../host/workspace.ts';
import { toHoneError } from '../protocol/errors.ts';
import type { Manifest, StageName } from '../protocol/facts.ts';
import type { ReportDocument } from '../report/document.ts';
import { readPackageFacts } from '../report/facts-files.ts';
import { openReport } from '../report/read.ts';
import type { CommandResult, Context } from './cli.ts';
import { exitCodeOfRun, optimizeDocument } from './optimize-document.ts';
import { runText } from './run-text.ts';
import { duration } from './text.ts';

/** A workspace for one command, closed, with all its processes, when the command ends. */
export async function withWorkspace<T>(work: (workspace: Workspace) => Promise<T>): Promise<T> {
  const workspace = new Workspace();
  try {
    return await work(workspace);
  } finally {
    await workspace.close();
  }
}

export async function followRun(run: ActiveRun, context: Context): Promise<CommandResult> {
  const cancel = (): void => run.cancel();
  context.signal.addEventListener('abort', cancel);
  if (context.signal.aborted) cancel();
  // Of a run that goes on, what was done before is not news.
  const told = new Set(
    run.manifest.stages.filter(({ status }) => status === 'done' || status === 'skipped').map(({ name }) => name),
  );
  run.subscribe((event) => {
    if (event.type === 'progress') context.progress(event.stage, event.progress);
    else if (event.type === 'run') tellStages(event.manifest, told, context);
    else if (event.level === 'warning') context.say(`warning: ${event.message}`);
  });
  context.say(`run ${run.id}`);
  const manifest = await run.done;
  context.signal.removeEventListener('abort', cancel);
  return runResult(run.folder, manifest);
}

/** The result of a run as it stands in its folder. */
export async function runResult(folder: string, manifest: Manifest): Promise<CommandResult> {
  const report = await readReport(folder);
  // A cancelled run has no report, but may have made packages.
  const packages = report === null ? await readPackageFacts(folder, manifest) : null;
  const document = optimizeDocument(folder, manifest, report, packages);
  const { error } = document;
  const failure =
    error === undefined
      ? ''
      : `\n\n${error.code}: ${error.message}${error.hint === undefined ? '' : `\n${error.hint}`}`;
  return {
    json: document,
    text: runText(folder, manifest, report, packages) + failure,
    exitCode: exitCodeOfRun(document),
  };
}

/** null for a run that has none. Throws `report-version` and `report-invalid`. */
export async function readReport(folder: string): Promise<ReportDocument | null> {
  try {
    return (await openReport(join(folder, REPORT))).document;
  } catch (thrown) {
    const error = toHoneError(thrown);
    if (error.code === 'file-missing') return null;
    throw error;
  }
}

/** A line for each stage that came to its end since the last call. */
function tellStages(manifest: Manifest, told: Set<StageName>, context: Context): void {
  for (const { name, status, ms, reason, error } of manifest.stages) {
    if (status === 'pending' || status === 'running' || told.has(name)) continue;
    told.add(name);
    const time = ms === null ? '' : ` in ${duration(ms)}`;
    const why = reason ?? error?.message;
    context.say(`${name}: ${status}${time}${why === undefined ? '' : `, ${why}`}`);
  }
}
