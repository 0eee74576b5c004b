import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ZipArchive } from '../../../native-workers/lib/zip.ts';
import { writeRawZip, writeZip } from '../../helpers/npz.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

const content = Buffer.from('some content of an entry');

describe('ZipArchive', () => {
  it('lists and reads the files of an archive', async () => {
    const path = await writeZip(join(temporaryFolder(), 'a.zip'), {
      'x/one.txt': content,
      'two.txt': Buffer.alloc(100_000),
    });
    const archive = await ZipArchive.open(path);
    expect(archive.entries.map(({ path: name, bytes }) => [name, bytes])).toEqual([
      ['x/one.txt', content.length],
      ['two.txt', 100_000],
    ]);
    const [one] = archive.entries;
    expect(one && (await archive.read(one, 1000)).toString()).toBe(content.toString());
    archive.close();
  });

  it.each(['../outside.txt', '/etc/outside.txt', 'a/../../outside.txt', 'C:/outside.txt'])(
    'refuses the name %s',
    async (name) => {
      const path = writeRawZip(join(temporaryFolder(), 'a.zip'), { name, content });
      await expect(ZipArchive.open(path)).rejects.toMatchObject({ code: 'archive-unsafe' });
    },
  );

  it('refuses an archive that promises more than deflate can hold', async () => {
    const path = writeRawZip(join(temporaryFolder(), 'a.zip'), { name: 'a', content, size: 4_000_000_000 });
    await expect(ZipArchive.open(path)).rejects.toMatchObject({ code: 'archive-unsafe' });
  });

  it('refuses entries that share their bytes many times over', async () => {
    // Each entry alone is within deflate's ratio; all of them together are not within the size of the file.
    const entry = { name: 'a', content: Buffer.alloc(1000), packed: 1000, size: 1_000_000 };
    const path = writeRawZip(join(temporaryFolder(), 'a.zip'), { ...entry, copies: 2000 });
    await expect(ZipArchive.open(path)).rejects.toMatchObject({ code: 'archive-unsafe' });
    const single = await ZipArchive.open(writeRawZip(join(temporaryFolder(), 'b.zip'), entry));
    expect(single.entries).toHaveLength(1);
    single.close();
  });

  it('refuses an entry that is larger than a sample may be, and one that is not as long as it says', async () => {
    const path = await writeZip(join(temporaryFolder(), 'a.zip'), { a: Buffer.alloc(5000) });
    const archive = await ZipArchive.open(path);
    await expect(archive.read(archive.entries[0] as (typeof archive.entries)[0], 1000)).rejects.toMatchObject({
      code: 'archive-unsafe',
    });
    archive.close();
  });

  it('says that a damaged archive cannot be read', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'text.zip'), 'this is no archive at all, but a text of some length');
    await expect(ZipArchive.open(join(folder, 'text.zip'))).rejects.toMatchObject({ code: 'data-unreadable' });
    const cut = await writeZip(join(folder, 'cut.zip'), { a: content });
    truncateSync(cut, 60);
    await expect(ZipArchive.open(cut)).rejects.toMatchObject({ code: 'data-unreadable' });
    await expect(ZipArchive.open(join(folder, 'none.zip'))).rejects.toMatchObject({ code: 'file-missing' });
  });
});
