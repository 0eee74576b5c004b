/**
 * Messages between the benchmark and one variant process. The process is started by the benchmark and speaks to nobody else;
 * it sends `Float64Array`s, so the channel is Node's own with advanced serialization. Types only: the process loads nothing
 * that it does not need, since its start is measured.
 */
import type { Feeds } from '../lib/engine.ts';
import type { ErrorData } from '../protocol/errors.ts';

export interface OpenMessage {
  readonly type: 'open';
  readonly model: string;
  readonly provider: string;
  readonly threads: number;
  /** null: as the model says, else 1. */
  readonly batch: number | null;
  readonly seed: number;
  /** The user's inputs; seeded ones are made from the signature when null. */
  readonly feeds: Feeds | null;
  /** Runs before anything is timed, the first run included; null: as many as fill the warm-up time. */
  readonly warmup: number | null;
  /** Where to write a profile; the session is then for profiling only. */
  readonly profilePrefix: string | null;
}

export type VariantRequest =
  | OpenMessage
  /** `rewarm` runs that are not timed, then `runs` that are. */
  | { readonly type: 'block'; readonly rewarm: number; readonly runs: number }
  | { readonly type: 'profile'; readonly runs: number };

export interface InputInfo {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** Times in milliseconds, memory in bytes. */
export interface OpenedMessage {
  readonly type: 'opened';
  /** When Node had started, as milliseconds of the system's clock: the parent knows when it asked. */
  readonly bootedAt: number;
  readonly addon: number;
  readonly create: number;
  readonly firstRun: number;
  readonly warmup: number;
  /** Median of the later half of the warm-up: what blocks are planned with. */
  readonly run: number;
  readonly batch: number;
  readonly inputs: readonly InputInfo[];
  readonly peakRss: number;
}

export interface ProfileRow {
  readonly operator: string;
  readonly nodes: number;
  /** Of one run. */
  readonly ms: number;
}

export type VariantReply =
  | OpenedMessage
  | { readonly type: 'times'; readonly times: Float64Array; readonly peakRss: number }
  | {
      readonly type: 'profile';
      readonly rows: readonly ProfileRow[];
      readonly placement: Readonly<Record<string, number>>;
    }
  | { readonly type: 'failed'; readonly error: ErrorData };
