/**
 * The studio in a browser: the built renderer over HTTP and the studio's calls over a WebSocket, on the loopback interface only.
 * The address carries a random token once; a cookie carries it from then on. Whoever has no token gets nothing: other
 * users of the machine, other pages in the browser (the Origin is checked), and names that were made to point here (the
 * Host is checked). The port in Host may be another than ours, because a lab machine is reached through a forwarded port.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { ERROR_TEXT } from '../protocol/error-text.ts';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import { STUDIO_SOCKET_PATH, UPLOAD_PATH } from '../protocol/studio.ts';
import { type AssetTable, readAssets, resolveAsset, securityHeaders } from './assets.ts';
import type { StudioService } from './studio.ts';
import { StudioSockets } from './studio-socket.ts';
import { receiveUpload } from './studio-upload.ts';

export interface BrowserHostOptions {
  readonly studio: StudioService;
  /** Folder of the built renderer. */
  readonly assets: string;
  /** Folder for uploaded files; made when it is not there. */
  readonly inbox: string;
  /** A free one unless said. */
  readonly port?: number;
}

export interface BrowserHost {
  /** With the token: what the user opens. */
  readonly address: string;
  readonly port: number;
  close(): Promise<void>;
}

const LOOPBACK = '127.0.0.1';
const LOOPBACK_NAMES = new Set([LOOPBACK, 'localhost', '[::1]']);

/** Starts to listen. Throws `studio-not-built`, `port-in-use` or `no-permission`. */
export async function startBrowserHost(options: BrowserHostOptions): Promise<BrowserHost> {
  const assets = await readAssets(options.assets);
  const token = randomBytes(32).toString('base64url');
  const server = createServer();
  const port = await listen(server, options.port ?? 0);
  // Browsers share cookies between the ports of a host: the port in the name keeps two studios apart.
  const gate = new Gate(token, `hone-${port}`);
  const site: Site = { gate, assets, options };
  const sockets = new StudioSockets(options.studio);

  server.on('request', (request, response) => {
    answer(request, response, site).catch((thrown: unknown) => refuse(response, toHoneError(thrown)));
  });
  server.on('upgrade', (request, socket, head) => {
    // A connection that dies while it is refused or taken over has no one else to hear of it.
    socket.on('error', () => socket.destroy());
    const allowed =
      request.url === STUDIO_SOCKET_PATH && isLoopback(request) && isSameOrigin(request) && gate.isOpen(request);
    if (allowed) sockets.accept(request, socket, head);
    else socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });

  return {
    address: `http://${LOOPBACK}:${port}/?token=${token}`,
    port,
    async close() {
      sockets.close();
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Knows who may come in: the token in the address once, in the cookie from then on. */
class Gate {
  readonly #token: Buffer;
  readonly #cookie: string;

  constructor(token: string, cookie: string) {
    this.#token = Buffer.from(token);
    this.#cookie = cookie;
  }

  isToken(text: string): boolean {
    const given = Buffer.from(text);
    return given.length === this.#token.length && timingSafeEqual(given, this.#token);
  }

  isOpen(request: IncomingMessage): boolean {
    const cookies = request.headers.cookie?.split(';') ?? [];
    return cookies.some((cookie) => {
      const [name, value] = cookie.trim().split('=');
      return name === this.#cookie && this.isToken(value ?? '');
    });
  }

  get setCookie(): string {
    return `${this.#cookie}=${this.#token.toString()}; HttpOnly; SameSite=Strict; Path=/`;
  }
}

interface Site {
  readonly gate: Gate;
  assets: AssetTable;
  readonly options: BrowserHostOptions;
}

async function answer(request: IncomingMessage, response: ServerResponse, site: Site): Promise<void> {
  if (!isLoopback(request)) {
    return plainAnswer(response, 403, 'This studio answers only to the name of this machine.');
  }
  const host = request.headers.host ?? '';
  for (const [name, value] of Object.entries(securityHeaders([`ws://${host}`]))) response.setHeader(name, value);
  // Parsed by hand: `new URL` would fold `..` and backslashes away before they can be refused.
  const [pathname = '/', query = ''] = (request.url ?? '/').split('?', 2);

  if (request.method === 'POST' && pathname === UPLOAD_PATH) {
    if (!isSameOrigin(request) || !site.gate.isOpen(request)) return plainAnswer(response, 403, 'Not allowed.');
    const path = await receiveUpload(request, new URLSearchParams(query), site.options.inbox);
    return jsonAnswer(response, 200, await site.options.studio.grants.grant(path));
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return plainAnswer(response, 405, 'Not allowed.');

  const token = new URLSearchParams(query).get('token');
  if (pathname === '/' && token !== null && site.gate.isToken(token)) {
    response.writeHead(303, { location: '/', 'set-cookie': site.gate.setCookie, 'cache-control': 'no-store' });
    response.end();
    return;
  }
  if (!site.gate.isOpen(request)) {
    const message = 'Open the address that `hone serve` printed, with its token: it is new at every start.';
    return plainAnswer(response, 401, message);
  }
  // A page that is loaded anew shows what was built since.
  if (pathname === '/') site.assets = await readAssets(site.options.assets);
  const asset = resolveAsset(site.assets, pathname);
  if (asset === null) return plainAnswer(response, 404, 'There is no such page.');
  // Names under /assets/ hold a hash of the content.
  const lasting = pathname.startsWith('/assets/');
  response.writeHead(200, {
    'content-type': asset.type,
    'cache-control': lasting ? 'private, max-age=31536000, immutable' : 'no-store',
  });
  if (request.method === 'HEAD') response.end();
  else await pipeline(createReadStream(asset.file), response);
}

function isLoopback(request: IncomingMessage): boolean {
  const host = /^(\[::1\]|[^:]+)(?::\d{1,5})?$/.exec(request.headers.host ?? '');
  return host !== null && LOOPBACK_NAMES.has((host[1] ?? '').toLowerCase());
}

/** Browsers send Origin with every socket and every POST; a request without one is not from our page. */
function isSameOrigin(request: IncomingMessage): boolean {
  return request.headers.origin === `http://${request.headers.host}`;
}

function plainAnswer(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' });
  response.end(`${message}\n`);
}

function jsonAnswer(response: ServerResponse, status: number, document: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
  response.end(JSON.stringify(document));
}

const STATUS: Partial<Record<HoneError['kind'], number>> = {
  input: 400,
  unsupported: 400,
  resource: 507,
  environment: 503,
};

function refuse(response: ServerResponse, error: HoneError): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  // The rest of a refused body is not read.
  response.setHeader('connection', 'close');
  const status = error.code === 'protocol-violation' ? 400 : (STATUS[error.kind] ?? 500);
  jsonAnswer(response, status, { error: error.toData() });
}

function listen(server: Server, port: number): Promise<number> {
  // A large file over a forwarded port may take hours; a request that does not even send its head may not.
  server.requestTimeout = 0;
  server.headersTimeout = 20_000;
  return new Promise((done, failed) => {
    server.once('error', (thrown: NodeJS.ErrnoException) => {
      if (thrown.code === 'EADDRINUSE') {
        const message = `Port ${port} of ${LOOPBACK} is in use. ${ERROR_TEXT['port-in-use'].next}`;
        failed(new HoneError('port-in-use', message, { cause: thrown }));
      } else failed(toHoneError(thrown));
    });
    server.listen({ host: LOOPBACK, port }, () => {
      server.removeAllListeners('error');
      done((server.address() as AddressInfo).port);
    });
  });
}
