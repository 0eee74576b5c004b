/** A finished artifact as a row of the table that is watched while packages are made. */

import type { LiveCheck, LiveTarget } from '../protocol/live.ts';
import type { Artifact, Verification } from '../protocol/package-facts.ts';

export function liveTargetOf(artifact: Artifact): LiveTarget {
  const { target, model, status, coverage, bytes, verified } = artifact;
  const reason = reasonOf(artifact);
  const isRight = status === 'made' && verified?.status !== 'failed' && verified?.status !== 'refused';
  return {
    target,
    ...(model === undefined ? {} : { model }),
    step: status === 'cancelled' ? 'cancelled' : isRight ? 'done' : 'failed',
    coverage: coverage.nodes === 0 ? null : { nodes: coverage.nodes, supported: coverage.supported },
    bytes: bytes === 0 ? null : bytes,
    checks: verified === null ? [] : checksOf(verified),
    metrics: (verified?.metrics ?? [])
      .slice(0, 1)
      .map(({ name, unit, before, after }) => ({ name, unit, before, after })),
    ...(reason === null ? {} : { reason }),
  };
}

function checksOf(verified: Verification): LiveCheck[] {
  const { others = [], variants = [], file } = verified;
  const named = file === undefined ? {} : { file };
  return [
    checkOf(verified, named),
    ...others.map((other) => checkOf(other, named)),
    ...variants.flatMap((variant) => checksOf(variant)),
  ];
}

type Checked = Pick<Verification, 'runtime' | 'status' | 'samples' | 'maxAbs' | 'cosine' | 'reason'> &
  Partial<Pick<Verification, 'top1Agreement'>>;

function checkOf(
  { runtime, status, samples, maxAbs, cosine, reason, top1Agreement = null }: Checked,
  named: { file?: string },
): LiveCheck {
  return {
    runtime,
    ...named,
    status,
    samples,
    of: samples,
    maxAbs,
    cosine,
    top1Agreement,
    ...(reason === undefined ? {} : { reason }),
  };
}

/** The operator that is to blame comes first; of those that a format lacks the first is named, and how many more there are. */
function reasonOf({ error, coverage, verified }: Artifact): string | null {
  if (error !== undefined) return error.message;
  const [first, ...more] = coverage.unsupported;
  if (first !== undefined) {
    const rest = more.length === 0 ? '' : `, and ${more.length} more`;
    return `It cannot express ${first.type} ${first.node}: ${first.reason}${rest}.`;
  }
  const differing = [verified, ...(verified?.variants ?? [])].find((file) => file?.diverges !== undefined);
  if (differing?.diverges !== undefined) {
    const { type, node, artifact } = differing.diverges;
    return `The first operator that differs is ${type} ${node}, in the artifact ${artifact}.`;
  }
  return verified?.reason ?? null;
}
