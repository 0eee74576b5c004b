/**
 * The built studio as a table of files, and the headers it is served with: the same for the browser host and for Electron's
 * app protocol. Only what is in the table can be asked for, so no address reaches another file.
 */
import { readdir } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { HoneError } from '../protocol/errors.ts';

export interface Asset {
  /** Absolute path of the file. */
  readonly file: string;
  readonly type: string;
}

/** By path from the root of the studio: `/index.html`, `/assets/index-3f2a.js`. */
export type AssetTable = ReadonlyMap<string, Asset>;

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
};

/** Lists the built studio once. Throws `studio-not-built` when there is none. */
export async function readAssets(folder: string): Promise<AssetTable> {
  const table = new Map<string, Asset>();
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const type = TYPES[extname(entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    const file = join(entry.parentPath, entry.name);
    table.set(`/${relative(folder, file).split(sep).join('/')}`, { file, type });
  }
  if (!table.has('/index.html')) {
    throw new HoneError('studio-not-built', `There is no built studio in ${folder}.`, { where: { file: folder } });
  }
  return table;
}

/**
 * The file of a request path such as `/` or `/assets/index-3f2a.js`, percent-encoded as in a URL; null when the studio has
 * none. Nothing is normalised: `..`, `%2e%2e`, a backslash or NUL is simply in no table.
 */
export function resolveAsset(table: AssetTable, pathname: string): Asset | null {
  let path: string;
  try {
    path = decodeURIComponent(pathname);
  } catch {
    return null;
  }
  return table.get(path === '/' ? '/index.html' : path) ?? null;
}

/**
 * Headers of every page and file of the studio. `connect` names sources of connections besides the studio itself. No inline
 * script or style is allowed: charts use `richText` tooltips, and React sets styles through CSSOM.
 */
export function securityHeaders(connect: readonly string[] = []): Record<string, string> {
  return {
    'content-security-policy': [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self' data:",
      "font-src 'self'",
      `connect-src ${["'self'", ...connect].join(' ')}`,
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), microphone=(), geolocation=(), usb=(), serial=(), hid=()',
  };
}
