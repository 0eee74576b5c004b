import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { makeFolder } from '../../../native-workers/lib/make-folder.ts';

const root = mkdtempSync(join(tmpdir(), 'make-folder-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

it('makes all that is missing, and nothing twice', () => {
  makeFolder(join(root, 'a', 'b', 'c'));
  makeFolder(join(root, 'a', 'b', 'c'));
  expect(existsSync(join(root, 'a', 'b', 'c'))).toBe(true);
});

it('fails below a file', () => {
  writeFileSync(join(root, 'file'), '');
  expect(() => makeFolder(join(root, 'file', 'x', 'y'))).toThrow('ENOTDIR');
  expect(() => makeFolder(join(root, 'file'))).toThrow('EEXIST');
});

it.runIf(process.platform === 'linux')('fails, and ends, where the system takes no folders', () => {
  expect(() => makeFolder('/proc/hone-cannot-be-here/runs')).toThrow('ENOENT');
});
