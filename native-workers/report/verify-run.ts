/** Whether a run folder is what its manifest says: facts files, model files and reports, each by its hash or computed again. */
import { access, readFile } from 'node:fs/promises';
import { basename, isAbsolute, join, relative } from 'node:path';
import { hashFiles } from '../lib/hash-file.ts';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import type { Manifest, ModelFile } from '../protocol/facts.ts';
import { buildReport } from './build.ts';
import { failedCheck, missingCheck, passedCheck, resultOf, type VerifyCheck, type VerifyResult } from './check.ts';
import { differences } from './compare.ts';
import type { ReportDocument } from './document.ts';
import { readManifest, readStageFacts } from './facts-files.ts';
import { renderMarkdown } from './markdown.ts';
import { openReport } from './read.ts';
import { checkReport } from './verify-report.ts';

/** Throws `run-corrupt` when the folder has no readable manifest. */
export async function verifyRun(folder: string): Promise<VerifyResult> {
  const manifest = await readManifest(folder);
  const checks: VerifyCheck[] = [];
  for (const stage of manifest.stages) {
    if (stage.name === 'report') continue;
    if (stage.status === 'done' && stage.file !== undefined) {
      checks.push(await factsCheck(folder, stage.file, stage.sha256 ?? null));
    } else if (stage.status !== 'skipped') {
      checks.push(missingCheck(stage.name, `The ${stage.name} stage is ${stage.status}.`));
    }
  }
  checks.push(await sourceCheck(manifest));
  for (const model of manifest.models) if (model.id !== 'source') checks.push(await modelCheck(folder, model));
  return resultOf([...checks, ...(await reportChecks(folder, manifest))]);
}

async function factsCheck(folder: string, file: string, expected: string | null): Promise<VerifyCheck> {
  const path = join(folder, basename(file));
  return hashCheck(file, (await exists(path)) ? [path] : [], expected);
}

async function hashCheck(name: string, paths: readonly string[], expected: string | null): Promise<VerifyCheck> {
  if (expected === null || expected === '') return missingCheck(name, 'The manifest holds no hash of it.');
  if (paths.length === 0) return missingCheck(name, 'The file is not there.');
  const { sha256 } = await hashFiles(paths);
  if (sha256 === expected) return passedCheck(name, `SHA-256 ${sha256}`);
  return failedCheck(name, `SHA-256 ${sha256} instead of ${expected}.`);
}

/** The source is the user's own file: moved or changed since, it makes no number of the report wrong, only uncheckable. */
async function sourceCheck({ source }: Manifest): Promise<VerifyCheck> {
  const check = await hashCheck('source model', await withData(source.path), source.sha256);
  if (check.status !== 'failed') return check;
  return missingCheck(
    check.name,
    `The file is not the one that was optimised, or its external data has another name. ${check.detail}`,
  );
}

/** A path of the manifest may not lead out of the run folder: anyone may have written it. */
async function modelCheck(folder: string, model: ModelFile): Promise<VerifyCheck> {
  const name = `model ${model.id}`;
  const path = isAbsolute(model.path) ? model.path : join(folder, model.path);
  const inside = relative(folder, path);
  if (inside.startsWith('..') || isAbsolute(inside))
    return failedCheck(name, 'The manifest names a file outside the run folder.');
  return hashCheck(name, await withData(path), model.sha256);
}

/** A model is hashed with its external data, which Hone writes beside it; empty when there is no such model. */
async function withData(path: string): Promise<string[]> {
  if (!(await exists(path))) return [];
  return (await exists(`${path}.data`)) ? [path, `${path}.data`] : [path];
}

async function reportChecks(folder: string, manifest: Manifest): Promise<VerifyCheck[]> {
  if (!(await exists(join(folder, 'report.json')))) return [missingCheck('report.json', 'The run has no report.')];
  const opened = await openReport(join(folder, 'report.json')).catch((thrown: unknown) => toHoneError(thrown));
  if (opened instanceof HoneError) return [failedCheck('report.json', opened.message)];
  const checks = [...checkReport(opened, 'report.json'), await runCheck(folder, manifest, opened.document)];
  if (await exists(join(folder, 'report.html'))) checks.push(...(await htmlChecks(folder, opened.document)));
  if (await exists(join(folder, 'report.md'))) checks.push(await markdownCheck(folder, opened.document));
  return checks;
}

/** That the report was computed from the facts of this folder and not of another. */
async function runCheck(folder: string, manifest: Manifest, document: ReportDocument): Promise<VerifyCheck> {
  const name = 'report.json: of this run';
  try {
    const expected = buildReport(manifest, await readStageFacts(folder, manifest));
    const different = differences(JSON.parse(JSON.stringify(expected)), document);
    if (different.length === 0) return passedCheck(name, 'It is what the facts files of this folder give.');
    return failedCheck(name, `It is not what the facts files of this folder give. ${different.join('; ')}`);
  } catch (thrown) {
    return failedCheck(name, toHoneError(thrown).message);
  }
}

async function htmlChecks(folder: string, document: ReportDocument): Promise<VerifyCheck[]> {
  try {
    const opened = await openReport(join(folder, 'report.html'));
    const page = checkReport(opened, 'report.html');
    if (opened.document.digest === document.digest) return page;
    return [...page, failedCheck('report.html: of this run', 'It holds another document than report.json.')];
  } catch (thrown) {
    return [failedCheck('report.html', toHoneError(thrown).message)];
  }
}

async function markdownCheck(folder: string, document: ReportDocument): Promise<VerifyCheck> {
  const same = (await readFile(join(folder, 'report.md'), 'utf8')) === renderMarkdown(document);
  if (same) return passedCheck('report.md', 'It is what report.json renders to.');
  return failedCheck('report.md', 'It is not what report.json renders to.');
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
