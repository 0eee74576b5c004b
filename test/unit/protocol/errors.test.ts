import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HoneError, toHoneError } from '../../../native-workers/protocol/errors.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

function failureOf(work: () => unknown): HoneError {
  try {
    work();
  } catch (thrown) {
    return toHoneError(thrown);
  }
  throw new Error('It did not fail.');
}

describe('toHoneError', () => {
  it('says in a sentence what the file system refused, and names the file', () => {
    const folder = temporaryFolder();
    const absent = failureOf(() => readFileSync(join(folder, 'absent')));
    expect(absent).toMatchObject({ code: 'file-missing', where: { file: join(folder, 'absent') } });
    expect(absent.message).toBe(`There is nothing at ${join(folder, 'absent')}.`);
    // The system names no file when a write fails.
    const full = failureOf(() => writeFileSync('/dev/full', 'more'));
    expect(full).toMatchObject({ code: 'disk-full', message: 'There is no room left on the disk to write a file.' });
    const system = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES', path: '/kept' });
    expect(toHoneError(system)).toMatchObject({
      code: 'no-permission',
      message: 'The system does not allow it at /kept.',
    });
  });

  it('keeps errors of the catalogue, and what nobody foresaw as internal', () => {
    const known = new HoneError('file-empty', 'The file has no bytes.');
    expect(toHoneError(known)).toBe(known);
    expect(toHoneError('odd')).toMatchObject({ code: 'internal', message: 'odd' });
  });
});
