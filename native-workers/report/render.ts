/** A report in one of its forms, as text. */

import { renderCsv } from './csv.ts';
import type { ReportDocument } from './document.ts';
import { readViewAssets, renderHtml } from './html.ts';
import { renderMarkdown } from './markdown.ts';

export const REPORT_FORMATS = ['html', 'md', 'csv', 'json'] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];

/** `view`: folder of the built report view, which HTML needs. Throws `studio-not-built` when it is not there. */
export async function renderReport(document: ReportDocument, format: ReportFormat, view: string): Promise<string> {
  switch (format) {
    case 'html':
      return renderHtml(document, await readViewAssets(view));
    case 'md':
      return renderMarkdown(document);
    case 'csv':
      return renderCsv(document);
    case 'json':
      return JSON.stringify(document);
  }
}
