/** What stands in a package beside the artifact: card, snippets, signature, preprocessing, labels, licence, checksums. */
import { copyFile, readdir, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { modelCard } from '../artifacts/model-card.ts';
import { snippetsFor } from '../artifacts/snippets/snippets.ts';
import type { WrittenArtifact } from '../artifacts/target.ts';
import { hashFiles } from '../lib/hash-file.ts';
import type { Artifact, PackageFacts } from '../protocol/package-facts.ts';
import type { Knowledge } from './package-knowledge.ts';

/** Stands in every package: a folder without it is not replaced. */
export const PACKAGE_MARK = 'signature.json';

export interface PackageFilesRequest {
  readonly folder: string;
  /** Base name of the model. */
  readonly name: string;
  readonly source: { readonly sha256: string; readonly bytes: number };
  readonly artifact: Artifact;
  readonly written: WrittenArtifact;
  readonly knowledge: Knowledge;
  /** Path of the user's data. */
  readonly data: string | undefined;
  readonly sizes: PackageFacts['sizes'];
}

export async function writePackageFiles(request: PackageFilesRequest): Promise<void> {
  const { folder, name, source, artifact, written, knowledge, data, sizes } = request;
  const { signature } = written;
  const { labels, preprocess, license } = knowledge;
  const put = (file: string, text: string): Promise<void> => writeFile(join(folder, file), text);
  const licenses = license.files.map((file) => basename(file));
  for (const file of license.files) await copyFile(file, join(folder, basename(file)));
  await put(
    'MODEL_CARD.md',
    modelCard({
      name,
      source,
      artifact,
      signature,
      preprocess,
      labels,
      license: licenseText(license.name, licenses),
      data: data === undefined ? null : basename(data),
      sizes,
    }),
  );
  const { target, requires } = artifact;
  const snippetRequest = { target, file: written.path, requires, signature, preprocess, labels };
  for (const snippet of snippetsFor(snippetRequest)) await put(snippet.file, snippet.text);
  await put(PACKAGE_MARK, `${JSON.stringify(signature, null, 2)}\n`);
  if (preprocess !== null) await put('preprocess.json', `${JSON.stringify(preprocess, null, 2)}\n`);
  if (labels !== null) await put('labels.txt', `${labels.map((label) => label.replace(/[\r\n]+/g, ' ')).join('\n')}\n`);
  await put('SHA256SUMS', await checksums(folder));
}

function licenseText(name: string | null, files: readonly string[]): string | null {
  const parts = [
    ...(name === null ? [] : [`The model's own data say: ${name}.`]),
    ...(files.length === 0 ? [] : [`Found beside the model, and copied here: ${files.join(', ')}.`]),
  ];
  return parts.length === 0 ? null : parts.join(' ');
}

/** As `sha256sum -c` reads them: all files of the package in the order of their names. */
async function checksums(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter((file) => file !== 'SHA256SUMS')
    .sort();
  const lines: string[] = [];
  for (const file of files) lines.push(`${(await hashFiles([join(folder, file)])).sha256}  ${file}\n`);
  return lines.join('');
}
