import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { isLocked, RunLock } from '../../../native-workers/host/lock.ts';
import { ROOT } from '../../helpers/sources.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

/** What another process gets when it tries. */
function tryElsewhere(folder: string): string {
  const module = pathToFileURL(join(ROOT, 'native-workers', 'host', 'lock.ts')).href;
  const script = `
    const { isLocked, RunLock } = await import(${JSON.stringify(module)});
    const folder = ${JSON.stringify(folder)};
    let outcome = isLocked(folder) ? 'locked' : 'free';
    try { RunLock.acquire(folder).release(); outcome += ' taken'; } catch (error) { outcome += ' ' + error.code; }
    process.stdout.write(outcome);
  `;
  return execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
}

it('keeps everyone else out until it is released', () => {
  const folder = temporaryFolder();
  expect(isLocked(folder)).toBe(false);
  const lock = RunLock.acquire(folder);
  expect(isLocked(folder)).toBe(true);
  expect(() => RunLock.acquire(folder)).toThrow(expect.objectContaining({ code: 'run-locked' }));
  // That looking did not let go of it is not a matter of course: closing a file drops POSIX locks of the whole process.
  expect(tryElsewhere(folder)).toBe('locked run-locked');
  lock.release();
  lock.release();
  expect(isLocked(folder)).toBe(false);
  expect(tryElsewhere(folder)).toBe('free taken');
});

it('is one empty file, held or not', () => {
  const folder = temporaryFolder();
  const lock = RunLock.acquire(folder);
  expect(readdirSync(folder)).toEqual(['lock']);
  lock.release();
  expect(readdirSync(folder)).toEqual(['lock']);
  expect(statSync(join(folder, 'lock')).size).toBe(0);
});

it('cannot be taken where there is no folder', () => {
  expect(() => RunLock.acquire(join(temporaryFolder(), 'none'))).toThrow(
    expect.objectContaining({ code: 'no-permission' }),
  );
});
