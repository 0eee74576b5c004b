import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readAssets, resolveAsset, securityHeaders } from '../../../native-workers/host/assets.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

function builtStudio(): string {
  const folder = join(temporaryFolder(), 'renderer');
  mkdirSync(join(folder, 'assets'), { recursive: true });
  writeFileSync(join(folder, 'index.html'), '<!doctype html>');
  writeFileSync(join(folder, 'assets', 'index-1.js'), '1');
  writeFileSync(join(folder, 'assets', 'secret.pem'), 'x');
  writeFileSync(join(folder, '..', 'outside.js'), 'x');
  return folder;
}

describe('resolveAsset', () => {
  it('finds what was built', async () => {
    const folder = builtStudio();
    const table = await readAssets(folder);
    expect(resolveAsset(table, '/')).toEqual({ file: join(folder, 'index.html'), type: 'text/html; charset=utf-8' });
    expect(resolveAsset(table, '/assets/index%2D1.js')?.file).toBe(join(folder, 'assets', 'index-1.js'));
  });

  it.each([
    '/../outside.js',
    '/%2e%2e/outside.js',
    '/..%2foutside.js',
    '/..%5coutside.js',
    '/assets/../../outside.js',
    '//outside.js',
    '/index.html%00.js',
    '/%',
    '/assets',
    '/assets/secret.pem',
    '/constructor',
    '',
  ])('has nothing at %s', async (path) => {
    expect(resolveAsset(await readAssets(builtStudio()), path)).toBeNull();
  });

  it('says when the studio is not built', async () => {
    await expect(readAssets(join(temporaryFolder(), 'renderer'))).rejects.toMatchObject({ code: 'studio-not-built' });
    await expect(readAssets(temporaryFolder())).rejects.toMatchObject({ code: 'studio-not-built' });
  });
});

describe('securityHeaders', () => {
  it('allow scripts and styles of the studio alone', () => {
    expect(securityHeaders(['ws://127.0.0.1:80'])['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
        "connect-src 'self' ws://127.0.0.1:80; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
  });
});
