/**
 * Whether a report says what its raw samples say. The document is computed again from the facts inside it and compared
 * number by number; a digest finds changed digits that no other number depends on; an HTML file is rendered again and
 * compared byte by byte. In a run folder the facts files and the models are checked against the manifest's hashes too.
 */
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import { failedCheck, resultOf, type VerifyCheck, type VerifyResult } from './check.ts';
import { openReportText } from './read.ts';
import { checkReport } from './verify-report.ts';
import { verifyRun } from './verify-run.ts';

/**
 * `path` is a run folder, a `report.json` or a `report.html`. Throws `file-missing`, `report-version`, `run-corrupt`, and
 * `report-invalid` when the file is no report of Hone at all.
 */
export async function verify(path: string): Promise<VerifyResult> {
  const info = await stat(path).catch((cause: unknown) => {
    throw new HoneError('file-missing', 'There is no file or folder to verify.', { where: { file: path }, cause });
  });
  return info.isDirectory() ? verifyRun(path) : resultOf(await checkReportFile(path));
}

/** The checks of one report file. One that calls itself a report but breaks the schema has been altered. */
export async function checkReportFile(path: string): Promise<VerifyCheck[]> {
  const text = await readFile(path, 'utf8').catch((thrown: unknown) => {
    throw toHoneError(thrown);
  });
  try {
    return checkReport(openReportText(text, path), basename(path));
  } catch (thrown) {
    const error = toHoneError(thrown);
    if (error.code !== 'report-invalid' || !text.includes('hone-report')) throw error;
    return [failedCheck(`${basename(path)}: schema`, error.message)];
  }
}
