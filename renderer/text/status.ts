/** The words of states: of runs, stages and verdicts. The words stand beside a shape or colour, never instead of each other. */
import type { Manifest } from '../../native-workers/protocol/facts.ts';
import type { RunSummary } from '../../native-workers/protocol/studio.ts';

export const RUN_STATUS: Record<Manifest['status'], string> = {
  running: 'Running',
  done: 'Done',
  failed: 'Failed',
  cancelled: 'Cancelled',
  interrupted: 'Interrupted',
};

type StageRow = Manifest['stages'][number];

export const STAGE_STATUS: Record<StageRow['status'], string> = {
  pending: 'Waiting',
  running: 'Running',
  done: 'Done',
  failed: 'Failed',
  skipped: 'Skipped',
  cancelled: 'Cancelled',
};

/** Of a stage that waits in a run which has ended. */
export const STAGE_NOT_RUN = 'Not run';

export const STAGE_TITLE: Record<StageRow['name'], string> = {
  inspect: 'Inspect',
  optimize: 'Optimize',
  evaluate: 'Evaluate',
  benchmark: 'Benchmark',
  package: 'Package',
  report: 'Report',
};

export const STAGE_SUMMARY: Record<StageRow['name'], string> = {
  inspect: 'Reads the model and hashes it',
  optimize: 'Applies the passes of the recipe',
  evaluate: 'Compares the answers before and after',
  benchmark: 'Times both models in turn, each in its own process',
  package: 'Makes artifacts for devices and runs each',
  report: 'Computes the report from what was measured',
};

export const VERDICT: Record<NonNullable<RunSummary['verdict']>, string> = {
  faster: 'faster',
  slower: 'slower',
  inconclusive: 'inconclusive',
};

/** The title of a stage that came as a mere name. */
export function stageTitle(name: string): string {
  return Object.entries(STAGE_TITLE).find(([stage]) => stage === name)?.[1] ?? name;
}
