/** Reports that were read: of runs by their id, and the one opened from a file. Each is checked against the report's schema. */
import { create } from 'zustand';
import { type ErrorData, HoneError, toHoneError } from '../../native-workers/protocol/errors.ts';
import type { Manifest } from '../../native-workers/protocol/facts.ts';
import type { Grant, StudioResult } from '../../native-workers/protocol/studio.ts';
import {
  REPORT_SCHEMA_VERSION,
  type ReportDocument,
  reportDocumentSchema,
} from '../../native-workers/report/document.ts';
import { studio } from './session.ts';

export type Verification = StudioResult<'reports.verify'>;

export type LoadedReport =
  | { readonly status: 'loading' }
  | { readonly status: 'ready'; readonly document: ReportDocument }
  | { readonly status: 'failed'; readonly error: ErrorData };

export interface Reports {
  readonly ofRuns: Readonly<Record<string, LoadedReport>>;
  readonly saved: { readonly file: Grant; readonly report: LoadedReport } | null;
  /** By the id of the run, or of the grant of a saved file. */
  readonly verifications: Readonly<Record<string, Verification>>;
}

export const useReports = create<Reports>(() => ({ ofRuns: {}, saved: null, verifications: {} }));

/** True when the run has written its report. */
export function hasReport(manifest: Manifest): boolean {
  return manifest.stages.some((stage) => stage.name === 'report' && stage.status === 'done');
}

export async function loadReport(id: string): Promise<void> {
  setOfRun(id, { status: 'loading' });
  setOfRun(id, await read(() => studio().call('reports.ofRun', { id })));
}

export async function openSavedReport(file: Grant): Promise<void> {
  useReports.setState({ saved: { file, report: { status: 'loading' } } });
  const report = await read(() => studio().call('reports.open', { file: file.id }));
  useReports.setState({ saved: { file, report } });
}

/** A run that was resumed gets another report. */
export function forgetReport(id: string): void {
  useReports.setState(({ ofRuns, verifications }) => ({
    ofRuns: Object.fromEntries(Object.entries(ofRuns).filter(([key]) => key !== id)),
    verifications: Object.fromEntries(Object.entries(verifications).filter(([key]) => key !== id)),
  }));
}

export async function verifyReport(id: string): Promise<Verification> {
  return keepVerification(id, await studio().call('reports.verify', { id }));
}

export async function verifySavedReport(file: Grant): Promise<Verification> {
  return keepVerification(file.id, await studio().call('reports.verifyFile', { file: file.id }));
}

function keepVerification(id: string, result: Verification): Verification {
  useReports.setState(({ verifications }) => ({ verifications: { ...verifications, [id]: result } }));
  return result;
}

/** Throws `report-version` or `report-invalid`. */
export function checkReport(json: unknown): ReportDocument {
  const parsed = reportDocumentSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  if (typeof json === 'object' && json !== null && 'schema' in json && Number(json.schema) > REPORT_SCHEMA_VERSION) {
    throw new HoneError(
      'report-version',
      `The report has schema ${json.schema}; this studio reads ${REPORT_SCHEMA_VERSION}.`,
    );
  }
  const [issue] = parsed.error.issues;
  throw new HoneError(
    'report-invalid',
    `The report is not as its schema says (${issue?.path.join('.')}: ${issue?.message}).`,
  );
}

async function read(fetch: () => Promise<unknown>): Promise<LoadedReport> {
  try {
    return { status: 'ready', document: checkReport(await fetch()) };
  } catch (error) {
    return { status: 'failed', error: toHoneError(error).toData() };
  }
}

function setOfRun(id: string, report: LoadedReport): void {
  useReports.setState(({ ofRuns }) => ({ ofRuns: { ...ofRuns, [id]: report } }));
}
