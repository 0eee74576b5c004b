/** What each target can express of the model that is being prepared, once it was asked. */
import { create } from 'zustand';
import { type ErrorData, toHoneError } from '../../native-workers/protocol/errors.ts';
import type { Artifact } from '../../native-workers/protocol/package-facts.ts';
import type { StudioParams } from '../../native-workers/protocol/studio.ts';
import { studio } from './session.ts';

export type TargetCoverage =
  | { readonly status: 'checking' }
  | { readonly status: 'ready'; readonly coverage: Artifact['coverage']; readonly error: ErrorData | null }
  | { readonly status: 'failed'; readonly error: ErrorData };

type TargetOptions = StudioParams<'coverage'>['options'];

export interface CoverageState {
  /** Grant of the model that was looked at; what is known of another one is worth nothing. */
  readonly model: string | null;
  readonly byTarget: Readonly<Record<string, TargetCoverage>>;
}

export const useCoverage = create<CoverageState>(() => ({ model: null, byTarget: {} }));

/**
 * Asks for one target after the other, so that one that fails leaves the others their answers. `options`: by target, as a run
 * would be told.
 */
export async function checkCoverage(
  model: string,
  targets: readonly string[],
  options: TargetOptions = {},
): Promise<void> {
  useCoverage.setState({ model, byTarget: {} });
  for (const target of targets) {
    const checking: TargetCoverage = { status: 'checking' };
    set(model, target, checking);
    const found = await coverageOf(model, target, options);
    // Another answer is waited for by now, or none.
    if (useCoverage.getState().byTarget[target] === checking) set(model, target, found);
  }
}

/** After the options of a target changed. */
export function forgetCoverage(target: string): void {
  useCoverage.setState(({ byTarget: { [target]: _, ...rest } }) => ({ byTarget: rest }));
}

async function coverageOf(model: string, target: string, options: TargetOptions): Promise<TargetCoverage> {
  try {
    const { artifacts } = await studio().call('coverage', { model, targets: [target], options: { ...options } });
    const [artifact] = artifacts;
    if (artifact === undefined) return { status: 'ready', coverage: NOTHING, error: null };
    return { status: 'ready', coverage: artifact.coverage, error: artifact.error ?? null };
  } catch (error) {
    return { status: 'failed', error: toHoneError(error).toData() };
  }
}

const NOTHING: Artifact['coverage'] = { nodes: 0, supported: 0, unsupported: [] };

function set(model: string, target: string, found: TargetCoverage): void {
  useCoverage.setState((state) =>
    state.model === model ? { byTarget: { ...state.byTarget, [target]: found } } : state,
  );
}

export interface UnsupportedGroup {
  readonly type: string;
  readonly reason: string;
  readonly nodes: readonly string[];
}

/** The nodes that cannot be expressed by operator and reason, most frequent first. */
export function groupUnsupported(unsupported: Artifact['coverage']['unsupported']): UnsupportedGroup[] {
  const groups = Map.groupBy(unsupported, ({ type, reason }) => `${type} ${reason}`);
  return [...groups.values()]
    .map((same) => ({ type: same[0]?.type ?? '', reason: same[0]?.reason ?? '', nodes: same.map(({ node }) => node) }))
    .sort((a, b) => b.nodes.length - a.nodes.length);
}
