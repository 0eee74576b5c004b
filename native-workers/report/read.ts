/** Opening a saved report: JSON or HTML, of this version or refused with a reason. */
import { readFile } from 'node:fs/promises';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import { REPORT_SCHEMA_VERSION, type ReportDocument, reportDocumentSchema } from './document.ts';
import { takeApart, type ViewAssets } from './html.ts';

export interface OpenedReport {
  readonly document: ReportDocument;
  /** The file's own text; for HTML the view that came in it too. */
  readonly text: string;
  readonly assets: ViewAssets | null;
}

/** Reads `report.json` or `report.html`. Throws `file-missing`, `report-invalid` or `report-version`. */
export async function openReport(path: string): Promise<OpenedReport> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (thrown) {
    throw toHoneError(thrown);
  }
  return openReportText(text, path);
}

/** The same for a text in memory; `file` is for the error. */
export function openReportText(text: string, file: string): OpenedReport {
  const isHtml = /^\s*</.test(text);
  const parts = isHtml ? takeApart(text) : null;
  if (isHtml && parts === null)
    throw new HoneError('report-invalid', 'This HTML file holds no Hone report.', { where: { file } });
  return { document: parseReport(parts?.document ?? text, file), text, assets: parts?.assets ?? null };
}

function parseReport(json: string, file: string): ReportDocument {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new HoneError('report-invalid', 'The report is not JSON.', { where: { file }, cause });
  }
  const version = isRecord(value) && value['kind'] === 'hone-report' ? value['schema'] : null;
  if (typeof version !== 'number')
    throw new HoneError('report-invalid', 'The file is JSON, but no Hone report.', { where: { file } });
  if (version > REPORT_SCHEMA_VERSION) {
    throw new HoneError(
      'report-version',
      `The report has version ${version}; this Hone reads up to ${REPORT_SCHEMA_VERSION}.`,
      { where: { file } },
    );
  }
  const parsed = reportDocumentSchema.safeParse(value);
  // The value itself and not zod's copy, which orders keys its own way: an HTML report is rendered again from it, byte for byte.
  if (parsed.success) return value as unknown as ReportDocument;
  const issue = parsed.error.issues[0];
  throw new HoneError(
    'report-invalid',
    `The report does not follow its schema at ${issue?.path.join('.') ?? 'its root'}: ${issue?.message ?? ''}`,
    { where: { file } },
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
