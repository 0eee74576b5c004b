/**
 * The studio's own scheme, `app://studio/`: the built renderer with the same headers as in the browser host. What is not in the
 * table of built files is not found, however the address is written.
 */
import { readFile } from 'node:fs/promises';
import { type Protocol, protocol } from 'electron';
import { type AssetTable, readAssets, resolveAsset, securityHeaders } from '../native-workers/host/assets.ts';

const SCHEME = 'app';
const HOST = 'studio';
/** As the origin of a frame reads. */
export const STUDIO_ORIGIN = `${SCHEME}://${HOST}`;
export const STUDIO_URL = `${STUDIO_ORIGIN}/`;

/** Must be called before the app is ready. */
export function registerStudioScheme(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme: SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true } },
  ]);
}

/** Answers the requests of a session's pages from the folder of the built renderer. Throws `studio-not-built`. */
export async function serveStudio(sessionProtocol: Protocol, folder: string): Promise<void> {
  const table = await readAssets(folder);
  sessionProtocol.handle(SCHEME, (request) => answer(table, request));
}

/** Whether an address is of the studio itself. */
export function isStudioUrl(address: string): boolean {
  const url = URL.parse(address);
  // `origin` is `null` in Node for a scheme that it does not know.
  return (
    url !== null && url.protocol === `${SCHEME}:` && url.host === HOST && url.username === '' && url.password === ''
  );
}

export async function answer(table: AssetTable, request: Pick<Request, 'method' | 'url'>): Promise<Response> {
  const headers = securityHeaders();
  if (request.method !== 'GET') return new Response(null, { status: 405, headers });
  const asset = isStudioUrl(request.url) ? resolveAsset(table, new URL(request.url).pathname) : null;
  if (asset === null) return new Response(null, { status: 404, headers });
  // A built file has a megabyte or two.
  const bytes = await readFile(asset.file);
  return new Response(new Uint8Array(bytes), { headers: { ...headers, 'content-type': asset.type } });
}
