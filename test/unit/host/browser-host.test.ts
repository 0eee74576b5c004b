/** The browser host over real sockets, with a studio that answers what the test says. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import WebSocket from 'ws';
import { type BrowserHost, startBrowserHost } from '../../../native-workers/host/browser-host.ts';
import { Grants } from '../../../native-workers/host/grants.ts';
import type { StudioService } from '../../../native-workers/host/studio.ts';
import { HoneError } from '../../../native-workers/protocol/errors.ts';
import type { StudioEvent } from '../../../native-workers/protocol/studio.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

/** The machine may be busy. */
const PATIENT = { timeout: 20_000 };

interface FakeStudio extends StudioService {
  emit(event: StudioEvent): void;
  readonly listeners: Set<(event: StudioEvent) => void>;
}

function fakeStudio(call: StudioService['call'] = async (method, params) => ({ method, params })): FakeStudio {
  const listeners = new Set<(event: StudioEvent) => void>();
  return {
    grants: new Grants(),
    call,
    listeners,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    emit(event) {
      for (const listener of listeners) listener(event);
    },
  };
}

interface Started {
  readonly host: BrowserHost;
  readonly studio: FakeStudio;
  readonly inbox: string;
  readonly cookie: string;
  readonly origin: string;
}

async function start(studio = fakeStudio()): Promise<Started> {
  const folder = temporaryFolder();
  const assets = join(folder, 'renderer');
  mkdirSync(join(assets, 'assets'), { recursive: true });
  writeFileSync(join(assets, 'index.html'), '<!doctype html><title>studio</title>');
  writeFileSync(join(assets, 'assets', 'index-1.js'), 'export {};');
  writeFileSync(join(folder, 'secret.js'), 'secret');
  const inbox = join(folder, 'inbox');
  const host = await startBrowserHost({ studio, assets, inbox });
  onTestFinished(() => host.close());
  const { headers } = await ask(host.port, { path: host.address.slice(host.address.indexOf('/?')) });
  const cookie = String(headers['set-cookie']).split(';')[0] ?? '';
  return { host, studio, inbox, cookie, origin: `http://127.0.0.1:${host.port}` };
}

