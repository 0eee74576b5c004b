/** The model card of a package: what was measured, filled in; what only the author can say, left open and said to be. */
import type { Artifact } from '../protocol/facts.ts';
import type { Preprocess } from '../protocol/request.ts';
import { HONE_VERSION } from '../protocol/version.ts';
import type { ArtifactSignature } from './target.ts';

export interface ModelCardRequest {
  readonly name: string;
  readonly source: { readonly sha256: string; readonly bytes: number };
  readonly artifact: Artifact;
  readonly signature: ArtifactSignature;
  readonly preprocess: Preprocess | null;
  readonly labels: readonly string[] | null;
  /** Of the model: what its metadata say, and the file that was found beside it. */
  readonly license: string | null;
}

export function modelCard(request: ModelCardRequest): string {
  const { name, source, artifact, signature, preprocess, labels, license } = request;
  const { verified } = artifact;
  const row = (value: { name: string; dtype: string; shape: readonly (number | string | null)[] }): string =>
    `| \`${value.name}\` | ${value.dtype} | ${value.shape.map((dim) => dim ?? '?').join(' x ')} |`;
  const requires = Object.entries(artifact.requires).map(([what, version]) => `${what} ${version} or newer`);
  return `# ${name} for ${artifact.target}

Made by Hone ${HONE_VERSION} from a model of ${source.bytes} bytes, SHA-256 \`${source.sha256}\`.

## Signature

| input | type | shape |
| --- | --- | --- |
${signature.inputs.map(row).join('\n')}

| output | type | shape |
| --- | --- | --- |
${signature.outputs.map(row).join('\n')}

${preprocess === null ? 'Preprocessing: not known to Hone.' : `Preprocessing:\n\n\`\`\`json\n${JSON.stringify(preprocess, null, 2)}\n\`\`\``}

${labels === null ? 'Labels: not known to Hone.' : `Labels, in the order of the outputs: ${labels.join(', ')}.`}

## What was measured

${verified === null ? 'Nothing was run.' : measuredText(verified)}

Size: ${artifact.bytes} bytes. Needs: ${requires.join('; ') || 'nothing that is known'}.
${artifact.notes.map((note) => `\n- ${note}`).join('')}

## Where it loads

${loadsText(artifact)}

## For the author to fill in

- Intended use, and uses that are out of scope.
- Training data, and whose it is.
- Known limits, and groups for which the model is worse.

## Licence

${license ?? 'The model names no licence. Ask its author before shipping it.'}
`;
}

function loadsText({ loads = [] }: Artifact): string {
  if (loads.length === 0) return 'Not known.';
  const rows = loads.map(({ where, minimum, why }) => `| ${where} | ${minimum} | ${why} |`);
  return ['| where | oldest version | because of |', '| --- | --- | --- |', ...rows].join('\n');
}

function measuredText(verified: NonNullable<Artifact['verified']>): string {
  const { runtime, status, samples, maxAbs, reference, cosine, top1Agreement, reason } = verified;
  const lines = [`- Run on ${runtime}, on ${samples} inputs, against the source model on ONNX Runtime: ${status}.`];
  if (reason !== undefined) lines.push(`- ${reason}.`);
  if (maxAbs !== null)
    lines.push(
      `- Largest difference: ${maxAbs.toPrecision(3)}, where the largest output is ${(reference ?? 0).toPrecision(3)}.`,
    );
  if (cosine !== null) lines.push(`- Cosine: ${cosine.toFixed(6)}.`);
  for (const other of verified.others ?? []) {
    const apart = other.maxAbs === null ? '' : `, largest difference ${other.maxAbs.toPrecision(3)}`;
    lines.push(`- On ${other.runtime}: ${other.status}${apart}.`);
  }
  if (verified.diverges !== undefined) {
    const { node, type, artifact } = verified.diverges;
    lines.push(`- The first operator that differs: ${type} ${node}, in the artifact ${artifact}.`);
  }
  for (const { name, before, after, samples: count } of verified.metrics ?? [])
    lines.push(
      `- ${name} on ${count} labelled samples: ${after.toFixed(4)}; ${before.toFixed(4)} of the source model.`,
    );
  if (top1Agreement !== null) lines.push(`- Same first class: ${(top1Agreement * 100).toFixed(1)} %.`);
  return lines.join('\n');
}
