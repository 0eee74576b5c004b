import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { hashFile, hashFiles } from '../../../native-workers/lib/hash-file.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

it('gives the digest and length of a file', async () => {
  const path = join(temporaryFolder(), 'a');
  writeFileSync(path, 'abc');
  // FIPS 180-2, appendix B.1.
  expect(await hashFile(path)).toEqual({
    sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    bytes: 3,
  });
  writeFileSync(path, Buffer.alloc(3 << 20));
  expect((await hashFile(path)).bytes).toBe(3 << 20);
});

it('takes several files as one', async () => {
  const folder = temporaryFolder();
  const pieces = ['a', 'bc'].map((text) => {
    writeFileSync(join(folder, text), text);
    return join(folder, text);
  });
  writeFileSync(join(folder, 'abc'), 'abc');
  expect(await hashFiles(pieces)).toEqual(await hashFile(join(folder, 'abc')));
});

it('says when there is none', async () => {
  await expect(hashFile(join(temporaryFolder(), 'none'))).rejects.toMatchObject({ code: 'file-missing' });
});
