/** The scheme of the studio serves the built files with the headers of the browser host, and nothing else. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Protocol } from 'electron';
import { beforeEach, describe, expect, it } from 'vitest';
import { isStudioUrl, registerStudioScheme, serveStudio } from '../../../electron/app-protocol.ts';
import { securityHeaders } from '../../../native-workers/host/assets.ts';
import { FakeSession, protocol, resetElectron } from '../../helpers/fake-electron.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

beforeEach(resetElectron);

async function served(): Promise<(url: string, method?: string) => Promise<Response>> {
  const root = temporaryFolder();
  writeFileSync(join(root, 'secret.json'), '{"secret":true}');
  const folder = join(root, 'renderer');
  mkdirSync(join(folder, 'assets'), { recursive: true });
  writeFileSync(join(folder, 'index.html'), '<title>Hone</title>');
  writeFileSync(join(folder, 'assets', 'a b.js'), 'start();');
  const session = new FakeSession();
  await serveStudio(session.protocol as unknown as Protocol, folder);
  expect(session.protocol.handle).toHaveBeenCalledWith('app', expect.any(Function));
  const handler = session.protocol.handle.mock.calls[0]?.[1] as (request: object) => Promise<Response>;
  return (url, method = 'GET') => handler({ url, method });
}

describe('the scheme', () => {
  it('is a standard, secure one that does not pass by the content security policy', () => {
    registerStudioScheme();
    expect(protocol.registerSchemesAsPrivileged.mock.calls).toEqual([
      [[{ scheme: 'app', privileges: { standard: true, secure: true, supportFetchAPI: true } }]],
    ]);
  });

  it('needs a built studio', async () => {
    const serving = serveStudio(new FakeSession().protocol as unknown as Protocol, temporaryFolder());
    await expect(serving).rejects.toMatchObject({ code: 'studio-not-built' });
  });

  it('serves the page and its files with their types and the headers of the browser host', async () => {
    const get = await served();
    const page = await get('app://studio/');
    expect(page.status).toBe(200);
    expect(await page.text()).toBe('<title>Hone</title>');
    expect(Object.fromEntries(page.headers)).toEqual({
      ...securityHeaders(),
      'content-type': 'text/html; charset=utf-8',
    });
    const script = await get('app://studio/assets/a%20b.js?v=1#part');
    expect(await script.text()).toBe('start();');
    expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
  });

  it.each([
    'app://studio/../secret.json',
    'app://studio/%2e%2e/secret.json',
    'app://studio/%2E%2E%2Fsecret.json',
    'app://studio/..%5csecret.json',
    'app://studio/..\\secret.json',
    'app://studio/assets/../../secret.json',
    'app://studio/%252e%252e/secret.json',
    'app://studio/index.html%00.js',
    'app://studio/%',
    'app://studio//index.html',
    'app://studio/assets',
    'app://studio/assets/',
    'app://studio/missing.js',
    'app://other/index.html',
    'app://studio.evil.invalid/index.html',
    'app://studio:1/index.html',
    'app://user@studio/index.html',
    'app:/index.html',
    'file:///index.html',
    'https://studio/index.html',
    'nonsense',
  ])('does not serve %s', async (url) => {
    const response = await (await served())(url);
    expect(response.status).toBe(404);
    expect(await response.text()).toBe('');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
  });

  it.each(['POST', 'PUT', 'HEAD'])('does not answer %s', async (method) => {
    expect((await (await served())('app://studio/', method)).status).toBe(405);
  });
});

describe('an address', () => {
  it.each(['app://studio/', 'app://studio/#/run/1', 'app://studio/assets/a.js'])('%s is the studio', (url) => {
    expect(isStudioUrl(url)).toBe(true);
  });

  it.each([
    'http://example.invalid/?next=app://studio',
    'app://studio@example.invalid/',
    'app://studiox/',
    'xapp://studio/',
    'about:blank',
    'javascript:alert(1)',
    '',
  ])('%s is not', (url) => {
    expect(isStudioUrl(url)).toBe(false);
  });
});
