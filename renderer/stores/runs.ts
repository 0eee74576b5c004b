/** Runs as they happen: manifests, progress and log lines, by run. Filled by the events of the host. */
import { create } from 'zustand';
import { type ErrorData, toHoneError } from '../../native-workers/protocol/errors.ts';
import type { Manifest } from '../../native-workers/protocol/facts.ts';
import { type Progress, withLive } from '../../native-workers/protocol/messages.ts';
import type { StudioEvent, StudioResult } from '../../native-workers/protocol/studio.ts';
import { studio } from './session.ts';

/** `time` is in milliseconds since 1970. */
export type LogLine = StudioResult<'runs.log'>[number];

export interface LiveRun {
  readonly manifest: Manifest | null;
  /** Of the stage that runs now, with what it found so far. */
  readonly progress: { readonly stage: string; readonly value: Progress } | null;
  readonly log: readonly LogLine[];
  /** When this page saw the running stage begin; milliseconds since 1970. */
  readonly stageSince: number | null;
  readonly cancelling: boolean;
  readonly error: ErrorData | null;
}

const NEW_RUN: LiveRun = {
  manifest: null,
  progress: null,
  log: [],
  stageSince: null,
  cancelling: false,
  error: null,
};

export const useRuns = create<{ readonly runs: Readonly<Record<string, LiveRun>> }>(() => ({ runs: {} }));

/** `now` in milliseconds since 1970. */
export function applyRunEvent(
  runs: Readonly<Record<string, LiveRun>>,
  event: Exclude<StudioEvent, { type: 'open-file' }>,
  now: number,
): Readonly<Record<string, LiveRun>> {
  const id = event.type === 'run' ? event.manifest.id : event.run;
  const run = runs[id] ?? NEW_RUN;
  switch (event.type) {
    case 'run':
      return { ...runs, [id]: withManifest(run, event.manifest, now) };
    case 'progress':
      return {
        ...runs,
        [id]: {
          ...run,
          progress: { stage: event.stage, value: withLive(event.progress, run.progress?.value ?? null) },
        },
      };
    case 'log':
      return {
        ...runs,
        [id]: { ...run, log: [...run.log, { time: now, level: event.level, message: event.message }] },
      };
  }
}

function withManifest(run: LiveRun, manifest: Manifest, now: number): LiveRun {
  const stage = runningStage(manifest);
  const same = run.manifest !== null && runningStage(run.manifest) === stage;
  return {
    ...run,
    manifest,
    error: null,
    stageSince: stage === null ? null : same ? run.stageSince : now,
    progress: run.progress?.stage === stage ? run.progress : null,
    cancelling: run.cancelling && manifest.status === 'running',
  };
}

/** The name of the stage that runs now. */
export function runningStage(manifest: Manifest): string | null {
  return manifest.stages.find((stage) => stage.status === 'running')?.name ?? null;
}

export async function loadRun(id: string): Promise<void> {
  try {
    const manifest = await studio().call('runs.manifest', { id });
    useRuns.setState(({ runs }) => ({ runs: applyRunEvent(runs, { type: 'run', manifest }, Date.now()) }));
    const log = await studio().call('runs.log', { id });
    patch(id, (run) => ({ log: mergeLog(log, run.log) }));
    const { status } = manifest;
    const told = status === 'running' || status === 'cancelled' ? await studio().call('runs.progress', { id }) : null;
    // What came in while it was asked for is newer.
    if (told !== null) patch(id, (run) => ({ progress: run.progress ?? { stage: told.stage, value: told.progress } }));
  } catch (error) {
    patch(id, () => ({ error: toHoneError(error).toData() }));
  }
}

export async function cancelRun(id: string): Promise<void> {
  patch(id, () => ({ cancelling: true }));
  try {
    await studio().call('runs.cancel', { id });
  } catch (error) {
    patch(id, () => ({ cancelling: false }));
    throw error;
  }
}

export async function resumeRun(id: string): Promise<void> {
  await studio().call('runs.resume', { id });
  await loadRun(id);
}

/** After the connection was lost: what was seen of running runs may be old. */
export async function refreshRuns(): Promise<void> {
  const running = Object.values(useRuns.getState().runs).flatMap(({ manifest }) =>
    manifest?.status === 'running' ? [manifest.id] : [],
  );
  await Promise.all(running.map(loadRun));
}

export function forgetRun(id: string): void {
  useRuns.setState(({ runs }) => ({ runs: Object.fromEntries(Object.entries(runs).filter(([key]) => key !== id)) }));
}

function patch(id: string, change: (run: LiveRun) => Partial<LiveRun>): void {
  useRuns.setState(({ runs }) => {
    const run = runs[id] ?? NEW_RUN;
    return { runs: { ...runs, [id]: { ...run, ...change(run) } } };
  });
}

/** What was read of the log, and the lines that came in while it was read and are not in it. */
export function mergeLog(read: readonly LogLine[], seen: readonly LogLine[]): readonly LogLine[] {
  const key = (line: LogLine): string => `${line.level} ${line.message}`;
  const known = new Map<string, number>();
  for (const line of read) known.set(key(line), (known.get(key(line)) ?? 0) + 1);
  const missing = seen.filter((line) => {
    const left = known.get(key(line)) ?? 0;
    known.set(key(line), left - 1);
    return left <= 0;
  });
  return [...read, ...missing];
}
