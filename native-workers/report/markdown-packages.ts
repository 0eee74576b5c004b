/** The packages for devices in Markdown: what was made and how each did on its own runtime; where they load is folded. */
import type { Artifact } from '../protocol/package-facts.ts';
import { formatBytes, formatElement, formatNumber, formatPlain, formatShare } from './format.ts';
import { folded, table } from './markdown-blocks.ts';
import { labelOfMetric, unitOfMetric } from './metric.ts';
import { dataOf } from './outcome.ts';
import type { Sections } from './sections/registry.ts';
import { escapeMarkdown as text } from './text.ts';

export function packagesOf({ sections }: { readonly sections: Pick<Sections, 'packages'> }): string {
  const data = dataOf(sections.packages);
  if (data === null || data.artifacts.length === 0) return '';
  const { artifacts, sizes } = data;
  const rows = artifacts.map((artifact) => [
    text(nameOf(artifact)),
    artifact.status === 'made' ? formatBytes(artifact.bytes) : artifact.status,
    ...checkCells(artifact),
  ]);
  const tooLarge = sizes
    .filter(({ fits }) => !fits)
    .map(({ target, bytes, profile, budget }) =>
      text(`${target}: ${formatBytes(bytes)} is more than the ${formatBytes(budget)} of ${profile}.`),
    );
  const reasons = artifacts.flatMap((artifact) =>
    reasonsOf(artifact).map((reason) => text(`${nameOf(artifact)}: ${reason}`)),
  );
  const notes = [...reasons, ...tooLarge].map((line) => `- ${line}`).join('\n');
  const loads = artifacts.flatMap((artifact) =>
    (artifact.loads ?? []).map(({ where, minimum, why }) => [nameOf(artifact), where, minimum, why].map(text)),
  );
  return [
    `## Packages for devices\n\n${table(['Target', 'Size', 'Runtime', 'Check', 'Largest difference', 'Cosine', 'Same answer', 'Metric'], rows, [1, 4, 5, 6, 7])}`,
    notes,
    loads.length === 0
      ? ''
      : folded('Where they load', table(['Target', 'Where', 'Version or newer', 'Because of'], loads, [])),
  ]
    .filter((block) => block !== '')
    .join('\n\n');
}

function nameOf({ target, model }: Artifact): string {
  return model === undefined ? target : `${target}, ${model}`;
}

function checkCells({ verified }: Artifact): string[] {
  if (verified === null) return ['', 'not run', '', '', '', ''];
  const { runtime, status, maxAbs, cosine, top1Agreement, metrics = [] } = verified;
  const [metric] = metrics;
  return [
    text(runtime),
    status === 'passed' ? 'passed' : `**${status}**`,
    maxAbs === null ? '' : formatElement(maxAbs),
    cosine === null ? '' : formatPlain(cosine),
    top1Agreement === null ? '' : formatShare(top1Agreement),
    metric === undefined
      ? ''
      : `${text(labelOfMetric(metric))} ${formatNumber(metric.before, unitOfMetric(metric))} → ${formatNumber(metric.after, unitOfMetric(metric))}`,
  ];
}

/** Why it was not made, or is not right; and the operators that its format lacks, by how many. */
function reasonsOf({ error, verified, coverage }: Artifact): string[] {
  const types = Object.entries(Object.groupBy(coverage.unsupported, ({ type }) => type)).map(
    ([type, nodes = []]) => `${type} (${nodes.length})`,
  );
  const { diverges } = verified ?? {};
  return [
    ...(error === undefined ? [] : [error.message]),
    ...(types.length === 0 ? [] : [`it cannot express ${types.join(', ')}.`]),
    ...(verified?.reason === undefined ? [] : [verified.reason]),
    ...(diverges === undefined ? [] : [`it first differs at ${diverges.type} ${diverges.node}.`]),
  ];
}
