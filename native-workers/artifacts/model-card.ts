/** The model card of a package: what was measured, filled in; what only the author can say, left open and said to be. */
import type { Artifact, PackageFacts } from '../protocol/package-facts.ts';
import type { Preprocess } from '../protocol/request.ts';
import { HONE_VERSION } from '../protocol/version.ts';
import { inComment } from './snippets/literals.ts';
import type { ArtifactSignature, SignatureValue } from './target.ts';

export interface ModelCardRequest {
  readonly name: string;
  readonly source: { readonly sha256: string; readonly bytes: number };
  readonly artifact: Artifact;
  readonly signature: ArtifactSignature;
  readonly preprocess: Preprocess | null;
  readonly labels: readonly string[] | null;
  /** Of the model: what its metadata say, and the file that was found beside it. */
  readonly license: string | null;
  /** Base name of the user's data that it was checked and measured on; null where inputs were made up. */
  readonly data: string | null;
  /** Against the budgets of device profiles. */
  readonly sizes: PackageFacts['sizes'];
}

export function modelCard(request: ModelCardRequest): string {
  const { name, source, artifact, signature, preprocess, labels, license, data, sizes } = request;
  const { verified } = artifact;
  const requires = Object.entries(artifact.requires).map(([what, version]) => `${what} ${version} or newer`);
  return `# ${plainText(name)} for ${artifact.target}

Made by Hone ${HONE_VERSION} from a model of ${source.bytes} bytes, SHA-256 \`${source.sha256}\`.

## Signature

| input | type | shape |
| --- | --- | --- |
${signature.inputs.map(signatureRow).join('\n')}

| output | type | shape |
| --- | --- | --- |
${signature.outputs.map(signatureRow).join('\n')}

${preprocess === null ? 'Preprocessing: not known to Hone.' : `Preprocessing:\n\n\`\`\`json\n${JSON.stringify(preprocess, null, 2)}\n\`\`\``}

${labels === null ? 'Labels: not known to Hone.' : `Labels, in the order of the outputs: ${labels.map(plainText).join(', ')}.`}

## What was measured

${verified === null ? 'Nothing was run.' : measuredText(verified, data)}

Needs: ${requires.join('; ') || 'nothing that is known'}.
${artifact.notes.map((note) => `\n- ${plainText(note)}`).join('')}

## Size

${artifact.bytes} bytes.

| budget | bytes | |
| --- | --- | --- |
${sizes.map(({ profile, budget, fits }) => `| ${profile} | ${budget} | ${fits ? 'fits' : 'too large'} |`).join('\n')}

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

function signatureRow({ name, dtype, shape, quantization }: SignatureValue): string {
  const stored =
    quantization === undefined ? '' : `, real = (stored - ${quantization.zeroPoint}) * ${quantization.scale}`;
  return `| ${plainText(name)} | ${dtype}${stored} | ${shape.map((dim) => plainText(String(dim ?? '?'))).join(' x ')} |`;
}

/** Text of a model file as Markdown shows it: no markup, no cell or line that ends early, nothing that hides. */
function plainText(text: string): string {
  return inComment(text).replace(/[\\`*_[\]<>|#&~]/g, '\\$&');
}

function loadsText({ loads = [] }: Artifact): string {
  if (loads.length === 0) return 'Not known.';
  const rows = loads.map(({ where, minimum, why }) => `| ${where} | ${minimum} | ${why} |`);
  return ['| where | oldest version | because of |', '| --- | --- | --- |', ...rows].join('\n');
}

function measuredText(verified: NonNullable<Artifact['verified']>, data: string | null): string {
  const { runtime, status, samples, maxAbs, reference, cosine, top1Agreement, reason } = verified;
  const inputs = data === null ? `${samples} made-up inputs` : `${samples} inputs, made up and of ${plainText(data)}`;
  const lines = [`- Run on ${runtime}, on ${inputs}, against the source model on ONNX Runtime: ${status}.`];
  if (reason !== undefined) lines.push(`- ${plainText(reason)}.`);
  if (maxAbs !== null)
    lines.push(
      `- Largest difference: ${maxAbs.toPrecision(3)}, where the largest output is ${(reference ?? 0).toPrecision(3)}.`,
    );
  if (cosine !== null) lines.push(`- Cosine: ${cosine.toFixed(6)}.`);
  for (const other of verified.others ?? []) {
    const apart = other.maxAbs === null ? '' : `, largest difference ${other.maxAbs.toPrecision(3)}`;
    lines.push(`- On ${other.runtime}: ${other.status}${apart}.`);
  }
  for (const variant of verified.variants ?? []) {
    const apart = variant.maxAbs === null ? '' : `, largest difference ${variant.maxAbs.toPrecision(3)}`;
    const others = (variant.others ?? []).map((other) => `; on ${other.runtime}: ${other.status}`).join('');
    lines.push(`- ${plainText(variant.file ?? '')} on ${variant.runtime}: ${variant.status}${apart}${others}.`);
  }
  if (verified.diverges !== undefined) {
    const { node, type, artifact } = verified.diverges;
    lines.push(
      `- The first operator that differs: ${type} ${plainText(node)}, in the artifact ${plainText(artifact)}.`,
    );
  }
  for (const { name, before, after, samples: count } of verified.metrics ?? [])
    lines.push(
      `- ${name} on ${count} labelled samples${data === null ? '' : ` of ${plainText(data)}`}: ${after.toFixed(4)}; ${before.toFixed(4)} of the source model.`,
    );
  if (top1Agreement !== null) lines.push(`- Same first class: ${(top1Agreement * 100).toFixed(1)} %.`);
  return lines.join('\n');
}
