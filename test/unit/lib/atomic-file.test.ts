import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  removeTemporaryFiles,
  replaceFile,
  temporaryPathFor,
  writeFileAtomic,
} from '../../../native-workers/lib/atomic-file.ts';
import { canMount, testDisk } from '../../helpers/mount.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

describe('writeFileAtomic', () => {
  it('writes text and bytes, and leaves nothing else', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'a.json');
    await writeFileAtomic(path, 'first');
    await writeFileAtomic(path, new Uint8Array([1, 2, 3]));
    expect([...readFileSync(path)]).toEqual([1, 2, 3]);
    expect(readdirSync(folder)).toEqual(['a.json']);
  });

  it('lets a reader see only whole files', async () => {
    const path = join(temporaryFolder(), 'a.txt');
    const texts = ['a'.repeat(200_000), 'b'.repeat(300_000)];
    await writeFileAtomic(path, texts[0] ?? '');
    const writes = Array.from({ length: 20 }, (_, index) => writeFileAtomic(path, texts[index % 2] ?? ''));
    let ended = false;
    const all = Promise.all(writes).then(() => {
      ended = true;
    });
    while (!ended) {
      expect(texts).toContain(readFileSync(path, 'utf8'));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await all;
  });

  it('says what is wrong with the folder', async () => {
    const folder = temporaryFolder();
    await expect(writeFileAtomic(join(folder, 'none', 'a'), '')).rejects.toMatchObject({ code: 'file-missing' });
    mkdirSync(join(folder, 'taken'));
    await expect(writeFileAtomic(join(folder, 'taken'), '')).rejects.toThrow();
    expect(readdirSync(folder)).toEqual(['taken']);
  });

  it.skipIf(!canMount)('keeps the old file when the disk is full', async () => {
    const { folder } = testDisk(256);
    const path = join(folder, 'a');
    await writeFileAtomic(path, 'old');
    await expect(writeFileAtomic(path, new Uint8Array(1 << 20))).rejects.toMatchObject({ code: 'disk-full' });
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['a']);
  });

  it.skipIf(!canMount)('keeps the old file when it may not write', async () => {
    const disk = testDisk(256);
    const path = join(disk.folder, 'a');
    await writeFileAtomic(path, 'old');
    disk.setReadOnly(true);
    await expect(writeFileAtomic(path, 'new')).rejects.toMatchObject({ code: 'no-permission' });
    expect(readFileSync(path, 'utf8')).toBe('old');
  });
});

describe('replaceFile', () => {
  it('keeps the old file when the writer fails', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'a');
    await writeFileAtomic(path, 'old');
    const failing = replaceFile(path, (temporary) => {
      writeFileSync(temporary, 'half');
      throw new Error('the writer failed');
    });
    await expect(failing).rejects.toThrow('the writer failed');
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['a']);
  });
});

describe('removeTemporaryFiles', () => {
  it('removes what killed writers left, and nothing else', async () => {
    const folder = temporaryFolder();
    const left = temporaryPathFor(join(folder, 'manifest.json'));
    for (const path of [left, join(folder, 'notes.tmp'), join(folder, '.hidden')]) writeFileSync(path, '');
    await removeTemporaryFiles(folder);
    expect(readdirSync(folder).sort()).toEqual(['.hidden', 'notes.tmp']);
  });
});
