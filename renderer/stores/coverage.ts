/** What each target can express of the model that is being prepared, once it was asked. */
import { create } from 'zustand';
import { type ErrorData, toHoneError } from '../../native-workers/protocol/errors.ts';
import type { Artifact } from '../../native-workers/protocol/facts.ts';
import { studio } from './session.ts';

export type TargetCoverage =
  | { readonly status: 'checking' }
  | { readonly status: 'ready'; readonly coverage: Artifact['coverage']; readonly error: ErrorData | null }
  | { readonly status: 'failed'; readonly error: ErrorData };

export interface CoverageState {
  /** Grant of the model that was looked at; what is known of another one is worth nothing. */
  readonly model: string | null;
  readonly byTarget: Readonly<Record<string, TargetCoverage>>;
}

export const useCoverage = create<CoverageState>(() => ({ model: null, byTarget: {} }));

/** Asks for one target after the other, so that one that fails leaves the others their answers. */
export async function checkCoverage(model: string, targets: readonly string[]): Promise<void> {
  useCoverage.setState({ model, byTarget: {} });
  for (const target of targets) {
    set(model, target, { status: 'checking' });
    set(model, target, await coverageOf(model, target));
  }
}

async function coverageOf(model: string, target: string): Promise<TargetCoverage> {
  try {
    const { artifacts } = await studio().call('coverage', { model, targets: [target] });
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

/** The nodes that cannot be expressed by operator and reason, most frequent first. */
export function groupUnsupported(
  unsupported: Artifact['coverage']['unsupported'],
): { type: string; reason: string; nodes: number }[] {
  const groups = new Map<string, { type: string; reason: string; nodes: number }>();
  for (const { type, reason } of unsupported) {
    const key = `${type} ${reason}`;
    const group = groups.get(key) ?? { type, reason, nodes: 0 };
    groups.set(key, { ...group, nodes: group.nodes + 1 });
  }
  return [...groups.values()].sort((a, b) => b.nodes - a.nodes);
}
