/** A small disk of its own, for tests of a full or read-only one: a tmpfs, where the system lets us mount. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

function tryMount(folder: string, options: string): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]).status === 0;
}

function probe(): boolean {
  if (process.platform !== 'linux') return false;
  const folder = mkdtempSync(join(tmpdir(), 'hone-mount-'));
  try {
    if (!tryMount(folder, 'size=64k')) return false;
    execFileSync('umount', [folder]);
    return true;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** False where tests have to be skipped, which is said on standard error. */
export const canMount = probe();
if (!canMount)
  process.stderr.write('Tests of a full and of a read-only disk are skipped: mounting a tmpfs needs root on Linux.\n');

export interface TestDisk {
  readonly folder: string;
  /** Allows or forbids writing. */
  setReadOnly(readOnly: boolean): void;
}

/** A disk of so many KiB, gone after the test. */
export function testDisk(kibibytes: number): TestDisk {
  const folder = mkdtempSync(join(tmpdir(), 'hone-disk-'));
  if (!tryMount(folder, `size=${kibibytes}k`)) throw new Error('The test disk could not be mounted.');
  onTestFinished(() => {
    execFileSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    folder,
    setReadOnly: (readOnly) => execFileSync('mount', ['-o', `remount,${readOnly ? 'ro' : 'rw'}`, folder]),
  };
}