interface Question {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

interface Reply {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

function ask(port: number, { path, method = 'GET', headers = {}, body }: Question): Promise<Reply> {
  return new Promise((done, failed) => {
    const asking = request({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      let text = '';
      response.on('data', (piece: Buffer) => {
        text += piece;
      });
      response.on('end', () => done({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    asking.on('error', failed);
    asking.end(body);
  });
}

describe('access', () => {
  it('is given by the token once and by a cookie from then on', async () => {
    const { host, cookie } = await start();
    const first = await ask(host.port, { path: host.address.slice(host.address.indexOf('/?')) });
    expect([first.status, first.headers['location']]).toEqual([303, '/']);
    expect(String(first.headers['set-cookie'])).toMatch(/^hone-\d+=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/$/);
    const page = await ask(host.port, { path: '/', headers: { cookie } });
    expect([page.status, page.body]).toEqual([200, '<!doctype html><title>studio</title>']);
  });

  it.each([
    ['no cookie', {}],
    ['another cookie', { cookie: `hone-1=${'x'.repeat(43)}` }],
  ])('is refused with %s', async (_name, headers: Record<string, string>) => {
    const { host } = await start();
    for (const path of ['/', '/assets/index-1.js', '/?token=wrong']) {
      expect((await ask(host.port, { path, headers })).status).toBe(401);
    }
  });

  it('is refused to names that were made to point here', async () => {
    const { host, cookie } = await start();
    const evil = { host: `evil.example:${host.port}`, cookie };
    expect((await ask(host.port, { path: '/', headers: evil })).status).toBe(403);
    expect((await ask(host.port, { path: '/', headers: { host: '127.0.0.1.evil.example', cookie } })).status).toBe(403);
  });

  it('is given over a forwarded port', async () => {
    const { host, cookie } = await start();
    const reply = await ask(host.port, { path: '/', headers: { host: 'localhost:8080', cookie } });
    expect(reply.status).toBe(200);
    expect(reply.headers['content-security-policy']).toContain("connect-src 'self' ws://localhost:8080;");
  });
});

describe('files', () => {
  it('come with the strict headers', async () => {
    const { host, cookie } = await start();
    const { headers } = await ask(host.port, { path: '/assets/index-1.js', headers: { cookie } });
    expect(headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'content-security-policy':
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
        `connect-src 'self' ws://127.0.0.1:${host.port}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    });
  });

  it.each([
    '/../secret.js',
    '/%2e%2e/secret.js',
    '/..%2fsecret.js',
    '/..%5csecret.js',
    '/assets/../../secret.js',
    '/%00',
  ])('outside the studio are not served at %s', async (path) => {
    const { host, cookie } = await start();
    const reply = await ask(host.port, { path, headers: { cookie } });
    expect(reply.status).toBe(404);
    expect(reply.body).not.toContain('secret');
  });

  it('take no other methods', async () => {
    const { host, cookie } = await start();
    expect((await ask(host.port, { path: '/', method: 'DELETE', headers: { cookie } })).status).toBe(405);
  });

  it('that are built anew are served without a restart', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'index.html'), 'old');
    const host = await startBrowserHost({ studio: fakeStudio(), assets: folder, inbox: join(folder, 'inbox') });
    onTestFinished(() => host.close());
    const { headers } = await ask(host.port, { path: host.address.slice(host.address.indexOf('/?')) });
    const cookie = String(headers['set-cookie']).split(';')[0] ?? '';
    writeFileSync(join(folder, 'new.js'), 'new');
    writeFileSync(join(folder, 'index.html'), 'new');
    expect((await ask(host.port, { path: '/', headers: { cookie } })).body).toBe('new');
    expect((await ask(host.port, { path: '/new.js', headers: { cookie } })).body).toBe('new');
  });
});

describe('start-up', () => {
  it('says when the studio is not built', async () => {
    const folder = temporaryFolder();
    const starting = startBrowserHost({ studio: fakeStudio(), assets: join(folder, 'none'), inbox: folder });
    await expect(starting).rejects.toMatchObject({ code: 'studio-not-built' });
  });

  it('says when the port is in use', async () => {
    const { host } = await start();
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'index.html'), '');
    const starting = startBrowserHost({ studio: fakeStudio(), assets: folder, inbox: folder, port: host.port });
    await expect(starting).rejects.toMatchObject({ code: 'port-in-use' });
  });
});

describe('upload', () => {
  const DROP = '5c2e7b2e-0f0e-4f29-9a57-0e6f3f1d2c11';
  const upload = (
    { host, cookie, origin }: Started,
    path: string,
    body: string | Buffer,
    headers = {},
  ): Promise<Reply> =>
    ask(host.port, {
      path: `/upload?${new URLSearchParams({ drop: DROP, path })}`,
      method: 'POST',
      headers: { cookie, origin, 'content-length': String(Buffer.byteLength(body)), ...headers },
      body,
    });

  it('puts a file into the inbox and grants it', async () => {
    const started = await start();
    const body = Buffer.alloc(3 << 20, 7);
    const reply = await upload(started, 'model.onnx', body);
    const grant = JSON.parse(reply.body) as { id: string };
    expect(grant).toMatchObject({ name: 'model.onnx', kind: 'file', bytes: body.length });
    expect(readFileSync(started.studio.grants.path(grant.id)).equals(body)).toBe(true);
  });

  it('keeps the files of one drop together, and grants a folder for a path', async () => {
    const started = await start();
    await upload(started, 'model.onnx', 'graph');
    await upload(started, 'model.onnx.data', 'weights');
    await upload(started, 'images/cat/a b.png', '');
    const last = JSON.parse((await upload(started, 'images/dog/é.png', 'dog')).body) as { id: string };
    expect(last).toMatchObject({ name: 'images', kind: 'folder' });
    expect(readdirSync(join(started.inbox, DROP)).sort()).toEqual(['images', 'model.onnx', 'model.onnx.data']);
    expect(readdirSync(started.studio.grants.path(last.id), { recursive: true }).sort()).toEqual([
      'cat',
      join('cat', 'a b.png'),
      'dog',
      join('dog', 'é.png'),
    ]);
  });

  it.each([
    '../x',
    'a/../../x',
    '/etc/x',
    'a//b',
    '.',
    '',
    'a\\b',
    'a\u0000b',
    'a/..',
    'x'.repeat(300),
    Array(40).fill('d').join('/'),
  ])('refuses the path %j', async (path) => {
    const started = await start();
    const reply = await upload(started, path, 'x');
    expect([reply.status, JSON.parse(reply.body)]).toMatchObject([400, { error: { code: 'protocol-violation' } }]);
    expect(existsSync(join(started.inbox, DROP))).toBe(false);
  });

  it('refuses a drop that is no id', async () => {
    const { host, cookie, origin } = await start();
    const reply = await ask(host.port, {
      path: '/upload?drop=..&path=x',
      method: 'POST',
      headers: { cookie, origin },
      body: 'x',
    });
    expect(JSON.parse(reply.body)).toMatchObject({ error: { code: 'protocol-violation' } });
  });

  it('refuses what the disk has no room for before it is sent', async () => {
    const started = await start();
    const reply = await upload(started, 'huge.bin', 'x', { 'content-length': String(Number.MAX_SAFE_INTEGER) });
    expect([reply.status, JSON.parse(reply.body)]).toMatchObject([507, { error: { code: 'disk-full' } }]);
  });

  it('leaves nothing when the connection ends early', async () => {
    const started = await start();
    const { host, cookie, origin } = started;
    await new Promise<void>((done) => {
      const socket = connect(host.port, '127.0.0.1', () => {
        socket.write(
          `POST /upload?drop=${DROP}&path=part.bin HTTP/1.1\r\nHost: 127.0.0.1:${host.port}\r\nCookie: ${cookie}\r\n` +
            `Origin: ${origin}\r\nContent-Length: 1000\r\n\r\nhalf`,
          () => setTimeout(() => socket.destroy(), 100),
        );
      });
      socket.on('close', () => done());
    });
    await expect.poll(() => readdirSync(join(started.inbox, DROP)), PATIENT).toEqual([]);
  });

  it.each([
    ['another origin', { origin: 'http://evil.example' }],
    ['no cookie', { cookie: '' }],
  ])('is refused with %s', async (_name, headers) => {
    const started = await start();
    expect((await upload(started, 'model.onnx', 'x', headers)).status).toBe(403);
    expect(existsSync(started.inbox)).toBe(false);
  });
});

describe('socket', () => {
  interface Page {
    readonly socket: WebSocket;
    /** Messages so far. */
    readonly messages: unknown[];
    readonly closed: Promise<number>;
  }

  function open({ host, cookie, origin }: Started, headers: Record<string, string> = {}): Promise<Page> {
    const socket = new WebSocket(`ws://127.0.0.1:${host.port}/studio`, { headers: { cookie, origin, ...headers } });
    const messages: unknown[] = [];
    socket.on('message', (data) => messages.push(JSON.parse(String(data))));
    const closed = new Promise<number>((done) => socket.on('close', done));
    onTestFinished(() => socket.terminate());
    return new Promise((done, failed) => {
      socket.on('open', () => done({ socket, messages, closed }));
      socket.on('error', failed);
    });
  }

  it('answers calls, and errors as data', async () => {
    const started = await start(
      fakeStudio(async (method) => {
        if (method === 'bad') throw new HoneError('unknown-run', 'There is no run x.');
        return { method };
      }),
    );
    const { socket, messages } = await open(started);
    socket.send(JSON.stringify({ id: 1, method: 'hello', params: {} }));
    socket.send(JSON.stringify({ id: 2, method: 'bad', params: {} }));
    await expect
      .poll(() => messages, PATIENT)
      .toEqual([
        { id: 1, ok: true, result: { method: 'hello' } },
        {
          id: 2,
          ok: false,
          error: expect.objectContaining({ code: 'unknown-run', kind: 'input', hint: expect.any(String) }),
        },
      ]);
  });

  it.each([
    ['another origin', { origin: 'http://evil.example' }],
    ['no cookie', { cookie: 'x=y' }],
    ['another host name', { host: 'evil.example' }],
  ])('is refused with %s', async (_name, headers) => {
    await expect(open(await start(), headers)).rejects.toThrow('403');
  });

  it('is closed on what is no call, and the studio stays up', async () => {
    const started = await start();
    for (const garbage of ['{', '[]', '{"id":"1","method":"hello","params":{}}', Buffer.from([1, 2, 3])]) {
      const { socket, closed } = await open(started);
      socket.send(garbage);
      expect(await closed).toBe(1008);
    }
    const { socket, closed } = await open(started);
    socket.send(JSON.stringify({ id: 1, method: 'x'.repeat(2 << 20), params: {} }));
    expect(await closed).toBe(1009);
    const after = await open(started);
    after.socket.send(JSON.stringify({ id: 3, method: 'hello', params: {} }));
    await expect.poll(() => after.messages.length, PATIENT).toBe(1);
    await expect.poll(() => started.studio.listeners.size, PATIENT).toBe(1);
  });

  it('gives events to every page, and only the latest progress', async () => {
    const started = await start();
    const pages = await Promise.all([open(started), open(started)]);
    await expect.poll(() => started.studio.listeners.size, PATIENT).toBe(2);
    for (let done = 0; done <= 1000; done++) {
      const progress = { phase: 'weights', done, total: 1000 };
      started.studio.emit({ type: 'progress', run: 'r', stage: 'optimize', progress });
    }
    for (let line = 0; line < 100; line++) {
      started.studio.emit({ type: 'log', run: 'r', level: 'info', message: String(line) });
    }
    for (const { messages } of pages) {
      await expect.poll(() => messages.length, PATIENT).toBe(101);
      const logged = messages.filter((message) => (message as StudioEvent).type === 'log');
      expect(logged).toHaveLength(100);
      expect(messages.at(-1)).toMatchObject({ type: 'progress', progress: { done: 1000 } });
    }
  });

  it('takes a page that calls without end at its own pace', async () => {
    let most = 0;
    let now = 0;
    const started = await start(
      fakeStudio(async () => {
        most = Math.max(most, ++now);
        await new Promise((done) => setTimeout(done, 2));
        now--;
        return {};
      }),
    );
    const { socket, messages } = await open(started);
    const filler = 'x'.repeat(10_000);
    for (let id = 0; id < 500; id++) socket.send(JSON.stringify({ id, method: 'hello', params: { filler } }));
    await expect.poll(() => messages.length, PATIENT).toBe(500);
    expect(most).toBeLessThan(200);
  });

  it('is told when the studio closes', async () => {
    const started = await start();
    const { closed } = await open(started);
    await started.host.close();
    expect(await closed).toBe(1001);
  });
});
