/** Packages on a terminal: what was made, how it did on its runtime, where it will load, and what did not fit. */
import type { Artifact, PackageFacts } from '../protocol/package-facts.ts';
import { formatBytes } from '../report/format.ts';
import { plain, table } from './text.ts';

/** The nodes that are named one by one; the rest is a count by operator. */
const MOST_NODES = 20;

/** False when an artifact was not made, failed its check, or does not fit the user's own budget. */
export function packSucceeded({ artifacts, sizes }: PackageFacts): boolean {
  const passed = artifacts.every(
    ({ status, verified }) =>
      status === 'made' && (verified === null || verified.status === 'passed' || verified.status === 'not-run'),
  );
  return passed && sizes.every(({ profile, fits }) => profile !== 'your budget' || fits);
}

export function packText({ artifacts, sizes, zips = [] }: PackageFacts): string {
  const rows = artifacts.map((artifact) => [
    nameOf(artifact),
    artifact.status,
    artifact.bytes === 0 ? '' : formatBytes(artifact.bytes),
    `${artifact.coverage.supported} of ${artifact.coverage.nodes}`,
    checkText(artifact),
    plain(artifact.path),
  ]);
  const parts = [table(titles('target', 'status', 'size', 'nodes', 'check', 'path'), rows)];
  for (const artifact of artifacts) parts.push(...detailLines(artifact));
  const loads = artifacts.flatMap((artifact) =>
    (artifact.loads ?? []).map(({ where, minimum, why }) => [nameOf(artifact), where, `${minimum} or newer`, why]),
  );
  if (loads.length > 0) parts.push(`\nwhere it loads\n${table(titles('', '', '', ''), loads)}`);
  for (const { target, bytes, profile, budget } of sizes.filter(({ fits }) => !fits))
    parts.push(`${target} has ${formatBytes(bytes)}, more than the ${formatBytes(budget)} of ${profile}.`);
  if (zips.length > 0) parts.push('');
  for (const { path, bytes, sha256 } of zips) parts.push(`${plain(path)}  ${formatBytes(bytes)}  SHA-256 ${sha256}`);
  return parts.join('\n');
}

function titles(...names: string[]): { title: string }[] {
  return names.map((title) => ({ title }));
}

function nameOf({ target, model }: Artifact): string {
  return model === undefined ? target : `${target} ${plain(model)}`;
}

function detailLines(artifact: Artifact): string[] {
  const { coverage, error, verified } = artifact;
  const name = nameOf(artifact);
  const lines = error === undefined ? [] : [`${name}: ${plain(error.message)}`];
  for (const { node, type, reason } of coverage.unsupported.slice(0, MOST_NODES))
    lines.push(`${name}: ${type} ${plain(node)}: ${plain(reason)}`);
  const more = coverage.unsupported.length - MOST_NODES;
  if (more > 0) lines.push(`${name}: and ${more} nodes more that it cannot express`);
  for (const { runtime, status, reason } of verified?.others ?? [])
    lines.push(`${name}: ${status} on ${runtime}${reason === undefined ? '' : `: ${plain(reason)}`}`);
  for (const { file = '', status, runtime, reason, maxAbs } of verified?.variants ?? []) {
    const apart = maxAbs === null ? '' : `, largest difference ${maxAbs.toPrecision(2)}`;
    lines.push(
      `${name}: ${plain(file)} ${status} on ${runtime}${apart}${reason === undefined ? '' : `: ${plain(reason)}`}`,
    );
  }
  if (verified?.diverges !== undefined) {
    const { type, node, artifact: operator } = verified.diverges;
    lines.push(
      `${name}: the first operator that differs is ${type} ${plain(node)}, in the artifact ${plain(operator)}`,
    );
  }
  for (const { name: metric, before, after, samples } of verified?.metrics ?? [])
    lines.push(
      `${name}: ${metric} ${before.toFixed(4)} -> ${after.toFixed(4)} on ${samples} samples, on its own runtime`,
    );
  return lines;
}

function checkText({ verified }: Artifact): string {
  if (verified === null) return 'not run';
  const { status, runtime, reason, maxAbs, cosine } = verified;
  if (maxAbs === null || cosine === null) return `${status}: ${plain(reason ?? runtime)}`;
  const numbers = `${status} on ${runtime}, largest difference ${maxAbs.toPrecision(2)}, cosine ${cosine.toFixed(5)}`;
  return status === 'passed' || reason === undefined ? numbers : `${numbers}: ${plain(reason)}`;
}
