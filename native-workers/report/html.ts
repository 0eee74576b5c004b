/**
 * The report as one HTML file that asks for nothing: the document as JSON, the prebuilt report view inlined, a static
 * rendering for readers without scripts, and a content security policy that allows exactly this script and this style.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoneError } from '../protocol/errors.ts';
import type { ReportDocument } from './document.ts';
import { staticReport } from './html-static.ts';
import { escapeHtml } from './text.ts';

/** The built report view: `npm run build:report` writes it to `dist/report-view`. */
export interface ViewAssets {
  readonly script: string;
  readonly style: string;
}

/** Reads the built report view from a folder. Throws `studio-not-built` when it is not there. */
export async function readViewAssets(folder: string): Promise<ViewAssets> {
  try {
    const [script, style] = await Promise.all([
      readFile(join(folder, 'report-view.js'), 'utf8'),
      readFile(join(folder, 'report-view.css'), 'utf8'),
    ]);
    return { script: inlineScript(script), style: inlineStyle(style) };
  } catch (cause) {
    throw new HoneError('studio-not-built', 'The report view has not been built.', { where: { file: folder }, cause });
  }
}

/** Deterministic: `verify` renders it again and compares every byte. */
export function renderHtml(report: ReportDocument, { script, style }: ViewAssets): string {
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="Hone ${escapeHtml(report.hone)}">
<title>${escapeHtml(report.run.title)} - Hone report</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<div id="report">
${staticReport(report)}
</div>
${JSON_OPEN}${embeddedJson(report)}${JSON_CLOSE}
<script>${script}</script>
</body>
</html>
`;
}

const JSON_OPEN = '<script type="application/json" id="hone-report">';
const JSON_CLOSE = '</script>';

/** The document inside the HTML of a report, as JSON; and the view that came with it. null when it is no such file. */
export function takeApart(html: string): { document: string; assets: ViewAssets } | null {
  const start = html.indexOf(JSON_OPEN);
  const end = start === -1 ? -1 : html.indexOf(JSON_CLOSE, start);
  const style = between(html, '<style>', '</style>', 0);
  const script = end === -1 ? null : between(html, '\n<script>', '</script>', end);
  if (end === -1 || style === null || script === null) return null;
  return { document: html.slice(start + JSON_OPEN.length, end), assets: { script, style } };
}

function between(text: string, open: string, close: string, from: number): string | null {
  const start = text.indexOf(open, from);
  const end = start === -1 ? -1 : text.indexOf(close, start + open.length);
  return end === -1 ? null : text.slice(start + open.length, end);
}

/**
 * JSON that cannot end the script element it stands in, break a line of old JavaScript, or turn the direction of the text
 * around it for whoever reads the source.
 */
export function embeddedJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** In a string or a regular expression, the only places where these stand in built code, `\/` and `\x3c` mean the same. */
function inlineScript(script: string): string {
  return script
    .replaceAll('\r\n', '\n')
    .replace(/<\/(script)/gi, '<\\/$1')
    .replaceAll('<!--', '\\x3c!--');
}

function inlineStyle(style: string): string {
  return style.replaceAll('\r\n', '\n').replace(/<\/(style)/gi, '<\\/$1');
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}`;
}
